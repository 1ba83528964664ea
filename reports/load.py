"""What a load run shows: rates, percentiles with their uncertainty, swaps, the server's own share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reports import bootstrap
from reports.conformance import natural
from reports.histogram import Histogram
from reports.proportion import Interval, binomial_interval, percentile_confidence
from reports.record import Event, Run
from reports.windows import Answerer, Cell, Timeline, total

#: The percentiles that tables show, with their names.
QUANTILES = {0.5: "p50", 0.9: "p90", 0.99: "p99", 0.999: "p99.9"}
#: Above this share of its own ceiling a generator measures itself.
CEILING_SHARE = 0.7
#: Events that change which versions answer.
SWAPS = frozenset({"publish", "withdraw", "replace", "rename", "reload", "label", "swap"})
#: Further swaps are left out of the figures.
MAX_SWAPS = 100
_AROUND_S = 5.0
_LIMIT = re.compile(r"\bp(\d{1,2}(?:\.\d+)?)\s*<=?\s*(\d+(?:\.\d+)?)\s*(us|ms|s)\b")
_UNIT_US = {"us": 1.0, "ms": 1e3, "s": 1e6}


class Percentile(NamedTuple):
    """A percentile in microseconds; ``interval`` None when there are too few windows to tell its spread."""

    name: str
    value_us: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The figures of one endpoint, or of all together."""

    name: str
    cell: Cell
    percentiles: tuple[Percentile, ...]
    correct: Interval

    @property
    def asked(self) -> int:
        """Requests that were due: answered in any way, or dropped before they could be sent."""
        return self.cell.counts["done"] + self.cell.counts["dropped"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A phase of the run and what was measured in it; percentiles None when nothing was."""

    name: str
    offered: float | None
    correct_per_s: float
    p50_us: float | None
    p99_us: float | None


@dataclass(frozen=True, slots=True)
class Swap:
    """A change of versions under load: p99 around it, and seconds to the first answer of the new version.

    ``exact``: the recorder measured reply by reply; otherwise the figures are read from windows.
    """

    event: Event
    before_us: float | None
    during_us: float | None
    after_us: float | None
    first_answer_s: float | None
    bad: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Where a request's mean time went, in microseconds: TensorFlow, the rest of the server, around it."""

    runtime_us: float
    server_us: float
    outside_us: float
    requests: float


class Limit(NamedTuple):
    """A latency objective: a percentile, by name and in 0..1, and what it may be in microseconds."""

    name: str
    quantile: float
    limit_us: float


@dataclass(frozen=True, slots=True)
class Load:
    """A load run, ready to be drawn. ``steps[i]`` begins at ``start_s + i * step_s``."""

    run: Run
    whole: Endpoint
    endpoints: tuple[Endpoint, ...]
    start_s: float
    step_s: float
    steps: tuple[Cell, ...]
    stages: tuple[Stage, ...]
    swaps: tuple[Swap, ...]
    answerers: tuple[Answerer, ...]
    gap_s: float
    split: Split | None
    ceilings: Mapping[str, float]
    ceiling_share: float | None
    limits: tuple[Limit, ...]

    def confidence(self, limit: Limit) -> float:
        """How sure it is that an objective holds, were all replies independent."""
        response = self.whole.cell.response
        return percentile_confidence(response.above(limit.limit_us), response.total, limit.quantile)


def load(run: Run) -> Load:
    """The figures of a load run."""
    windows = run.windows
    timeline = Timeline.of(windows)
    steps = timeline.steps
    whole = total(steps)
    answerers = sorted(whole.versions, key=lambda each: (natural(each.model), natural(each.version)))
    ceilings = {each.protocol: each.ceiling_per_s for each in run.calibrations if each.ceiling_per_s}
    return Load(
        run=run,
        whole=_endpoint("all endpoints", whole, steps),
        endpoints=tuple(
            _endpoint(name, total(cells), cells)
            for name in windows.endpoints
            for cells in (windows.steps_of(name),)
        ),
        start_s=timeline.start_s,
        step_s=windows.step_s,
        steps=tuple(steps),
        stages=tuple(_stages(run, timeline)),
        swaps=tuple(_swaps(run, timeline)),
        answerers=tuple(answerers),
        gap_s=_gap(steps, windows.step_s),
        split=_split(run.server_metrics, whole.service),
        ceilings=ceilings,
        ceiling_share=_ceiling_share(run, ceilings),
        limits=_limits(run.header.options.get("slo")),
    )


def percentiles(whole: Histogram, parts: Sequence[Histogram]) -> tuple[Percentile, ...]:
    """The usual percentiles, with 95 % intervals from resampling blocks of the parts."""
    draws = bootstrap.quantile_draws(bootstrap.blocks_of(parts), tuple(QUANTILES))
    return tuple(
        Percentile(
            name, whole.quantile(quantile), None if draws is None else bootstrap.interval(draws[:, column])
        )
        for column, (quantile, name) in enumerate(QUANTILES.items())
    )


def _endpoint(name: str, cell: Cell, steps: Sequence[Cell]) -> Endpoint:
    asked = cell.counts["done"] + cell.counts["dropped"]
    return Endpoint(
        name=name,
        cell=cell,
        percentiles=percentiles(cell.response, [step.response for step in steps]),
        correct=binomial_interval(min(cell.counts["correct"], asked), asked),
    )


def _stages(run: Run, timeline: Timeline) -> list[Stage]:
    stages = []
    for phase in run.phases:
        cell = total(timeline.between(phase.t, phase.end_s))
        measured = cell.response.total > 0
        stages.append(
            Stage(
                name=phase.name,
                offered=phase.rate,
                correct_per_s=cell.per_second("correct"),
                p50_us=cell.response.quantile(0.5) if measured else phase.p50_us,
                p99_us=cell.response.quantile(0.99) if measured else phase.p99_us,
            )
        )
    return stages


def _swaps(run: Run, timeline: Timeline) -> Iterator[Swap]:
    measured: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for verdict in run.verdicts:
        if verdict.name == "swap":
            key = tuple(str(verdict.detail.get(name) or "") for name in ("name", "model", "version"))
            measured.setdefault((key[0], key[1], key[2]), []).append(verdict.detail)
    for event in [event for event in run.events if event.name in SWAPS][:MAX_SWAPS]:
        recorded = measured.get((event.name, event.model, event.version))
        yield _measured(event, recorded.pop(0)) if recorded else _swap(event, timeline)


def _measured(event: Event, detail: Mapping[str, Any]) -> Swap:
    def number(name: str) -> float | None:
        value = detail.get(name)
        return float(value) if isinstance(value, (int, float)) else None

    return Swap(
        event=event,
        before_us=number("p99_before_us"),
        during_us=number("p99_during_us"),
        after_us=number("p99_after_us"),
        first_answer_s=number("first_answer"),
        bad=int(number("bad") or 0),
        exact=True,
    )


def _swap(event: Event, timeline: Timeline) -> Swap:
    def p99(start: float, end: float) -> int | None:
        merged = total(timeline.between(start, end)).response
        return merged.quantile(0.99) if merged.total else None

    half_step = timeline.step_s / 2
    during = total(timeline.between(event.t - half_step, event.t + _AROUND_S))
    return Swap(
        event=event,
        before_us=p99(event.t - half_step - _AROUND_S, event.t - half_step),
        during_us=p99(event.t - half_step, event.t + _AROUND_S),
        after_us=p99(event.t + _AROUND_S, event.t + 2 * _AROUND_S),
        first_answer_s=_first_answer(event, timeline),
        bad=during.counts["wrong"] + during.counts["failed"],
    )


def _first_answer(event: Event, timeline: Timeline) -> float | None:
    """Seconds from an event to the end of the first window with an answer from the version it brought."""
    if event.name not in ("publish", "swap", "replace") or not event.version:
        return None
    for step, cell in enumerate(timeline.steps, 1):
        end = timeline.start_s + step * timeline.step_s
        if end > event.t and any(
            answerer.version == event.version and (not event.model or answerer.model in ("", event.model))
            for answerer in cell.versions
        ):
            return end - event.t
    return None


def _gap(steps: Sequence[Cell], step_s: float) -> float:
    """The longest time, in whole windows, in which requests were sent and none was answered correctly."""
    longest = current = 0
    for cell in steps:
        starved = bool(cell.counts["sent"] or cell.counts["dropped"]) and not cell.counts["correct"]
        current = current + 1 if starved else 0
        longest = max(longest, current)
    return longest * step_s


def _ceiling_share(run: Run, ceilings: Mapping[str, float]) -> float | None:
    """How much of what the generator can do the busiest step took; shares of several protocols add up."""
    if not ceilings:
        return None
    lowest = min(ceilings.values())
    shares: dict[int, float] = {}
    for endpoint, cells in run.windows.cells.items():
        ceiling = ceilings.get(run.windows.protocols[endpoint], lowest)
        for step, cell in cells.items():
            shares[step] = shares.get(step, 0.0) + cell.per_second("done") / ceiling
    return max(shares.values(), default=0.0)


def _limits(slo: object) -> tuple[Limit, ...]:
    """The latency objectives in the run's option ``--slo``, such as ``p99<20ms, errors<0.1%``."""
    found = _LIMIT.findall(slo) if isinstance(slo, str) else []
    return tuple(
        Limit(f"p{percent}", float(percent) / 100, float(number) * _UNIT_US[unit])
        for percent, number, unit in found
    )


def _split(metrics: Mapping[str, float], service: Histogram) -> Split | None:
    requests = metrics.get("request_latency_count") or metrics.get("request_count", 0.0)
    if not requests or not service.total:
        return None
    inside = metrics.get("request_latency_sum_us", 0.0) / requests
    runs = metrics.get("runtime_latency_count") or requests
    runtime = min(metrics.get("runtime_latency_sum_us", 0.0) / runs, inside)
    return Split(runtime, inside - runtime, max(service.mean - inside, 0.0), requests)
