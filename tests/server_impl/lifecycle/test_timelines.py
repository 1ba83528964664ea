"""Rules that only show over time, each told as a short story."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from server_impl.lifecycle.policy import All, Latest, Specific
from server_impl.lifecycle.source import MonitoredModel
from tests.server_impl.lifecycle.timeline import ONE, Timeline

UP = ("START", "LOADING", "AVAILABLE")
DOWN = ("UNLOADING", "END")


def goes(folder: str, *states: str) -> list[str]:
    return [f"{folder} {state}" for state in states]


@pytest.fixture
def t(tmp_path: Path) -> Timeline:
    return Timeline(tmp_path)


def test_a_higher_version_takes_over_without_a_gap(t: Timeline) -> None:
    t.add("m/1")
    t.models(m=ONE)
    t.run(0.2)
    assert t.news() == goes("m/1", *UP)
    t.add("m/2")
    t.run(0.8)
    assert t.news() == []  # not polled yet
    t.later(0.07, lambda: answers.append(t.answer()))  # while 2 is loaded
    answers: list[str | None] = []
    t.run(1)
    assert answers == ["m/1"]
    assert t.news() == goes("m/2", *UP) + goes("m/1", *DOWN)
    assert (t.answer(), t.answer(version=1), t.unloads) == ("m/2", None, ["m/1"])


def test_taking_the_newest_away_brings_the_older_one_back_first(t: Timeline) -> None:
    t.add("m/1", "m/2")
    t.models(m=ONE)
    t.run(0.5)
    assert t.answer() == "m/2"
    t.news()
    t.remove("m/2")
    t.run(2)
    assert t.news() == goes("m/1", *UP) + goes("m/2", *DOWN)
    assert t.status() == ["2 END", "1 AVAILABLE"]


def test_without_any_version_everything_goes_and_ends_stay_visible(t: Timeline) -> None:
    t.add("m/1", "m/2", "m/3")
    t.models(m=Latest(2))
    t.run(0.5)
    assert t.loads == ["m/3", "m/2"]
    t.news()
    t.remove("m/1", "m/2", "m/3")
    t.run(2)
    assert t.news() == goes("m/2", *DOWN) + goes("m/3", *DOWN)
    assert t.status() == ["3 END", "2 END"]
    assert t.answer() is None


def test_the_same_number_comes_back_after_a_full_unload(t: Timeline) -> None:
    t.add("m/1")
    t.models(m=ONE)
    t.run(0.5)
    t.news()
    t.remove("m/1")
    t.run(1)
    assert t.answer() is None
    t.add("m/1")
    t.run(1)
    assert t.news() == goes("m/1", *DOWN) + goes("m/1", *UP)
    assert t.loads == ["m/1", "m/1"]


def test_away_between_two_polls_is_not_noticed(t: Timeline) -> None:
    t.add("m/1")
    t.models(m=ONE)
    t.run(0.5)
    t.news()
    t.remove("m/1")
    t.run(0.3)
    t.add("m/1")
    t.run(2)
    assert t.news() == []


def test_a_deleted_base_path_keeps_serving_and_freezes_the_others(t: Timeline) -> None:
    t.add("m/1", "n/1")
    t.models(m=ONE, n=ONE)
    t.run(0.5)
    t.remove("n")
    t.add("m/2")
    t.run(3)
    assert (t.answer("m"), t.answer("n")) == ("m/1", "n/1")
    t.add("n/1")
    t.run(2)
    assert (t.answer("m"), t.answer("n")) == ("m/2", "n/1")


def test_all_versions_load_from_the_highest_down_one_a_round(t: Timeline) -> None:
    t.add("m/1", "m/10", "m/9")
    t.models(m=All())
    t.run(0.1)
    assert t.loads == ["m/10"]
    t.run(0.1)
    assert t.loads == ["m/10", "m/9"]
    t.run(0.1)
    assert t.loads == ["m/10", "m/9", "m/1"]
    assert t.answer() == "m/10"


def test_two_folders_of_one_number_under_all(t: Timeline, caplog: pytest.LogCaptureFixture) -> None:
    t.add("m/1", "m/01")
    t.models(m=All())
    t.run(2.5)
    assert (t.answer(version=1), t.loads) == ("m/01", ["m/01"])
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert errors == [
        "Internal error: Unable to transfer servable {name: m version: 1} to 'basic_manager_': "
        "This servable is already being managed: {name: m version: 1}"
    ]


def test_specific_versions_that_are_nowhere_unload_everything(t: Timeline) -> None:
    t.add("m/1", "m/2")
    t.models(m=Specific((1, 2)))
    t.run(0.5)
    assert t.status() == ["2 AVAILABLE", "1 AVAILABLE"]
    t.models(m=Specific((7,)))
    t.run(2)
    assert t.status() == ["2 END", "1 END"]


def test_an_unload_of_any_model_comes_before_a_load(t: Timeline) -> None:
    t.add("m/1", "n/1")
    t.models(m=ONE, n=ONE)
    t.run(0.5)
    t.news()
    t.add("m/2")
    t.remove("n/1")
    t.run(1)
    assert t.news() == ["m/2 START", *goes("n/1", *DOWN), *goes("m/2", *UP[1:]), *goes("m/1", *DOWN)]


def test_another_base_path_does_not_reload_the_same_number(t: Timeline) -> None:
    t.add("m/1", "other/1", "other/2")
    t.models(m=ONE)
    t.run(0.5)
    t.news()
    t.source.update([MonitoredModel("m", str(t.root / "other"), Specific((1,)))])
    t.run(2)
    assert (t.news(), t.answer()) == ([], "m/1")
    t.source.update([MonitoredModel("m", str(t.root / "other"), ONE)])
    t.run(2)
    assert t.answer() == "other/2"


class TestFailures:
    def test_a_broken_version_leaves_the_old_one_serving(self, t: Timeline) -> None:
        t.add("m/1")
        t.models(m=ONE)
        t.run(0.5)
        t.news()
        t.add("m/2", broken=True)
        t.run(5)
        assert t.news() == goes("m/2", "START", "LOADING", "END")
        assert t.status() == ["2 END [DATA_LOSS: broken]", "1 AVAILABLE"]
        assert t.answer() == "m/1"

    def test_under_latest_neither_repair_nor_removal_helps_but_a_higher_version(self, t: Timeline) -> None:
        t.add("m/1")
        t.models(m=ONE)
        t.run(0.5)
        t.add("m/2", broken=True)
        t.run(1)
        t.repair("m/2")
        t.run(2)
        t.remove("m/2")
        t.run(2)
        t.add("m/2")
        t.run(2)
        assert t.loads == ["m/1", "m/2"]
        assert t.answer() == "m/1"
        t.add("m/3")
        t.run(2)
        assert t.status() == ["3 AVAILABLE", "2 END [DATA_LOSS: broken]", "1 END"]

    def test_under_all_removal_for_a_poll_helps(self, t: Timeline) -> None:
        t.add("m/1")
        t.add("m/2", broken=True)
        t.models(m=All())
        t.run(0.5)
        t.repair("m/2")
        t.run(2)
        assert t.status() == ["2 END [DATA_LOSS: broken]", "1 AVAILABLE"]
        t.remove("m/2")
        t.run(1)
        t.add("m/2")
        t.run(1)
        assert t.status() == ["2 AVAILABLE", "1 AVAILABLE"]

    def test_dropping_the_model_for_a_while_helps(self, t: Timeline) -> None:
        t.add("m/1", broken=True)
        t.models(m=ONE)
        t.run(0.5)
        t.repair("m/1")
        t.models()
        t.run(0.3)
        t.models(m=ONE)
        t.run(1)
        assert t.status() == ["1 AVAILABLE"]

    def test_what_cannot_be_estimated_fails_before_it_is_loading(
        self, t: Timeline, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        t.add("m/5", plain=True)
        t.models(m=ONE)
        t.run(0.5)
        text = (
            "Error while attempting to reserve resources to load servable {name: m version: 5}: "
            "m/5; Not a directory"
        )
        assert t.news() == goes("m/5", "START", "END")
        assert t.status() == [f"5 END [FAILED_PRECONDITION: {text}]"]
        assert caplog.messages == [
            "Reserving resources for servable: {name: m version: 5} failed: "
            "FAILED_PRECONDITION: m/5; Not a directory",
            "Retrying of Reserving resources for servable: {name: m version: 5} exhausted max_num_retries: 0",
            f"FAILED_PRECONDITION: {text}",
            f"Encountered an error for servable version {{name: m version: 5}}: FAILED_PRECONDITION: {text}",
            f"Servable {{name: m version: 5}} cannot be loaded: FAILED_PRECONDITION: {text}",
        ]


class TestRetries:
    @pytest.fixture
    def t(self, tmp_path: Path) -> Timeline:
        return Timeline(tmp_path, retries=3, interval_s=2)

    def test_a_late_repair_is_picked_up(self, t: Timeline) -> None:
        t.add("m/1")
        t.add("m/2", broken=True)
        t.models(m=ONE)
        seen: list[list[str]] = []
        t.later(1, lambda: seen.append(t.status()))
        t.later(3, lambda: t.repair("m/2"))
        t.run(6)
        assert seen == [["2 LOADING"]]  # no error to be seen while attempts go on
        assert t.news() == goes("m/2", *UP)
        assert t.loads == ["m/2"] * 3

    def test_attempts_are_counted(self, t: Timeline) -> None:
        t.add("m/1", broken=True)
        t.models(m=ONE)
        t.run(20)
        assert t.loads == ["m/1"] * 4
        assert t.status() == ["1 END [DATA_LOSS: broken]"]

    def test_nothing_else_is_loaded_or_unloaded_between_attempts(self, t: Timeline) -> None:
        t.add("m/1", "n/1")
        t.models(m=ONE, n=ONE)
        t.run(0.5)
        t.add("m/2", broken=True)
        t.later(2, lambda: t.add("n/2"))
        t.later(5, lambda: early.append((t.answer("n"), t.status("n"))))
        early: list[tuple[str | None, list[str]]] = []
        t.run(10)
        assert early == [("n/1", ["1 AVAILABLE"])]
        assert t.status("n") == ["2 AVAILABLE", "1 END"]

    @pytest.mark.parametrize("policy", [ONE, All()])
    def test_removal_does_not_end_attempts_made_inline(self, t: Timeline, policy: Latest | All) -> None:
        t.add("m/1")
        t.models(m=policy)
        t.run(0.5)
        t.add("m/2", broken=True)
        t.later(1, lambda: t.remove("m/2"))
        t.run(12)
        assert t.loads == ["m/1"] + ["m/2"] * 4
        assert t.status() == ["2 END [NOT_FOUND: no model]", "1 AVAILABLE"]


def test_log_of_a_swap(t: Timeline, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    t.add("m/1")
    t.models(m=ONE)
    t.run(0.5)
    t.add("m/2")
    t.run(2)
    up = [
        "Retrying of Reserving resources for servable: {name: m version: %d} exhausted max_num_retries: 0",
        "Successfully reserved resources to load servable {name: m version: %d}",
        "Approving load for servable version {name: m version: %d}",
        "Loading servable version {name: m version: %d}",
        "Retrying of Loading servable: {name: m version: %d} exhausted max_num_retries: 0",
        "Successfully loaded servable version {name: m version: %d}",
    ]
    down = [
        "Quiescing servable version {name: m version: %d}",
        "Done quiescing servable version {name: m version: %d}",
        "Unloading just-loaded servable version {name: m version: %d}",
        "Done unloading servable version {name: m version: %d}",
    ]
    assert caplog.messages == [line % n for n, lines in ((1, up), (2, up), (1, down)) for line in lines]
