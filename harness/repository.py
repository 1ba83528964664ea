"""The model repository on disk, edited the way a careful deployer does: every change is one rename.

A server that polls the folder sees a version complete or not at all.
"""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from types import MappingProxyType

from harness import models
from harness.models import cache
from harness.scenario import Cut, Files, Model, Publish, Rename, Replace, Withdraw


class Repository:
    """Base paths of models below ``root``.

    ``configured`` are the models by name. Entries that are being prepared or deleted have names that
    begin with a dot and so are never versions [3.1.1].
    """

    def __init__(self, root: Path, configured: dict[str, Model]) -> None:
        self.root = root
        self._configured = configured
        self._aside = itertools.count()

    def base(self, model: str) -> Path:
        """The base path of a model."""
        return self.root / self._configured[model].base_folder

    def lay_out(self, model: Model) -> None:
        """Put the versions there with which ``model`` starts."""
        for version in model.versions:
            self.publish(model.name, version, files=model.files)

    def apply(self, action: Publish | Withdraw | Replace | Rename) -> None:
        """Carry out an action."""
        match action:
            case Publish(model, version, contents, files):
                self.publish(model, version, contents, files)
            case Withdraw(model, version):
                self.withdraw(model, version)
            case Replace(model, version, contents):
                self.replace(model, version, contents)
            case Rename(model, source, target):
                (self.base(model) / source).rename(self.base(model) / target)

    def publish(
        self, model: str, version: int, contents: int | None = None, files: Files = MappingProxyType({})
    ) -> None:
        """Let a version appear: copied aside, changed as ``files`` say, then renamed."""
        aside = self._copy(model, version, contents)
        for path, change in files.items():
            _change(aside / path, change)
        aside.rename(self.base(model) / str(version))

    def withdraw(self, model: str, version: int) -> None:
        """Let a version disappear: renamed aside, then deleted."""
        aside = self._beside(model)
        (self.base(model) / str(version)).rename(aside)
        shutil.rmtree(aside)

    def replace(self, model: str, version: int, contents: int) -> None:
        """Exchange the files of a version. For a moment, far shorter than a poll, it is not there."""
        new, old = self._copy(model, version, contents), self._beside(model)
        place = self.base(model) / str(version)
        place.rename(old)
        new.rename(place)
        shutil.rmtree(old)

    def _beside(self, model: str) -> Path:
        """A fresh hidden name in the base path, so on the same file system."""
        return self.base(model) / f".aside-{os.getpid()}-{next(self._aside)}"

    def _copy(self, model: str, version: int, contents: int | None) -> Path:
        configured = self._configured[model]
        builder = models.BUILDERS[configured.builder]
        source = cache.saved_model(builder, configured.contents(version) if contents is None else contents)
        aside = self._beside(model)
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, aside)
        return aside


def _change(file: Path, change: bytes | Cut | None) -> None:
    """Make one file what ``change`` says."""
    match change:
        case bytes():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(change)
        case Cut(size):
            os.truncate(file, size)
        case None if file.is_dir():
            shutil.rmtree(file)
        case None:
            file.unlink()
