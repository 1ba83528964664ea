"""The comparison of a played timeline with the recording fails where it should, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.golden.lifecycle.asking import Look
from tests.golden.lifecycle.comparing import Played, difference
from tests.golden.lifecycle.timelines import Seen, Step, Timeline, plain

START, ONE, TWO = ["1 START"], ["1 AVAILABLE"], ["2 AVAILABLE", "1 END"]
RECORDED = Timeline(
    id="made.up",
    note="version 2 comes while a request runs",
    seconds=3.0,
    flags=[],
    steps=[Step(["wait", 1]), Step(["reload", "", 10], "OK"), Step(["exit", 1])],
    exit=None,
    probes={"status m": {}},
    seen={"status m": [Seen(0, 0.06, START), Seen(1, 0.4, ONE), Seen(2, 1.0, TWO)]},
    answers={"busy": "v1"},
)


def played(*seen: tuple[float, list[str]], blind: float = 0.1, **changes: Any) -> Played:
    looks = [Look(value, 0.0, seconds, times=5) for seconds, value in seen or [(0.4, ONE), (1.0, TWO)]]
    course = Played([None, "OK", None], {"busy": "v1"}, {"status m": looks}, blind, None, None, "")
    return course._replace(**changes)


@pytest.mark.parametrize(
    "course",
    [
        pytest.param(played(), id="the recorded course"),
        pytest.param(played((9.0, START), (0.4, ONE), (1.0, TWO)), id="a recorded moment that stays"),
        pytest.param(played((0.4, ONE), (0.3, ["1 UNLOADING"]), (1.0, TWO)), id="a new moment"),
        pytest.param(played((1.0, TWO), blind=0.5), id="a value that came while nobody looked"),
    ],
)
def test_same(course: Played) -> None:
    assert difference(RECORDED, course) is None


@pytest.mark.parametrize(
    ("course", "part"),
    [
        pytest.param(played((1.0, TWO)), "seen", id="a value is missing"),
        pytest.param(played((1.0, TWO), (0.4, ONE)), "seen", id="in another order"),
        pytest.param(
            played((0.4, ONE), (1.0, TWO), (1.0, START)), "seen", id="a value that was not recorded"
        ),
        pytest.param(played(results=[None, "UNKNOWN: no", None]), "result", id="another result"),
        pytest.param(played(results=[None, "OK", 255]), "result", id="it ended too early"),
        pytest.param(played(answers={}), "answer", id="no answer"),
        pytest.param(played(exit=255), "exit", id="it ended"),
        pytest.param(played(refusal="Failed to start"), "refusal", id="it was refused"),
    ],
)
def test_different(course: Played, part: str) -> None:
    found = difference(RECORDED, course)
    assert found is not None
    assert found.part == part


def test_another_result_that_may_come() -> None:
    steps = [RECORDED.steps[0], RECORDED.steps[1]._replace(also=["UNKNOWN: late"]), RECORDED.steps[2]]
    assert difference(RECORDED._replace(steps=steps), played(results=[None, "UNKNOWN: late", None])) is None


def test_only_the_end_counts_where_timing_decides_what_comes_before() -> None:
    recording = RECORDED._replace(in_the_end=True)
    assert difference(recording, played((1.0, START), (1.0, ["2 AVAILABLE"]))) is None
    assert difference(recording, played((1.0, ONE))) is not None


def test_what_depends_on_the_exporter_is_not_compared() -> None:
    scale = "Could not find variable scale. (localhost/scale) [[{{function_node f_16}}{{node mul}}]]"
    shift = "Could not find variable shift. (localhost/shift) [[{{function_node f_131}}{{node add}}]]"
    assert plain([scale]) == plain([shift])
    assert plain("NOT_FOUND: a") != plain("NOT_FOUND: b")
