"""Exported models, built once and kept by content.

The key of a model is a hash of its builder's source and of the TensorFlow version, so an edited
builder or another TensorFlow never meets an old export. The cache lies in the folder named by
``TFSERVING_HARNESS_CACHE``, else in the user's cache folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path

from harness.models.builder import Builder

#: Seconds that building the models of one scenario may take.
BUILD_DEADLINE = 600

#: Names the builder and the contents inside an export, where TensorFlow never looks.
ORIGIN = Path("assets.extra", "origin.json")


class BuildError(Exception):
    """A model could not be exported; the text is the builder's own output."""


def root() -> Path:
    """The folder of the cache."""
    chosen = os.environ.get("TFSERVING_HARNESS_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfserving-harness" / "models"


@lru_cache
def key(name: str) -> str:
    """What the builder called ``name`` would build, as a hash."""
    package = resources.files("harness.models")
    digest = hashlib.sha256(metadata.version("tensorflow").encode())
    for module in (name, "export"):
        digest.update((package / f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]


def saved_model(builder: Builder, contents: int) -> Path:
    """Where the SavedModel lies, or will lie once it is built."""
    return root() / f"{builder.name}-{key(builder.name)}" / str(contents) / "saved_model"


def prepare(wanted: Iterable[tuple[Builder, int]], progress: Callable[[str], None] = lambda _: None) -> None:
    """Build what is missing, all in one process of its own, since importing TensorFlow takes seconds.

    Processes that ask at the same time wait for each other and build nothing twice. Raises BuildError.
    """
    every = sorted(
        {(builder.name, contents): saved_model(builder, contents) for builder, contents in wanted}.items()
    )
    if all(path.exists() for _, path in every):
        return
    with _locked(root()):
        missing = [(name, contents, path) for (name, contents), path in every if not path.exists()]
        if not missing:
            return
        names = sorted({name for name, _, _ in missing})
        progress(f"building {len(missing)} models once: {', '.join(names)} (kept in {root()})")
        with tempfile.TemporaryDirectory(dir=root(), prefix=".building-") as scratch:
            _export([(name, contents) for name, contents, _ in missing], Path(scratch))
            for name, contents, path in missing:
                path.parent.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(path.parent, ignore_errors=True)
                Path(scratch, f"{name}-{contents}").rename(path.parent)


def _export(models: list[tuple[str, int]], scratch: Path) -> None:
    """Run ``harness.models.export`` for ``models``."""
    here = str(Path(__file__).parents[2])
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [here, environment.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "harness.models.export", str(scratch)]
    command += [f"{name}={contents}" for name, contents in models]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=BUILD_DEADLINE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"building models took more than {BUILD_DEADLINE} s: {' '.join(command)}") from error
    if done.returncode:
        raise BuildError(f"building models failed: {' '.join(command)}\n{done.stdout}{done.stderr}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of ``folder``; the lock goes with the process that held it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
