"""What runs in the background while steps happen: reloads and requests whose end is awaited later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from harness.client import BadReply, Exchange, Refusal, Unreachable
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
