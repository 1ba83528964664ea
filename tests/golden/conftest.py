from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import ChainMap
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from unittest import mock

import pytest

from harness import targets
from harness.client import GrpcClient
from harness.models import cache
from harness.terms import Protocol, State
from tests.golden.recordings import Play, Record
from tests.golden.replay import Difference, grpc_difference, rest_difference
from tests.golden.setups import SETUPS

#: Groups of recordings that are played side by side: most of the time is spent waiting for nothing.
_SIDE_BY_SIDE = 8
#: Seconds that a server may take to start.
_START_DEADLINE = 60.0
_COMING = (State.START, State.LOADING)
#: On the machine of the recordings TensorFlow used oneDNN. It does so by itself on some x86 processors only,
#: and some texts and last digits are oneDNN's.
_AS_RECORDED = {"TF_ENABLE_ONEDNN_OPTS": "1"} if platform.machine().lower() in ("x86_64", "amd64") else {}


@pytest.fixture(scope="session")
def golden_models() -> Path:
    """The models of the recordings, built once for each TensorFlow."""
    script = Path(__file__).with_name("models.py")
    digest = sha256(metadata.version("tensorflow").encode())
    for source in (script, script.with_name("variants.py"), script.with_name("setups.py")):
        digest.update(source.read_bytes())
    models = cache.root() / f"golden-{digest.hexdigest()[:16]}"
    if models.exists():
        return models
    cache.root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.root(), prefix=".building-") as scratch:
        built = Path(scratch, "models")
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        environment["PYTHONPATH"] = str(script.parents[2])
        subprocess.run(
            [sys.executable, str(script), str(built)],
            check=True,
            timeout=300,
            env=environment,
            capture_output=True,
        )
        # Another run may have been faster; a rename onto its folder fails.
        with contextlib.suppress(OSError):
            built.rename(models)
    return models


class Replays:
    """How the reference server's answers differ; all recordings of a server are played in one go, once."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._played: dict[tuple[str, Protocol], Mapping[str, Difference | None]] = {}

    def difference(self, play: Play, record: Record) -> Difference | None:
        """What is not as recorded."""
        key = play.server, play.protocol
        if key not in self._played:
            self._played[key] = {}  # a server that does not start is not started again
            self._played[key] = self._play(play)
        if not self._played[key]:
            pytest.fail(f"set-up {play.server} did not start", pytrace=False)
        return self._played[key][record["id"]]

    def _play(self, play: Play) -> Mapping[str, Difference | None]:
        with _server(play.server, self._models) as (rest, grpc), ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:

            def answer(group: list[Record]) -> dict[str, Difference | None]:
                if play.protocol is Protocol.REST:
                    return {record["id"]: rest_difference(record, rest) for record in group}
                with contextlib.closing(GrpcClient(grpc)) as client:
                    return {record["id"]: grpc_difference(record, client) for record in group}

            return ChainMap(*pool.map(answer, play.groups.values()))


@pytest.fixture(scope="session")
def replays(golden_models: Path) -> Replays:
    return Replays(golden_models)


@contextlib.contextmanager
def _server(setup: str, models: Path) -> Iterator[tuple[str, str]]:
    """A reference server that has loaded what it is to load. Nothing that it counts has been asked of it."""
    with mock.patch.dict(os.environ, _AS_RECORDED):
        launched = targets.parse("reference").launch(SETUPS[setup].start_up(str(models)))
    try:
        end = time.monotonic() + _START_DEADLINE
        while not all(map(launched.listens, Protocol)):
            if launched.exit_status() is not None or time.monotonic() > end:
                pytest.fail(f"set-up {setup} did not start:\n{launched.logs()}", pytrace=False)
            time.sleep(0.02)
        rest, grpc = launched.addresses
        assert rest is not None
        assert grpc is not None
        # The ports open with the first version of each model.
        with contextlib.closing(GrpcClient(grpc)) as client:
            for model in SETUPS[setup].models:
                while any(version.state in _COMING for version in client.status(model)):
                    if time.monotonic() > end:
                        pytest.fail(f"set-up {setup} loads for ever:\n{launched.logs()}", pytrace=False)
                    time.sleep(0.02)
        yield rest, grpc
    finally:
        launched.stop()
