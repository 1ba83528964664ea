"""Adds up what one process measures, in windows of fixed length."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.loadgen import histograms
from harness.loadgen.tally import Tally

#: Times without a right answer are kept if they are longer than this many seconds.
_SILENCE = 0.02


class Endpoint(NamedTuple):
    """What figures are kept for; shown as ``rest predict half_plus_two``."""

    protocol: str
    model: str
    name: str


class Seen(NamedTuple):
    """When a version of a model answered first and last, in seconds from the start, and how often."""

    first: float
    last: float
    answers: int

    def join(self, other: Seen) -> Seen:
        """What both have seen."""
        return Seen(min(self.first, other.first), max(self.last, other.last), self.answers + other.answers)


class Collector:
    """Windows of ``length`` seconds from ``start`` on, each with a tally by endpoint.

    ``bound`` is the latency up to which a correct reply is good (None = any). A request counts as
    sent in the window in which it was sent, everything else in the window in which it ended.
    """

    def __init__(self, start: float, length: float, bound: float | None) -> None:
        self._start = start
        self._length = length
        self._bound = float("inf") if bound is None else bound
        self._windows: dict[int, dict[Endpoint, Tally]] = {}
        self._seen: dict[tuple[str, str], list[Any]] = {}
        self._right: dict[str, float] = {}
        self._paused: frozenset[str] = frozenset()
        self._silences: dict[str, list[tuple[float, float]]] = {}

    def _tally(self, endpoint: Endpoint, moment: float) -> Tally:
        index = max(0, int((moment - self._start) / self._length))
        window = self._windows.get(index)
        if window is None:
            window = self._windows[index] = {}
        tally = window.get(endpoint)
        if tally is None:
            tally = window[endpoint] = Tally()
        return tally

    def sent(self, endpoint: Endpoint, moment: float, late: bool) -> None:
        """A request is sent; ``late`` if it was due before a user was free."""
        tally = self._tally(endpoint, moment)
        tally.sent += 1
        tally.late += late

    def dropped(self, endpoint: Endpoint, due: float, moment: float) -> None:
        """A request that was due at ``due`` will not be sent any more."""
        tally = self._tally(endpoint, moment)
        tally.dropped += 1
        histograms.record(tally.response, moment - due)

    def right(self, endpoint: Endpoint, due: float, sent: float, done: float, version: str) -> None:
        """The right answer came, from ``version`` as far as that can be told."""
        tally = self._ended(endpoint, due, sent, done)
        tally.correct += 1
        if done - due <= self._bound:
            tally.good += 1
        tally.versions[version] += 1
        self._answered(endpoint.model, version, done)

    def wrong(self, endpoint: Endpoint, due: float, sent: float, done: float) -> None:
        """An answer came that is not the right one."""
        tally = self._ended(endpoint, due, sent, done)
        tally.wrong += 1
        tally.errors["WRONG"] += 1

    def failed(self, endpoint: Endpoint, due: float, sent: float, done: float, error: str) -> None:
        """An error came, or nothing; ``error`` is its kind."""
        tally = self._ended(endpoint, due, sent, done)
        tally.failed += 1
        tally.errors[error] += 1

    def _ended(self, endpoint: Endpoint, due: float, sent: float, done: float) -> Tally:
        tally = self._tally(endpoint, done)
        tally.done += 1
        histograms.record(tally.response, done - due)
        histograms.record(tally.service, done - sent)
        return tally

    def _answered(self, model: str, version: str, done: float) -> None:
        seen = self._seen.get((model, version))
        if seen is None:
            self._seen[model, version] = [done, done, 1]
        else:
            seen[1] = done
            seen[2] += 1
        self._note_silence(model, done)
        self._right[model] = done

    def _note_silence(self, model: str, moment: float) -> None:
        """Keep the time since the last right answer, if it was long and there was traffic."""
        before = self._right.get(model, self._start)
        if moment - before > _SILENCE and model not in self._paused:
            self._silences.setdefault(model, []).append((before - self._start, moment - self._start))

    def pause(self, models: frozenset[str], moment: float) -> None:
        """From ``moment`` on ``models``, and no others, get no traffic: their silence means nothing."""
        for model in models - self._paused:
            self._note_silence(model, moment)
        for model in self._paused - models:
            self._right[model] = moment
        self._paused = models

    def take(self, until: float) -> list[tuple[int, Endpoint, Tally]]:
        """Take out the windows that ended by ``until``; they must not be written to again."""
        closed = sorted(i for i in self._windows if self._start + (i + 1) * self._length <= until)
        return [
            (index, endpoint, tally)
            for index in closed
            for endpoint, tally in self._windows.pop(index).items()
        ]

    def seen(self) -> dict[tuple[str, str], Seen]:
        """Who answered when, by model and version, times in seconds from the start."""
        return {
            who: Seen(first - self._start, last - self._start, answers)
            for who, (first, last, answers) in self._seen.items()
        }

    def silences(self, model: str, end: float) -> list[tuple[float, float]]:
        """Times without a right answer of ``model``, in seconds from the start. Call it at the end, once."""
        self._note_silence(model, end)
        return self._silences.get(model, [])
