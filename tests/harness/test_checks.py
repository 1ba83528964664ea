from __future__ import annotations

import re

import pytest

from harness.checks import Logs, Moment, Passes, Precedes
from harness.terms import State

FACTS = ("1",)
START, LOADING, AVAILABLE, UNLOADING, END = State


@pytest.mark.parametrize(
    ("seen", "right"),
    [
        ((START, LOADING, AVAILABLE), True),
        ((LOADING, AVAILABLE), True),
        ((START, AVAILABLE), False),
        ((START, LOADING), False),
        ((LOADING, START, AVAILABLE), False),
        ((START, LOADING, AVAILABLE, UNLOADING), False),
        ((START, LOADING, END, AVAILABLE), False),
        ((), False),
    ],
)
def test_passes_in_order_and_may_miss_what_is_brief(seen: tuple[State, ...], right: bool) -> None:
    assert Passes("m", 1, (START, LOADING, AVAILABLE), (START,), facts=FACTS).agrees(seen) is right


@pytest.mark.parametrize(
    ("seen", "right"),
    [
        (({1: AVAILABLE}, {2: AVAILABLE, 1: AVAILABLE}, {2: AVAILABLE, 1: END}), True),
        (({1: AVAILABLE}, {2: AVAILABLE, 1: END}), True),
        (({1: AVAILABLE}, {2: LOADING, 1: UNLOADING}, {2: AVAILABLE, 1: END}), False),
        (({1: AVAILABLE}, {1: END}, {2: AVAILABLE, 1: END}), False),
        (({1: AVAILABLE}, {2: AVAILABLE, 1: AVAILABLE}), False),
        ((), False),
    ],
)
def test_precedes_holds_at_every_moment(seen: tuple[dict[int, State], ...], right: bool) -> None:
    check = Precedes("m", Moment(2, AVAILABLE), Moment(1, UNLOADING), facts=FACTS)
    assert check.agrees(seen) is right


def test_logs_counts_texts_and_patterns() -> None:
    log = "retry: 1\nretry: 2\ndone (retry)\n"
    assert Logs("a", "(retry)", facts=FACTS).found(log) == 1
    assert Logs("a", re.compile(r"retry: \d"), facts=FACTS).found(log) == 2
    assert Logs("a", "never", facts=FACTS).found(log) == 0
