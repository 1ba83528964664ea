"""The folder of one timeline, and the steps that change it.

Steps: ``copy SOURCE PLACE`` (a folder), ``copy_file SOURCE PLACE``, ``replace_contents SOURCE PLACE`` (put a
folder's files into another), ``symlink SOURCE PLACE``, ``rename PLACE PLACE``, ``rm PLACE``, ``mkdir PLACE``,
``touch PLACE`` (an empty file), ``write PLACE TEXT``.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any


class Folder:
    """``root`` and what happens in it; sources of copies are in ``models``.

    Whatever is copied or written appears at once: the server never sees half of it, as it never did where the
    timelines were recorded.
    """

    def __init__(self, root: Path, models: Path) -> None:
        self.root = root
        self._models = models
        self._aside = root.with_name(f"{root.name}-aside")
        self._aside.mkdir()
        self._numbers = itertools.count()

    def fill(self, text: str) -> str:
        """``text`` with the folder's name in place of the word."""
        return text.replace("$ROOT", str(self.root))

    def mask(self, text: str) -> str:
        """``text`` with the word in place of the folder's name."""
        return text.replace(str(self.root), "$ROOT")

    def does(self, do: list[Any]) -> bool:
        """Do a step; False where it is not one of a folder's."""
        match do:
            case ["copy", source, place]:
                self._appear(self._copied(source), place)
            case ["copy_file", source, place]:
                self._appear(self._copied(source), place)
            case ["replace_contents", source, place]:
                self._replace_contents(self._copied(source), self.root / place)
            case ["symlink", source, place]:
                (self.root / place).symlink_to(self._models / source)
            case ["rename", old, new]:
                (self.root / old).rename(self.root / new)
            case ["rm", place]:
                self._remove(self.root / place)
            case ["mkdir", place]:
                (self.root / place).mkdir(parents=True, exist_ok=True)
            case ["touch", place]:
                (self.root / place).touch()
            case ["write", place, text]:
                aside = self._new()
                aside.write_text(self.fill(text))
                self._appear(aside, place)
            case _:
                return False
        return True

    def _new(self) -> Path:
        return self._aside / str(next(self._numbers))

    def _copied(self, source: str) -> Path:
        original, aside = self._models / source, self._new()
        if original.is_dir():
            shutil.copytree(original, aside)
        else:
            shutil.copyfile(original, aside)
        return aside

    def _appear(self, aside: Path, place: str) -> None:
        target = self.root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(target)

    def _replace_contents(self, aside: Path, target: Path) -> None:
        """The graph comes last, so that it never stands beside the variables of another one."""
        files = [path for path in aside.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: (path.name == "saved_model.pb", path)):
            self._appear(path, str(target / path.relative_to(aside)))

    def _remove(self, path: Path) -> None:
        """Remove at once: a folder goes aside before it is deleted."""
        if path.is_dir() and not path.is_symlink():
            aside = self._new()
            path.rename(aside)
            shutil.rmtree(aside)
        else:
            path.unlink()
