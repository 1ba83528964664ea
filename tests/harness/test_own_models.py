"""Models of the user's own: what the option takes, and what tests get."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import own_models
from harness.actions import Bring
from harness.repository import SAVED_MODEL, Repository
from harness.targets import UsageError
from harness.terms import Capability, Model
from tests.harness.tiny import outcomes, run
from tests.miniatures import standins

pytest_plugins = ("pytester",)

STARTS: Any = SimpleNamespace(spec="reference", capabilities=frozenset(Capability))
RUNS: Any = SimpleNamespace(spec="url:http://host:8501", capabilities=frozenset({Capability.WATCH}))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base path with two versions and something else."""
    for version in (3, 12):
        (tmp_path / "base" / str(version)).mkdir(parents=True)
        (tmp_path / "base" / str(version) / SAVED_MODEL).write_text(str(version))
    (tmp_path / "base" / "notes.txt").write_text("text")
    return tmp_path / "base"


def brought(source: Path, tmp_path: Path) -> list[str]:
    repository = Repository(tmp_path / "models", {"m": Model("m", "", versions=())})
    repository.base("m").mkdir(parents=True)
    repository.apply(Bring("m", str(source)))
    return sorted(str(path.relative_to(repository.base("m"))) for path in repository.base("m").rglob("*"))


def test_no_option_means_no_model() -> None:
    assert own_models.parse([], STARTS) is None


def test_a_folder_is_served_under_the_name(base: Path) -> None:
    own = own_models.parse([f"m={base}"], STARTS)
    assert own is not None
    assert own.names == ("m",)
    assert own.scenario.before == (Bring("m", str(base)),)
    assert Capability.START not in own.scenario.needs, "a running server can be given models, too"


def test_what_runs_already_is_named(base: Path) -> None:
    own = own_models.parse(["m", "other"], RUNS)
    assert own is not None
    assert own.names == ("m", "other")
    assert not own.scenario.needs


@pytest.mark.parametrize(
    ("given", "target", "reason"),
    [
        (["m"], STARTS, "where does it lie"),
        (["m=BASE"], RUNS, "has its models already"),
        (["=BASE"], STARTS, "a name of its own"),
        (["m=BASE", "m=BASE"], STARTS, "a name of its own"),
        (["m=BASE/nowhere"], STARTS, "no such folder"),
        (["m=BASE/3/empty"], STARTS, "but nothing"),
    ],
)
def test_mistakes_are_told(given: list[str], target: Any, reason: str, base: Path) -> None:
    (base / "3" / "empty").mkdir()
    with pytest.raises(UsageError, match=reason):
        own_models.parse([text.replace("BASE", str(base)) for text in given], target)


def test_a_base_path_is_copied_whole(base: Path, tmp_path: Path) -> None:
    assert brought(base, tmp_path) == ["12", f"12/{SAVED_MODEL}", "3", f"3/{SAVED_MODEL}", "notes.txt"]


def test_a_saved_model_becomes_version_1(base: Path, tmp_path: Path) -> None:
    assert brought(base / "12", tmp_path) == ["1", f"1/{SAVED_MODEL}"]


def test_tests_are_made_for_each_model(tiny: pytest.Pytester, tmp_path: Path) -> None:
    standins.stand_in(tmp_path / "mine" / "7", "grid", 5)
    standins.stand_in(tmp_path / "yours" / "1", "grid", 1)
    tiny.makepyfile(
        test_tiny="""
        import pytest
        from scenario import SCENARIO

        pytestmark = pytest.mark.scenario(SCENARIO)

        @pytest.mark.fact("9.1")
        def test_versions(player, any_model, protocol):
            '''Something is there.'''
            versions = [entry.version for entry in player.client(protocol).status(any_model)]
            assert versions == {"m": [1], "mine": [7], "yours": [1]}[any_model]
        """
    )
    run(tiny)
    assert outcomes(tiny) == {"tiny/test_versions[m-rest]": "passed", "tiny/test_versions[m-grpc]": "passed"}
    run(tiny, *(f"--own-model={name}={tmp_path / name}" for name in ("mine", "yours")))
    assert outcomes(tiny) == {
        f"any_model/test_versions[{name}-{protocol}]": "passed"
        for protocol in ("rest", "grpc")
        for name in ("mine", "yours")
    }


def test_a_mistake_ends_the_run_with_one_sentence(tiny: pytest.Pytester) -> None:
    result = run(tiny, "--own-model=m")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --own-model m: where does it lie? Write --own-model m=FOLDER"])
