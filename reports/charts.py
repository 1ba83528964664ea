"""The figures of a load run: each drawn for wide and for narrow screens, with its numbers as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports import svg, units
from reports.histogram import Histogram
from reports.load import CEILING_SHARE, QUANTILES, Load
from reports.svg import Plot, Point
from reports.windows import Answerer, Cell

WIDE, NARROW = 640.0, 340.0
#: So many versions have a colour of their own; further ones share the last.
COLOURS = 6


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a figure's legend; ``style`` is a class of the page's style sheet."""

    style: str
    name: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn figure. ``rows`` under ``head`` hold its numbers for those who cannot see it."""

    title: str
    note: str
    wide: Markup
    narrow: Markup
    keys: tuple[Key, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def name_of(answerer: Answerer, answerers: Iterable[Answerer]) -> str:
    """``version 2``, with the model's name where several models answer."""
    several = len({each.model for each in answerers}) > 1
    return f"{answerer.model} {answerer.version}" if several else f"version {answerer.version}"


def curve(loads: Sequence[tuple[str, Load]]) -> Figure | None:
    """Latency against the rate of correct answers, a point a stage; None with fewer than two stages."""
    # By rate, not by time: a search for the peak goes back and forth.
    drawn = [
        (
            name,
            load,
            sorted(
                (stage for stage in load.stages if stage.p50_us and stage.p99_us),
                key=lambda stage: stage.offered or stage.correct_per_s,
            ),
        )
        for name, load in loads
    ]
    drawn = [each for each in drawn if len(each[2]) > 1]
    if not drawn:
        return None
    stages = [stage for _, _, stages in drawn for stage in stages]
    limits = [limit for _, load, _ in drawn for limit in load.limits[:1]]

    def draw(width: float) -> Markup:
        plot = _plot(
            width,
            300,
            svg.linear((stage.correct_per_s for stage in stages), 0, 1),
            svg.logarithmic(
                [us for stage in stages for us in (stage.p50_us or 0, stage.p99_us or 0)]
                + [limit.limit_us for limit in limits],
                0,
                1,
            ),
            right=62,
        )
        parts = plot.y_axis("latency from the intended start", units.duration_us)
        parts += plot.x_axis("correct answers per second", svg.plain, most=7 if width == WIDE else 4)
        for limit in limits[:1]:
            parts += plot.level(limit.limit_us, f"SLO {limit.name} {units.duration_us(limit.limit_us)}")
        ends = []
        for index, (_, load, reached) in enumerate(drawn):
            used = set(load.run.windows.protocols.values())
            ceiling = load.ceilings.get(used.pop()) if len(used) == 1 else None
            if ceiling and ceiling * CEILING_SHARE < plot.x.high:
                parts += plot.mark(
                    ceiling * CEILING_SHARE, f"{CEILING_SHARE:.0%} of generator", class_="limit"
                )
            for label, dash in (("p99", ""), ("p50", " dashed")):
                points = [
                    plot.at(stage.correct_per_s, (stage.p99_us if label == "p99" else stage.p50_us) or 0)
                    for stage in reached
                ]
                parts.append(svg.polyline(points, f"line c{index % COLOURS}{dash}"))
                parts += [
                    svg.tag("circle", cx=x, cy=y, r=3, class_=f"dot c{index % COLOURS}") for x, y in points
                ]
                if index == 0:  # the other runs' lines are dashed alike
                    ends.append((points[-1][1], label))
        parts += svg.end_labels(ends, plot.right + 8)
        return svg.picture(width, 300, "Latency against throughput; the numbers follow as a table", parts)

    return Figure(
        title="Throughput and latency",
        note="Each point is a stage of the run. Latency counts from the moment a request was due.",
        wide=draw(WIDE),
        narrow=draw(NARROW),
        keys=_run_keys([name for name, _, _ in drawn]),
        head=("run", "stage", "offered", "correct", "p50", "p99"),
        rows=tuple(
            (
                name,
                stage.name,
                units.rate(stage.offered) if stage.offered else "–",
                units.rate(stage.correct_per_s),
                units.duration_us(stage.p50_us or 0),
                units.duration_us(stage.p99_us or 0),
            )
            for name, _, stages in drawn
            for stage in stages
        ),
    )


def spectrum(loads: Sequence[tuple[str, Load]]) -> Figure | None:
    """The whole distribution on a tail axis, response and service time; None when nothing was measured."""
    lines = [
        (index, name, word, histogram)
        for index, (name, load) in enumerate(loads)
        for word, histogram in (("response", load.whole.cell.response), ("service", load.whole.cell.service))
        if histogram.total
    ]
    if not lines:
        return None
    deepest = math.log10(max(histogram.total for _, _, _, histogram in lines))
    curves = [_tail(histogram) for _, _, _, histogram in lines]

    def draw(width: float) -> Markup:
        values = [us for points in curves for _, us in points]
        scale = svg.logarithmic if max(values) > 20 * max(1, min(values)) else svg.linear
        plot = _plot(
            width,
            300,
            svg.Scale(0, max(deepest, 1.0), 0, 1),
            scale(values, 0, 1),
            right=62,
        )
        quantiles = [(1 - 10.0**-nines, nines) for nines in range(1, int(deepest) + 1)]
        ticks = [(0.0, "0 %"), (math.log10(2), "50 %"), *((nines, _nines(nines)) for _, nines in quantiles)]
        names = dict(ticks)
        parts = plot.y_axis("latency", units.duration_us)
        parts += plot.x_axis(
            "share of answers at most this slow", names.__getitem__, at=[tick for tick, _ in ticks]
        )
        for load in (load for _, load in loads[:1]):
            for limit in load.limits[:1]:
                if plot.y.low < limit.limit_us < plot.y.high:
                    parts += plot.level(limit.limit_us, f"SLO {limit.name}")
        ends = []
        for (index, _, word, _), points in zip(lines, curves, strict=True):
            drawn = [plot.at(*point) for point in points]
            dash = "" if word == "response" else " dashed"
            parts.append(svg.polyline(drawn, f"line c{index % COLOURS}{dash}"))
            if index == 0:  # the other runs' lines are dashed alike
                ends.append((drawn[-1][1], word))
        parts += svg.end_labels(ends, plot.right + 6)
        return svg.picture(width, 300, "Percentile spectrum; the numbers follow as a table", parts)

    return Figure(
        title="Percentile spectrum",
        note="Response time counts from when a request was due, service time from when it was sent. "
        "Where they part, requests waited for a free connection.",
        wide=draw(WIDE),
        narrow=draw(NARROW),
        keys=_run_keys([name for name, _ in loads]),
        head=("run", "time", *QUANTILES.values(), "max", "answers"),
        rows=tuple(
            (
                name,
                word,
                *(units.duration_us(histogram.quantile(quantile)) for quantile in QUANTILES),
                units.duration_us(histogram.highest),
                units.count(histogram.total),
            )
            for _, name, word, histogram in lines
        ),
    )


def timeline(load: Load) -> Figure | None:
    """Latency and answers over time, coloured by the version that answered, swaps marked."""
    if not any(cell.counts["done"] for cell in load.steps):
        return None
    at = [load.start_s + index * load.step_s for index in range(len(load.steps))]
    end = at[-1] + load.step_s
    colour = {each: min(index, COLOURS - 1) for index, each in enumerate(load.answerers)}

    headroom = 16.0 if load.swaps else 0.0

    def draw(width: float) -> Markup:
        measured = [cell.response for cell in load.steps if cell.response.total]
        x = svg.Scale(at[0], end, 0, 1)
        upper = _plot(
            width,
            250,
            x,
            svg.logarithmic([h.quantile(q) for h in measured for q in (0.5, 0.99)], 0, 1),
            headroom=headroom,
            right=48,
            bottom=12,
        )
        lower = _plot(
            width,
            450,
            x,
            svg.linear([max(_asked(cell), cell.offered / (cell.seconds or 1)) for cell in load.steps], 0, 1),
            top=282,
            right=48,
        )
        parts = upper.y_axis("latency", units.duration_us)
        ends = []
        for label, quantile, style in (("p99", 0.99, "line ink"), ("p50", 0.5, "line ink dashed")):
            runs = _unbroken(load.steps, at, _latency(quantile), load.step_s)
            drawn = [[upper.at(*point) for point in points] for points in runs]
            parts += [svg.polyline(points, style) for points in drawn]
            if drawn:
                ends.append((drawn[-1][-1][1], label))
        parts += svg.end_labels(ends, upper.right + 6)
        parts += lower.y_axis("answers per second", svg.plain, most=4)
        parts += _stack(lower, load, at, colour)
        offered = _unbroken(load.steps, at, lambda cell: cell.offered / cell.seconds, load.step_s)
        parts += [svg.polyline([lower.at(*point) for point in points], "line ink thin") for points in offered]
        parts += lower.x_axis("seconds since the start", svg.plain, most=8 if width == WIDE else 4)
        parts += _swap_marks(load, upper, lower)
        return svg.picture(width, 450, "Latency and answers over time; the numbers follow as a table", parts)

    keys = [Key(f"k{colour[each]}", name_of(each, load.answerers)) for each in load.answerers[:COLOURS]]
    if len(load.answerers) > COLOURS:
        keys[-1] = Key(f"k{COLOURS - 1}", f"{len(load.answerers) - COLOURS + 1} further versions")
    return Figure(
        title="Over time",
        note=f"Steps of {units.duration_s(load.step_s)}. The thin line is the rate that was offered."
        + (" Numbers on top: the changes of versions in the table below." if load.swaps else ""),
        wide=draw(WIDE),
        narrow=draw(NARROW),
        keys=(*keys, Key("kbad", "wrong, failed or dropped")),
        head=("second", "offered", "correct", "bad", "p50", "p99", "answered by"),
        rows=tuple(
            (
                units.digits(start),
                units.rate(cell.offered / cell.seconds) if cell.offered else "–",
                units.rate(cell.per_second("correct")),
                units.count(_bad(cell)),
                units.duration_us(cell.response.quantile(0.5)),
                units.duration_us(cell.response.quantile(0.99)),
                ", ".join(name_of(each, load.answerers) for each in load.answerers if cell.versions[each]),
            )
            for start, cell in zip(at, load.steps, strict=True)
            if cell.seconds
        ),
    )


def _swap_marks(load: Load, upper: Plot, lower: Plot) -> list[Markup]:
    """A line through both plots at each change of versions; one number where there is room for one only."""
    parts, groups = [], [list[int]()]
    for number, swap in enumerate(load.swaps):
        x = upper.x(swap.event.t)
        parts += [
            svg.tag("line", x1=x, x2=x, y1=plot.top, y2=plot.bottom, class_="mark") for plot in (upper, lower)
        ]
        if groups[-1] and x - upper.x(load.swaps[groups[-1][0]].event.t) > 26:
            groups.append([])
        groups[-1].append(number)
    for group in filter(None, groups):
        x = upper.x(load.swaps[group[0]].event.t)
        label = f"{group[0] + 1}" if len(group) == 1 else f"{group[0] + 1}–{group[-1] + 1}"
        parts.append(svg.text(label, x, upper.top - 5, anchor="middle", class_="label"))
    return parts


def _stack(plot: Plot, load: Load, at: Sequence[float], colour: dict[Answerer, int]) -> list[Markup]:
    """Answers per step, stacked by version; what was not answered rightly on top."""
    parts = []
    for start, cell in zip(at, load.steps, strict=True):
        floor = 0.0
        layers = [(f"f{colour[each]}", cell.versions[each]) for each in load.answerers]
        unattributed = cell.counts["correct"] - sum(count for _, count in layers)
        for style, count in (*layers, ("fnone", unattributed), ("fbad", _bad(cell))):
            if count <= 0 or not cell.seconds:
                continue
            roof = floor + count / cell.seconds
            left, right = plot.x(start), plot.x(start + load.step_s)
            parts.append(
                svg.tag(
                    "rect",
                    x=left,
                    y=min(plot.y(roof), plot.y(floor) - 2) if style == "fbad" else plot.y(roof),
                    width=max(right - left - (0.6 if right - left > 3 else 0), 0.4),
                    # A few failures among thousands of answers must still be seen.
                    height=max(plot.y(floor) - plot.y(roof), 2 if style == "fbad" else 0.4),
                    class_=style,
                )
            )
            floor = roof
    return parts


def _latency(quantile: float) -> Callable[[Cell], float]:
    return lambda cell: cell.response.quantile(quantile)


def _unbroken(
    steps: Sequence[Cell], at: Sequence[float], value: Callable[[Cell], float], step_s: float
) -> list[list[Point]]:
    """Points in the middle of each step, in stretches without a gap."""
    stretches: list[list[Point]] = [[]]
    for start, cell in zip(at, steps, strict=True):
        if cell.seconds and (number := value(cell)) > 0:
            stretches[-1].append((start + step_s / 2, number))
        elif stretches[-1]:
            stretches.append([])
    return [points for points in stretches if points]


def _tail(histogram: Histogram) -> list[Point]:
    """(nines, microseconds) along the tail axis log10(1/(1-q)), as deep as one answer in all."""
    deepest = math.log10(histogram.total)
    steps = max(2, int(deepest * 24))
    nines = [deepest * step / steps for step in range(steps)]
    points = [(depth, float(histogram.quantile(1 - 10.0**-depth))) for depth in nines]
    return [*points, (deepest, float(histogram.highest))]


def _nines(count: int) -> str:
    return {1: "90 %", 2: "99 %"}.get(count, f"99.{'9' * (count - 2)} %")


def _plot(
    width: float,
    height: float,
    x: svg.Scale,
    y: svg.Scale,
    *,
    top: float = 28,
    headroom: float = 0,
    right: float = 16,
    bottom: float = 44,
) -> Plot:
    left = 62.0
    return Plot(
        left=left,
        top=top + headroom,
        headroom=headroom,
        right=width - right,
        bottom=height - bottom,
        x=svg.Scale(x.low, x.high, left, width - right, x.log),
        y=svg.Scale(y.low, y.high, height - bottom, top + headroom, y.log),
    )


def _run_keys(names: Sequence[str]) -> tuple[Key, ...]:
    if len(names) < 2:
        return ()
    return tuple(Key(f"k{index % COLOURS}", name) for index, name in enumerate(names))


def _asked(cell: Cell) -> float:
    return cell.per_second("done") + cell.per_second("dropped")


def _bad(cell: Cell) -> int:
    return cell.counts["wrong"] + cell.counts["failed"] + cell.counts["dropped"]
