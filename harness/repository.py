"""The model repository on disk.

What careful deployers do is one rename: a server that polls the folder sees a version complete or not at
all. What others do comes as it is (:mod:`harness.actions`).
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from harness import models
from harness.actions import (
    Action,
    Bring,
    Copy,
    Link,
    Publish,
    Put,
    Remove,
    Rename,
    Replace,
    Touch,
    Withdraw,
    Write,
)
from harness.models import cache
from harness.terms import Cut, Files, Model

#: The file that makes a folder a SavedModel.
SAVED_MODEL = "saved_model.pb"


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

    def apply(self, action: Action) -> None:
        """Carry out an action on the repository."""
        match action:
            case Publish(model, version, contents, files):
                self.publish(model, version, contents, files)
            case Withdraw(model, version):
                self.withdraw(model, version)
            case Replace(model, version, contents):
                self.replace(model, version, contents)
            case Rename(model, source, target):
                (self.base(model) / source).rename(self.base(model) / target)
            case Put(model, entry, contents, files):
                place = self.base(model) / entry
                place.parent.mkdir(parents=True, exist_ok=True)
                self._copy(model, 0, contents, files).rename(place)
            case Bring(model, source):
                self._bring(model, Path(source))
            case Remove(model, entry):
                self._remove(model, entry)
            case Write(model, entry, content):
                (self.base(model) / entry).write_bytes(content)
            case Copy(model, version, paths, contents=contents, files=files):
                self._copy_into(model, version, paths, contents, files)
            case Link(model, entry, target):
                aside = self._beside(model)
                aside.symlink_to(target)
                aside.rename(self.base(model) / entry)
            case Touch(model, entry, seconds):
                _touch(self.base(model) / entry, time.time() + seconds)
            case _:
                raise TypeError(f"not an action on the repository: {action}")

    def publish(
        self, model: str, version: int, contents: int | None = None, files: Files = MappingProxyType({})
    ) -> None:
        """Let a version appear: copied aside, changed as ``files`` say, then renamed."""
        self._copy(model, version, contents, files).rename(self.base(model) / str(version))

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

    def _bring(self, model: str, source: Path) -> None:
        """Copy aside, then let every entry appear at once."""
        aside, base = self._beside(model), self.base(model)
        one = (source / SAVED_MODEL).exists()
        shutil.copytree(source, aside / "1" if one else aside)
        for entry in aside.iterdir():
            entry.rename(base / entry.name)
        aside.rmdir()

    def _remove(self, model: str, entry: str) -> None:
        """Let an entry, or the whole base path, disappear."""
        place, aside = self.base(model) / entry, self._beside(model)
        if not entry:
            aside = self.root / aside.name
        place.rename(aside)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        else:
            aside.unlink()

    def _copy_into(
        self, model: str, version: int, paths: Sequence[str], contents: int | None, files: Files
    ) -> None:
        """Copy parts of a SavedModel, changed as ``files`` say, to where the server sees them come."""
        source, place = self._copy(model, version, contents, files), self.base(model) / str(version)
        place.mkdir(exist_ok=True)
        for path in paths:
            if (source / path).is_dir():
                shutil.copytree(source / path, place / path, dirs_exist_ok=True)
            else:
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / path, place / path)
        shutil.rmtree(source)

    def _beside(self, model: str) -> Path:
        """A fresh hidden name in the base path, so on the same file system."""
        return self.base(model) / f".aside-{os.getpid()}-{next(self._aside)}"

    def _copy(
        self, model: str, version: int, contents: int | None, files: Files = MappingProxyType({})
    ) -> Path:
        """A complete SavedModel under a hidden name, changed as ``files`` say."""
        configured = self._configured[model]
        builder = models.BUILDERS[configured.builder]
        source = cache.saved_model(builder, configured.contents(version) if contents is None else contents)
        aside = self._beside(model)
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, aside)
        for path, change in files.items():
            _change(aside / path, change)
        return aside


def _touch(top: Path, moment: float) -> None:
    """Give a file or folder and all that is in it a time of modification."""
    for path in (*top.rglob("*"), top):
        os.utime(path, (moment, moment))


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
