"""The one test that builds real models: a few seconds of TensorFlow in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.models import BUILDERS, cache
from harness.models.builder import Builder
from harness.models.cache import BuildError

PREPARE = (
    "from harness.models import BUILDERS, cache; "
    "cache.prepare([(BUILDERS['half_plus_two'], 1), (BUILDERS['strings'], 2)], print)"
)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFSERVING_HARNESS_CACHE", str(tmp_path))


def test_two_runs_at_once_build_every_model_once(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen([sys.executable, "-c", PREPARE], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = sorted(run.communicate(timeout=300)[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert said[0] == ""
    assert said[1].startswith("building 2 models once: half_plus_two, strings")
    for name, contents in (("half_plus_two", 1), ("strings", 2)):
        path = cache.saved_model(BUILDERS[name], contents)
        assert (path / "saved_model.pb").is_file()
        assert (path / "variables" / "variables.index").is_file()
        assert json.loads((path / cache.ORIGIN).read_text()) == {"builder": name, "contents": contents}
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".building")] == []


def test_what_is_there_is_not_built(capsys: pytest.CaptureFixture[str]) -> None:
    cache.saved_model(BUILDERS["grid"], 1).mkdir(parents=True)
    cache.prepare([(BUILDERS["grid"], 1)], print)
    assert capsys.readouterr().out == ""


def test_a_build_that_fails_tells_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "key", lambda name: "key")
    unknown = Builder("unknown", {}, lambda contents, path: None)
    with pytest.raises(BuildError, match="KeyError: 'unknown'"):
        cache.prepare([(unknown, 1)])


def test_the_place_of_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache.root() == tmp_path
    monkeypatch.delenv("TFSERVING_HARNESS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache.root() == Path("/x/tfserving-harness/models")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert cache.root() == Path("/h/.cache/tfserving-harness/models")


def test_every_builder_has_a_key_of_its_own() -> None:
    assert len({cache.key(name) for name in BUILDERS}) == len(BUILDERS)
