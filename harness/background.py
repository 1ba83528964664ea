"""Reloads and requests that run in the background while steps happen, and whose end is awaited later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from harness.checks import Answered, Pending, Returned
from harness.client import BadReply, Exchange, Refusal, Unreachable
from harness.terms import Code
from harness.verdict import Mismatch

T = TypeVar("T")


class Errand(Generic[T]):
    """A call in a thread of its own. ``evidence`` will hold its exchange."""

    def __init__(self, call: Callable[[], T], evidence: Sequence[Exchange]) -> None:
        self.evidence = evidence
        self._call = call
        self._result: T | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="errand", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Tell whether it has come back."""
        return not self._thread.is_alive()

    def result(self) -> T | None:
        """What came back; None while nothing has. Raises Mismatch and what the client raised."""
        if self.done and self._failure is not None:
            raise self._failure
        return self._result

    def _work(self) -> None:
        try:
            self._result = self._call()
        except (Mismatch, Refusal, BadReply, Unreachable) as error:
            self._failure = error


class Errands:
    """Errands by name, and the checks that tell how they end.

    A check adds the errand's exchange to ``evidence``. It raises Mismatch where it does not hold, and what
    the client raised.
    """

    def __init__(self, evidence: list[Exchange]) -> None:
        self._evidence = evidence
        self._running: dict[str, Errand[object]] = {}

    def start(self, name: str, call: Callable[[list[Exchange]], object]) -> None:
        """Begin ``call``, which appends its exchange to the list that it is given."""
        evidence: list[Exchange] = []
        self._running[name] = Errand(lambda: call(evidence), evidence)

    def verify(self, check: Pending | Returned | Answered) -> None:
        """Look whether an errand has ended as the check says."""
        errand = self._running[check.id if isinstance(check, Answered) else check.reload]
        self._evidence.extend(errand.evidence)
        if isinstance(check, Pending):
            holds = not errand.done
        else:
            holds = errand.done and _ended_rightly(errand, check)
        if not holds:
            raise Mismatch(str(check), _outcome(errand))


def _ended_rightly(errand: Errand[object], check: Returned | Answered) -> bool:
    try:
        errand.result()
    except Refusal as refusal:
        if isinstance(check, Answered):
            return check.abandoned and refusal.code is Code.DEADLINE_EXCEEDED
        return refusal.agrees(check.code, check.text)
    return not check.abandoned if isinstance(check, Answered) else check.code is Code.OK


def _outcome(errand: Errand[object]) -> str:
    """How an errand ended, in words."""
    try:
        errand.result()
    except (Mismatch, Refusal, BadReply, Unreachable) as error:
        return str(error)
    return "it succeeded" if errand.done else "no answer yet"
