"""Hands out moments to send at: the one place where all users of a process meet.

In an open loop the users are a bounded pool. Whoever is free takes the next arrival and sends it when it
is due, so a slow server makes arrivals wait for a user, and their response times count from when they
were due. Only the first user in the queue looks at the clock; the others wait for their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from gevent.lock import Semaphore

from harness.loadgen import histograms
from harness.loadgen.clock import Alarm, now

#: An arrival counts as late if no user was free within this many seconds of its time.
LATE = 1e-3


class Slot(NamedTuple):
    """A request to send now: when it was due by :func:`clock.now`, and whether no user was free then."""

    due: float
    late: bool


class Pacer(Protocol):
    """Says when to send. ``lag`` is the histogram of how late the generator itself was."""

    lag: Any

    def next(self) -> Slot | None:
        """Wait until the next request is due; None when there are no more."""
        ...

    def stop(self) -> None:
        """Hand out nothing more."""
        ...


class ClosedLoop:
    """Every user sends as soon as it is free: until ``end``, and until ``minimum`` requests were sent."""

    def __init__(self, end: float, minimum: int = 0) -> None:
        self.lag = histograms.new()
        self._end = end
        self._left = minimum

    def next(self) -> Slot | None:
        """The present moment, as long as the phase lasts."""
        self._left -= 1
        moment = now()
        return Slot(moment, False) if moment < self._end or self._left >= 0 else None

    def stop(self) -> None:
        """Hand out nothing more."""
        self._end = self._left = -1


class OpenLoop:
    """Arrivals of an absolute schedule.

    ``arrivals`` are seconds from ``start``. One for which no user was free within ``patience`` seconds is
    dropped: ``on_drop(due, moment)`` is told.
    """

    def __init__(
        self,
        arrivals: Iterator[float],
        start: float,
        patience: float,
        alarm: Alarm,
        on_drop: Callable[[float, float], None],
    ) -> None:
        self.lag = histograms.new()
        self._arrivals = arrivals
        self._start = start
        self._patience = patience
        self._alarm = alarm
        self._on_drop = on_drop
        self._turn = Semaphore(1)
        self._stopped = False

    def next(self) -> Slot | None:
        """Take the next arrival and wait until it is due."""
        with self._turn:
            for arrival in self._arrivals:
                if self._stopped:
                    return None
                due = self._start + arrival
                moment = now()
                if moment < due:
                    self._alarm.sleep_until(due)
                    if self._stopped:
                        return None
                    histograms.record(self.lag, now() - due)
                    return Slot(due, False)
                if moment - due <= self._patience:
                    return Slot(due, moment - due > LATE)
                self._on_drop(due, moment)
        return None

    def stop(self) -> None:
        """Hand out nothing more; who waits for an arrival is told at once."""
        self._stopped = True
        self._alarm.stop()
