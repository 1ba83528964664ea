"""Load over time: windows of a record, folded into a bounded number of equal steps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from reports import histogram
from reports.histogram import EMPTY, Histogram

#: More steps than this are merged in pairs: a chart shows no more, and memory stays bounded.
MAX_STEPS = 600
#: Further endpoints are counted together.
MAX_ENDPOINTS = 200
OTHERS = "other endpoints"

COUNTS = ("sent", "done", "correct", "wrong", "failed", "dropped", "late", "good")


class Answerer(NamedTuple):
    """The version of a model that gave an answer."""

    model: str
    version: str


@dataclass(slots=True)
class Cell:
    """What happened at one endpoint within some stretch of time.

    ``offered`` is how many requests were due, 0 in a closed loop; ``seconds`` is how long was observed,
    ``until`` when that ended.
    """

    seconds: float = 0.0
    until: float = 0.0
    offered: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    versions: Counter[Answerer] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    response: Histogram = EMPTY
    service: Histogram = EMPTY

    def per_second(self, count: str) -> float:
        """One of ``COUNTS`` as a rate."""
        return self.counts[count] / self.seconds if self.seconds else 0.0


def total(cells: Iterable[Cell], *, seconds: float | None = None) -> Cell:
    """Cells taken together. ``seconds``: what they cover, when they lie side by side rather than in a row."""
    cells = list(cells)
    merged = Cell(
        sum(cell.seconds for cell in cells) if seconds is None else seconds,
        max((cell.until for cell in cells), default=0.0),
        sum(cell.offered for cell in cells),
        response=histogram.merge([cell.response for cell in cells]),
        service=histogram.merge([cell.service for cell in cells]),
    )
    for cell in cells:
        merged.counts.update(cell.counts)
        merged.versions.update(cell.versions)
        merged.errors.update(cell.errors)
    return merged


@dataclass(slots=True)
class Windows:
    """The windows of a run by endpoint and step; step ``i`` covers ``i*step_s`` to ``(i+1)*step_s``."""

    step_s: float = 1.0
    cells: dict[str, dict[int, Cell]] = field(default_factory=dict)
    protocols: dict[str, str] = field(default_factory=dict)
    _started: bool = False

    def add(self, line: Mapping[str, Any]) -> None:
        """Takes in one ``window`` line. Raises ValueError when a histogram in it cannot be read."""
        if not self._started:
            self.step_s, self._started = line["length_s"], True
        # The small lift keeps 3 * 0.1 s in the step that begins there.
        while (step := int(line["t"] / self.step_s + 1e-6)) >= MAX_STEPS:
            self._halve()
        endpoint = line["endpoint"]
        if endpoint not in self.cells and len(self.cells) >= MAX_ENDPOINTS:
            endpoint = OTHERS
        self.protocols.setdefault(endpoint, line.get("protocol") or "")
        steps = self.cells.setdefault(endpoint, {})
        cell = _cell(line)
        present = steps.get(step)
        if present is not None:
            # Windows of one generator follow each other; those of several generators overlap.
            follows = line["t"] >= present.until - 1e-6
            cell = total((present, cell), seconds=None if follows else max(present.seconds, cell.seconds))
        steps[step] = cell

    @property
    def endpoints(self) -> list[str]:
        """The endpoints in a fixed order, those counted together last."""
        return sorted(self.cells, key=lambda name: (name == OTHERS, name))

    @property
    def span(self) -> range:
        """All steps from the first that was observed to the last."""
        steps = [step for cells in self.cells.values() for step in (min(cells), max(cells))]
        return range(min(steps), max(steps) + 1) if steps else range(0)

    def at(self, step: int) -> Cell:
        """All endpoints during one step."""
        cells = [cells[step] for cells in self.cells.values() if step in cells]
        return total(cells, seconds=max((cell.seconds for cell in cells), default=0.0))

    def over_time(self) -> list[Cell]:
        """All endpoints, step by step over the whole span; steps without observation are empty cells."""
        return [self.at(step) for step in self.span]

    def steps_of(self, endpoint: str) -> list[Cell]:
        """One endpoint, step by step; steps without observation are left out."""
        cells = self.cells[endpoint]
        return [cells[step] for step in sorted(cells)]

    def _halve(self) -> None:
        self.step_s *= 2
        for endpoint, cells in self.cells.items():
            pairs: dict[int, list[Cell]] = {}
            for step, cell in cells.items():
                pairs.setdefault(step // 2, []).append(cell)
            self.cells[endpoint] = {step: total(pair) for step, pair in pairs.items()}


class Timeline(NamedTuple):
    """All endpoints over the whole span: ``steps[i]`` begins at ``start_s + i * step_s``."""

    start_s: float
    step_s: float
    steps: list[Cell]

    @classmethod
    def of(cls, windows: Windows) -> Self:
        """The time line of some windows."""
        return cls(windows.span.start * windows.step_s, windows.step_s, windows.over_time())

    def between(self, start_s: float, end_s: float) -> list[Cell]:
        """The steps whose middle lies in a stretch of time."""
        first, last = (max(0, math.ceil((t - self.start_s) / self.step_s - 0.5)) for t in (start_s, end_s))
        return self.steps[first:last]


def _cell(line: Mapping[str, Any]) -> Cell:
    cell = Cell(line["length_s"], line["t"] + line["length_s"], line.get("offered") or 0.0)
    for name in COUNTS:
        if line.get(name):
            cell.counts[name] = line[name]
    model = line.get("model")
    for version, answers in (line.get("versions") or {}).items():
        cell.versions[Answerer(model or "", version)] = answers
    cell.errors.update(line.get("errors") or {})
    for side in ("response", "service"):
        text = line.get(f"{side}_us")
        if text:
            try:
                setattr(cell, side, histogram.decode(text))
            except ValueError as error:
                raise ValueError(f"{side}_us {error}") from None
    return cell
