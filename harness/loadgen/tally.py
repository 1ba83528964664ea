"""Counts and latencies of one endpoint over some time: a window, a phase, a whole run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from harness.loadgen import histograms

#: Counters that simply add up.
COUNTS = ("sent", "done", "correct", "wrong", "failed", "dropped", "late", "good")


@dataclass(slots=True)
class Tally:
    """What happened to requests.

    ``done = correct + wrong + failed``. ``wrong``: an answer that differs from the right one;
    ``failed``: an error or none; ``dropped``: due, but never sent because no user was free within the
    patience; ``late``: sent after its time because no user was free; ``good``: correct and within
    the latency objective. ``response`` counts from when a request was due, ``service`` from when it was
    sent. A dropped request enters ``response`` with the time it had waited: without it the figures
    would flatter the server.
    """

    sent: int = 0
    done: int = 0
    correct: int = 0
    wrong: int = 0
    failed: int = 0
    dropped: int = 0
    late: int = 0
    good: int = 0
    versions: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    response: Any = field(default_factory=histograms.new)
    service: Any = field(default_factory=histograms.new)

    def add(self, other: Tally) -> None:
        """Count ``other`` in."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.versions.update(other.versions)
        self.errors.update(other.errors)
        self.response.add(other.response)
        self.service.add(other.service)

    @classmethod
    def sum(cls, tallies: Iterable[Tally]) -> Self:
        """All of ``tallies`` together."""
        total = cls()
        for tally in tallies:
            total.add(tally)
        return total

    @property
    def asked(self) -> int:
        """Requests that came to an end, by an answer, an error or by being dropped."""
        return self.done + self.dropped

    @property
    def bad(self) -> int:
        """Requests that did not get the right answer."""
        return self.wrong + self.failed + self.dropped

    def to_message(self) -> dict[str, Any]:
        """Plain data, for another process and for the record."""
        message: dict[str, Any] = {name: getattr(self, name) for name in COUNTS}
        message["versions"] = dict(self.versions)
        message["errors"] = dict(self.errors)
        message["response_us"] = histograms.encode(self.response)
        message["service_us"] = histograms.encode(self.service)
        return message

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_message`."""
        return cls(
            **{name: message[name] for name in COUNTS},
            versions=Counter(message["versions"]),
            errors=Counter(message["errors"]),
            response=histograms.decode(message["response_us"]),
            service=histograms.decode(message["service_us"]),
        )
