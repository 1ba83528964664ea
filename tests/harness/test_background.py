from __future__ import annotations

import threading
import time

import pytest

from harness.background import Errand, Errands
from harness.checks import Answered, Pending, Returned
from harness.client import Exchange, Refusal
from harness.terms import Code
from harness.verdict import Mismatch

FACTS = ("1",)


def await_done(errand: Errand[int]) -> None:
    deadline = time.monotonic() + 10
    while not errand.done:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_errand_has_no_result_before_it_is_done() -> None:
    gate = threading.Event()

    def call() -> int:
        assert gate.wait(10)
        return 7

    errand = Errand(call, [])
    assert (errand.done, errand.result()) == (False, None)
    gate.set()
    await_done(errand)
    assert errand.result() == 7


def test_what_went_wrong_is_raised_again() -> None:
    def call() -> int:
        raise Refusal("no", code=Code.NOT_FOUND)

    errand = Errand(call, [])
    await_done(errand)
    for _ in range(2):
        with pytest.raises(Refusal, match="no"):
            errand.result()


@pytest.mark.parametrize(
    ("failure", "holds"),
    [
        (None, {Returned("e", facts=FACTS), Answered("e", facts=FACTS)}),
        (Refusal("no", code=Code.NOT_FOUND), {Returned("e", Code.NOT_FOUND, "no", facts=FACTS)}),
        (
            Refusal("late", code=Code.DEADLINE_EXCEEDED),
            {
                Returned("e", Code.DEADLINE_EXCEEDED, "late", facts=FACTS),
                Answered("e", abandoned=True, facts=FACTS),
            },
        ),
    ],
)
def test_checks_on_the_end(failure: Refusal | None, holds: set[Returned | Answered]) -> None:
    gate = threading.Event()

    def call(_: list[Exchange]) -> str:
        assert gate.wait(10)
        if failure is not None:
            raise failure
        return "fine"

    checks: list[Returned | Answered] = [
        Returned("e", facts=FACTS),
        Returned("e", Code.NOT_FOUND, "no", facts=FACTS),
        Returned("e", Code.DEADLINE_EXCEEDED, "late", facts=FACTS),
        Answered("e", facts=FACTS),
        Answered("e", abandoned=True, facts=FACTS),
    ]
    errands = Errands([])
    errands.start("e", call)
    errands.verify(Pending("e", facts=FACTS))
    for check in checks:
        with pytest.raises(Mismatch, match="no answer yet"):
            errands.verify(check)
    gate.set()
    deadline = time.monotonic() + 10
    while holding(errands, Pending("e", facts=FACTS)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert {check for check in checks if holding(errands, check)} == holds


def holding(errands: Errands, check: Pending | Returned | Answered) -> bool:
    try:
        errands.verify(check)
    except Mismatch:
        return False
    return True
