"""What all processes together measured in a phase: their windows added up, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.loadgen import histograms
from harness.loadgen.collector import Endpoint, Seen
from harness.loadgen.plan import Phase
from harness.loadgen.steady import Point
from harness.loadgen.tally import Tally


class Window(NamedTuple):
    """One endpoint during window ``number``."""

    number: int
    endpoint: Endpoint
    tally: Tally


class Results:
    """A phase as it comes in from its workers."""

    def __init__(self, phase: Phase, window: float) -> None:
        self.phase = phase
        self.window = window
        self.seen: dict[tuple[str, str], Seen] = {}
        self.lag = histograms.new()
        #: Each worker's use of one core, 1 = all of it.
        self.cpu: dict[str, float] = {}
        #: How long the phase took, as far as that is known.
        self.seconds = phase.length
        #: Whether the master had it stopped because there was no hope for it.
        self.abandoned = False
        #: Whether somebody else had it stopped.
        self.cut_short = False
        self._lengths: list[float] = []
        self._tallies: dict[tuple[int, Endpoint], Tally] = {}
        self._written = -1
        self._silences: dict[str, list[list[tuple[float, float]]]] = {}

    @property
    def complete(self) -> bool:
        """Whether every worker has finished."""
        return not self.missing

    @property
    def missing(self) -> set[str]:
        """The workers that have not finished."""
        return set(self.phase.workers) - set(self.cpu)

    def add_windows(self, message: Mapping[str, Any]) -> None:
        """Take the windows that a worker sends."""
        for index, endpoint, data in message["windows"]:
            key = (index, Endpoint(*endpoint))
            tally = data if isinstance(data, Tally) else Tally.from_message(data)
            if key in self._tallies:
                self._tallies[key].add(tally)
            else:
                self._tallies[key] = tally

    def add_done(self, message: Mapping[str, Any]) -> None:
        """Take what a worker says at its end."""
        self.cpu[message["worker"]] = message["cpu"]
        self.cut_short |= message["cut_short"] and not self.abandoned
        self._lengths.append(message["length"])
        self.seconds = max(self._lengths)
        self.lag.add(histograms.decode(message["lag_us"]))
        for model, version, *times in message["seen"]:
            seen = Seen(*times)
            before = self.seen.get((model, version))
            self.seen[model, version] = seen if before is None else before.join(seen)
        for model, silences in message["silences"].items():
            self._silences.setdefault(model, []).append([(begin, end) for begin, end in silences])

    def fresh(self, until: int | None = None) -> list[Window]:
        """The windows before number ``until`` (all if None) that have not been given yet, in order."""
        last = max((index for index, _ in self._tallies), default=-1) if until is None else until - 1
        keys = sorted(key for key in self._tallies if self._written < key[0] <= last)
        self._written = max(self._written, last)
        return [Window(index, endpoint, self._tallies[index, endpoint]) for index, endpoint in keys]

    def windows(self) -> Iterator[Window]:
        """All windows."""
        for (index, endpoint), tally in sorted(self._tallies.items(), key=lambda item: item[0]):
            yield Window(index, endpoint, tally)

    def by_endpoint(self, begin: float = 0.0, end: float = float("inf")) -> dict[str, Tally]:
        """Tallies by endpoint, of the windows that lie between two times of the phase."""
        totals: dict[str, Tally] = {}
        for index, endpoint, tally in self.windows():
            if begin <= index * self.window < end:
                totals.setdefault(endpoint.name, Tally()).add(tally)
        return totals

    def total(self, begin: float = 0.0, end: float = float("inf")) -> Tally:
        """Everything between two times of the phase."""
        return Tally.sum(self.by_endpoint(begin, end).values())

    def points(self) -> list[Point]:
        """Throughput and median by window, without the last one, which is seldom whole."""
        by_index: dict[int, list[Tally]] = {}
        for index, _, tally in self.windows():
            by_index.setdefault(index, []).append(tally)
        points = []
        for index in sorted(by_index)[:-1]:
            tally = Tally.sum(by_index[index])
            p50 = histograms.percentile(tally.response, 50)
            points.append(Point(index * self.window, tally.done, p50))
        return points

    def gaps(self) -> dict[str, tuple[float, float]]:
        """The longest time without a right answer, by model: from when, to when."""
        return {
            model: max(common, key=lambda span: span[1] - span[0])
            for model, silences in self._silences.items()
            if (common := list(_common(silences)))
        }


def _common(several: Sequence[Iterable[tuple[float, float]]]) -> Iterator[tuple[float, float]]:
    """The spans during which all of ``several`` were silent; each is a sorted list of spans."""
    edges = sorted(edge for spans in several for begin, end in spans for edge in ((begin, 1), (end, -1)))
    silent = 0
    since = 0.0
    for moment, change in edges:
        if silent == len(several):
            yield since, moment
        silent += change
        since = moment
