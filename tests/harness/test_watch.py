from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from harness.client import Refusal, Unreachable, VersionStatus
from harness.terms import Code, State
from harness.verdict import Mismatch
from harness.watch import Drain, Stream


def played(outcomes: list[int | Exception]) -> Stream:
    """A stream that has met ``outcomes``, the last one over and over."""
    reached = threading.Event()
    rest: Iterator[int | Exception] = iter(outcomes)

    def ask() -> int:
        outcome = next(rest, None)
        if outcome is None:
            reached.set()
            outcome = outcomes[-1]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    stream = Stream(ask, [])
    assert reached.wait(10)
    stream.stop()
    return stream


@pytest.mark.parametrize("outcomes", [[1, 1, 2, 2], [2, 2], [1, 2]])
def test_an_orderly_handover(outcomes: list[int | Exception]) -> None:
    played(outcomes).verify(1, 2)


@pytest.mark.parametrize(
    ("outcomes", "seen"),
    [
        ([1, 1], "x version 1"),
        ([1, Refusal("gone", code=Code.NOT_FOUND), 2], "1 x version 1, then 1 x NOT_FOUND: gone, then"),
        ([1, 2, 1, 2], "1 x version 1, then 1 x version 2, then 1 x version 1, then"),
        ([1, Unreachable("reset"), 2], "then 1 x reset, then"),
        ([1, Mismatch("a", "b"), 2], "actual:   b, then"),
    ],
)
def test_a_handover_that_fails(outcomes: list[int | Exception], seen: str) -> None:
    with pytest.raises(Mismatch) as caught:
        played(outcomes).verify(1, 2)
    assert seen in caught.value.actual


class Reader:
    """A client whose status shows END once ``ended`` is set."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def status(self, model: str) -> tuple[VersionStatus, ...]:
        return (VersionStatus(1, State.END if self.ended.is_set() else State.UNLOADING, Code.OK, ""),)


def drained(ask: Callable[[], int], reader: Reader) -> Drain:
    return Drain(ask, reader, "m", 1, [])  # type: ignore[arg-type]


def verified(drain: Drain) -> None:
    """Verify again and again until it holds or fails for good."""
    for _ in range(500):
        try:
            return drain.verify()
        except Mismatch as error:
            if "no END yet" not in error.actual:
                raise
        threading.Event().wait(0.01)
    raise AssertionError("no END within 5 s")


def test_answer_then_end() -> None:
    reader = Reader()

    def ask() -> int:
        return 1

    drain = drained(ask, reader)
    drain.await_answer()
    with pytest.raises(Mismatch, match="no END yet"):
        drain.verify()
    reader.ended.set()
    verified(drain)
    drain.stop()


def test_end_before_the_answer() -> None:
    reader, release = Reader(), threading.Event()
    reader.ended.set()
    drain = drained(lambda: int(release.wait(10)), reader)
    with pytest.raises(Mismatch, match="no answer yet"):
        drain.verify()
    threading.Event().wait(0.5)  # longer than the slack: the END must be clearly early
    release.set()
    drain.await_answer()
    with pytest.raises(Mismatch, match="before the answer"):
        drain.verify()
    drain.stop()


def test_a_request_that_fails() -> None:
    def ask() -> int:
        raise Refusal("dropped", code=Code.CANCELLED)

    drain = drained(ask, Reader())
    drain.await_answer()
    with pytest.raises(Refusal, match="dropped"):
        drain.verify()
    drain.stop()
