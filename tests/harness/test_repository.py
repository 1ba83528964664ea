from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.models import BUILDERS, cache
from harness.repository import Repository
from harness.scenario import Model, Publish, Rename, Replace, Withdraw

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


def test_a_reader_never_sees_half_a_version(repository: Repository) -> None:
    base, partial, stop = repository.base("m"), [], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for entry in [entry for entry in base.iterdir() if entry.name.isdigit()]:
                try:
                    count = len(list(entry.iterdir()))
                except FileNotFoundError:
                    continue  # withdrawn since it was listed
                if count != FILES and entry.exists():
                    partial.append(count)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20):
        repository.publish("m", 9)
        repository.replace("m", 9, 11)
        repository.withdraw("m", 9)
    stop.set()
    watcher.join(10)
    # A version that is renamed aside while it is being listed may look emptier; it is gone by then.
    assert not partial


def test_publishing_what_is_there_is_an_error(repository: Repository) -> None:
    with pytest.raises(OSError, match="not empty"):
        repository.publish("m", 1)
