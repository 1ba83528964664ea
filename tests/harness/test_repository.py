from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from harness.actions import Copy, Link, Publish, Put, Reload, Remove, Rename, Replace, Touch, Withdraw, Write
from harness.models import BUILDERS, cache
from harness.repository import Repository
from harness.terms import Cut, Model

FILES = 40


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository over a cache of stand-ins: many small files that name their contents."""
    monkeypatch.setenv("TFSERVING_HARNESS_CACHE", str(tmp_path / "cache"))
    for contents in (1, 2, 9, 11):
        path = cache.saved_model(BUILDERS["grid"], contents)
        path.mkdir(parents=True)
        for number in range(FILES):
            (path / f"file{number}").write_text(str(contents))
    model = Model("m", "grid", versions=(1, 2), folder="some/where")
    repository = Repository(tmp_path / "models", {"m": model})
    repository.lay_out(model)
    return repository


def contents(repository: Repository) -> dict[str, set[str]]:
    """What each visible entry holds."""
    return {
        entry.name: {file.read_text() for file in entry.iterdir()}
        for entry in repository.base("m").iterdir()
        if not entry.name.startswith(".")
    }


def test_every_action(repository: Repository) -> None:
    assert repository.base("m") == repository.root / "some/where"
    assert contents(repository) == {"1": {"1"}, "2": {"2"}}
    repository.apply(Publish("m", 11))
    repository.apply(Publish("m", 3, contents=9))
    repository.apply(Replace("m", 1, contents=2))
    repository.apply(Withdraw("m", 2))
    repository.apply(Rename("m", "11", "0011"))
    assert contents(repository) == {"1": {"2"}, "3": {"9"}, "0011": {"11"}}
    assert [entry.name for entry in repository.base("m").iterdir() if entry.name.startswith(".")] == []


def test_careless_actions(repository: Repository) -> None:
    base = repository.base("m")
    repository.apply(Put("m", "nested/0003", 9, files={"file0": None, "more/file": b"new"}))
    assert not (base / "nested/0003/file0").exists()
    assert (base / "nested/0003/more/file").read_text() == "new"
    repository.apply(Write("m", "5", b"plain"))
    assert (base / "5").read_bytes() == b"plain"
    repository.apply(Copy("m", 11, ("file0", "file1"), files={"file1": Cut(1)}))
    assert {file.name: file.read_text() for file in (base / "11").iterdir()} == {"file0": "11", "file1": "1"}
    repository.apply(Copy("m", 11, ("file2",), contents=9))
    assert (base / "11/file2").read_text() == "9"
    repository.apply(Link("m", "7", "1"))
    repository.apply(Link("m", "7", "2"))
    assert (base / "7/file0").read_text() == "2"
    repository.apply(Touch("m", "1", -3600))
    ages = {round(time.time() - path.stat().st_mtime) // 60 for path in (base / "1", base / "1/file0")}
    assert ages == {60}
    repository.apply(Remove("m", "7"))
    assert (base / "2/file0").exists(), "the link goes, not what it leads to"
    repository.apply(Remove("m", "2/file0"))
    assert len(list((base / "2").iterdir())) == FILES - 1
    repository.apply(Remove("m"))
    assert list(repository.root.rglob("*")) == [base.parent]


def test_actions_on_the_server_are_not_for_the_repository(repository: Repository) -> None:
    with pytest.raises(TypeError, match="reload"):
        repository.apply(Reload(()))


def test_a_reader_never_sees_half_a_version(repository: Repository) -> None:
    base, partial, stop = repository.base("m"), [], threading.Event()

    def look(entry: Path) -> None:
        with suppress(FileNotFoundError):  # withdrawn since it was listed
            folder = os.open(entry, os.O_DIRECTORY)
            try:
                count = len(os.listdir(folder))  # noqa: PTH208 - of a folder that is held open
                # One that was renamed aside while it was being listed may look emptier.
                if count != FILES and os.path.samestat(os.fstat(folder), entry.stat()):
                    partial.append(count)
            finally:
                os.close(folder)

    def watch() -> None:
        while not stop.is_set():
            for entry in [entry for entry in base.iterdir() if entry.name.isdigit()]:
                look(entry)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20):
        repository.publish("m", 9)
        repository.replace("m", 9, 11)
        repository.withdraw("m", 9)
    stop.set()
    watcher.join(10)
    assert not partial


def test_publishing_what_is_there_is_an_error(repository: Repository) -> None:
    with pytest.raises(OSError, match="not empty"):
        repository.publish("m", 1)


def test_files_that_differ_from_the_export(repository: Repository) -> None:
    files = {"file0": None, "file1": b"other", "file2": Cut(1), "new/file": b"new"}
    repository.apply(Publish("m", 11, files=files))
    version = repository.base("m") / "11"
    assert not (version / "file0").exists()
    assert [(version / name).read_text() for name in ("file1", "file2", "file3", "new/file")] == [
        "other",
        "1",
        "11",
        "new",
    ]
