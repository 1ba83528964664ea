from __future__ import annotations

from collections.abc import Callable

import pytest

from server_impl.protocol import reply
from server_impl.protocol.reply import COHORT_LIMIT, Cohorts, Steps, Work, complete, take_steps


def steps(noted: list[str], name: str, count: int = 2, end: Callable[[], Work[str]] = str) -> Steps[str]:
    for step in range(count):
        noted.append(f"{name}{step}")
        yield
    return end()


def fail() -> str:
    raise ValueError("x")


def test_all_steps_at_once() -> None:
    noted: list[str] = []
    assert take_steps(steps(noted, "a", end=lambda: "done")) == "done"
    assert noted == ["a0", "a1"]
    assert take_steps("as it is") == "as it is"
    assert complete(steps(noted, "b", end=lambda: lambda: "late")) == "late"
    with pytest.raises(ValueError, match="x"):
        take_steps(steps(noted, "c", end=fail))


def test_steps_are_taken_side_by_side() -> None:
    noted: list[str] = []
    late = str
    requests = [
        (1, steps(noted, "a", 2, lambda: "A")),
        (2, steps(noted, "b", 1, lambda: "B")),
        (3, steps(noted, "c", 3, fail)),
        (4, steps(noted, "d", 0, lambda: late)),
    ]
    (outcomes,) = Cohorts().outcomes(requests)
    assert noted == ["a0", "b0", "c0", "a1", "c1", "c2"]
    assert [key for key, _ in outcomes] == [4, 2, 1, 3]
    given = dict(outcomes)
    assert (given[1], given[2], given[4]) == ("A", "B", late)
    assert isinstance(given[3], ValueError)


@pytest.mark.parametrize(("seconds", "sizes"), [(0, [COHORT_LIMIT, 1, 1]), (1000, [COHORT_LIMIT, 2])])
def test_cohorts_are_small_where_steps_are_long(
    monkeypatch: pytest.MonkeyPatch, seconds: float, sizes: list[int]
) -> None:
    monkeypatch.setattr(reply, "_COHORT_SECONDS", seconds)
    requests = [(number, steps([], "")) for number in range(COHORT_LIMIT + 2)]
    assert [len(outcomes) for outcomes in Cohorts().outcomes(requests)] == sizes
    assert list(Cohorts().outcomes([])) == []


def test_a_clock_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "perf_counter", lambda: 1.0)
    requests = [(number, steps([], "")) for number in range(COHORT_LIMIT + 2)]
    assert [len(outcomes) for outcomes in Cohorts().outcomes(requests)] == [COHORT_LIMIT, 2]
