"""Small figures: where time went, what the machine spent, how two runs compare, how a figure moved."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reports import svg, units
from reports.charts import COLOURS, NARROW, WIDE, Figure, Key
from reports.comparison import NOISE, Change, Direction
from reports.load import CEILING_SHARE, Load
from reports.record import Usage

_ROW = 26.0


def split(load: Load) -> Figure | None:
    """The mean service time as one bar: TensorFlow, the rest of the server, everything around it."""
    if load.split is None:
        return None
    parts = (
        ("f0", "k0", "TensorFlow", load.split.runtime_us),
        ("f1", "k1", "rest of the server", load.split.server_us),
        ("f2", "k2", "client, network, queues", load.split.outside_us),
    )
    whole = sum(part[3] for part in parts)
    if not whole:
        return None

    def draw(width: float) -> Markup:
        scale = svg.Scale(0, whole, 0, width)
        drawn, left = [], 0.0
        for style, _, _, value in parts:
            if value:
                drawn.append(
                    svg.tag(
                        "rect", x=scale(left), y=0, width=scale(value) - scale(0), height=28, class_=style
                    )
                )
            left += value
        return svg.picture(
            width, 28, "Where the mean service time went; the numbers follow as a table", drawn
        )

    return Figure(
        title="Where the time went",
        note=f"Mean service time, split by the server's own counters over "
        f"{units.count(load.split.requests)} requests.",
        wide=draw(WIDE),
        narrow=draw(NARROW),
        keys=tuple(
            Key(key, f"{name} {units.duration_us(value)} ({units.share(value, whole)})")
            for _, key, name, value in parts
        ),
        head=tuple(part[2] for part in parts),
        rows=(tuple(units.duration_us(part[3]) for part in parts),),
    )


def ceiling(load: Load) -> Figure | None:
    """The highest rate of the run against what the generator can do."""
    share = load.ceiling_share
    if share is None:
        return None

    def draw(width: float) -> Markup:
        scale = svg.Scale(0, max(1.0, share), 0, width)
        limit = scale(CEILING_SHARE)
        parts = [
            svg.tag("rect", x=0, y=0, width=width, height=28, class_="fnone"),
            svg.tag("rect", x=0, y=0, width=scale(share), height=28, class_="f0"),
            svg.tag("line", x1=limit, x2=limit, y1=0, y2=34, class_="limit"),
            svg.text(f"{CEILING_SHARE:.0%}: results beyond are invalid", limit - 4, 46, anchor="end"),
        ]
        return svg.picture(width, 50, "Highest rate against the generator's ceiling", parts)

    known = ", ".join(
        f"{units.rate(most)} over {'gRPC' if protocol == 'grpc' else protocol.upper() or 'both protocols'}"
        for protocol, most in sorted(load.ceilings.items())
    )
    return Figure(
        title="The generator's own limit",
        note=f"The busiest step took {units.percent(share)} of what this generator can do: {known} against a "
        "server that does nothing.",
        wide=draw(WIDE),
        narrow=draw(NARROW),
    )


def usage(run_usage: Sequence[Usage]) -> Figure | None:
    """Processor time of server and generator over the run; memory goes into the table."""
    by_who: dict[str, list[Usage]] = {}
    for each in run_usage:
        by_who.setdefault(each.who, []).append(each)
    measured = {
        who: [(each.t, each.cpu_percent) for each in some if each.cpu_percent is not None]
        for who, some in sorted(by_who.items())[:COLOURS]
    }
    measured = {who: points[:: -(-len(points) // 600)] for who, points in measured.items() if len(points) > 1}
    if not measured:
        return None

    def draw(width: float) -> Markup:
        right = width - 70
        times = [t for points in measured.values() for t, _ in points]
        x = svg.Scale(min(times), max(max(times), min(times) + 1), 62, right)
        y = svg.linear([cpu for points in measured.values() for _, cpu in points], 136, 28)
        plot = svg.Plot(62, 28, right, 136, x, y)
        parts = plot.y_axis("processor", lambda value: f"{svg.plain(value)} %", most=4)
        parts += plot.x_axis("seconds since the start", svg.plain, most=8 if width == WIDE else 4)
        ends = []
        for index, (who, points) in enumerate(measured.items()):
            drawn = [plot.at(*point) for point in points]
            parts.append(svg.polyline(drawn, f"line c{index}"))
            ends.append((drawn[-1][1], who))
        parts += svg.end_labels(ends, right + 6)
        return svg.picture(width, 180, "Processor time over the run; the numbers follow as a table", parts)

    return Figure(
        title="What it took",
        note="100 % is one core.",
        wide=draw(WIDE),
        narrow=draw(NARROW),
        keys=tuple(Key(f"k{index}", who) for index, who in enumerate(measured)),
        head=("who", "mean processor", "highest", "memory at the end"),
        rows=tuple(
            (
                who,
                f"{svg.plain(sum(cpu for _, cpu in points) / len(points))} %",
                f"{svg.plain(max(cpu for _, cpu in points))} %",
                next((units.size(each.rss_bytes) for each in reversed(by_who[who]) if each.rss_bytes), "–"),
            )
            for who, points in measured.items()
        ),
    )


def forest(changes: Sequence[Change]) -> Figure | None:
    """Relative changes with their intervals, one row each, around a line at no change."""
    shown = [change for change in changes if change.interval is not None][:60]
    if not shown:
        return None
    ends = [end for change in shown for end in (change.interval or ())]

    def draw(width: float) -> Markup:
        height = 40 + _ROW * len(shown)
        names = 190.0 if width == WIDE else 128.0
        low, high = max(-1.0, min(-2 * NOISE, *ends) * 1.08), min(3.0, max(2 * NOISE, *ends) * 1.08)
        plot = svg.Plot(
            names, 8, width - 14, height - 32, svg.Scale(low, high, names, width - 14), svg.Scale(0, 1, 0, 1)
        )
        parts = [
            svg.tag(
                "rect",
                x=plot.x(-NOISE),
                y=plot.top,
                width=plot.x(NOISE) - plot.x(-NOISE),
                height=plot.bottom - plot.top,
                class_="band",
            ),
            svg.tag("line", x1=plot.x(0), x2=plot.x(0), y1=plot.top, y2=plot.bottom, class_="base"),
        ]
        parts += plot.x_axis(
            "relative change, 99 % interval",
            lambda value: f"{value * 100:+.3g} %" if value else "0",
            most=6 if width == WIDE else 3,
        )
        for index, change in enumerate(shown):
            y = plot.top + _ROW * (index + 0.5)
            name = f"{change.endpoint}, {change.figure}"
            room = int((names - 8) / 6.3)
            parts.append(
                svg.text(name if len(name) <= room else f"…{name[1 - room :]}", 0, y + 4, class_="label")
            )
            style = {Direction.BETTER: "better", Direction.WORSE: "worse"}.get(change.direction, "same")
            left, right = (plot.x(end) for end in change.interval or (0, 0))
            parts.append(svg.tag("line", x1=left, x2=right, y1=y, y2=y, class_=f"whisker {style}"))
            middle = plot.x(change.after / change.before - 1) if change.before else (left + right) / 2
            parts.append(svg.tag("circle", cx=middle, cy=y, r=4, class_=f"point {style}"))
        return svg.picture(width, height, "Relative changes; the numbers follow as a table", parts)

    return Figure(
        title="Changes and how sure they are",
        note=f"The band is ±{NOISE:.0%}, too small to matter. A bar across the middle: no change detected.",
        wide=draw(WIDE),
        narrow=draw(NARROW),
    )


def history(points: Sequence[tuple[str, float]], unit: str) -> Figure | None:
    """One figure over several runs, in order; None with fewer than two. Units: ``us``, ``/s``, or none."""
    if len(points) < 2:
        return None

    def shown(value: float) -> str:
        if unit == "us":
            return units.duration_us(value)
        if unit == "/s":
            return units.rate(value)
        return units.count(value) if value.is_integer() else ""

    def draw(width: float) -> Markup:
        x = svg.Scale(0, len(points) - 1, 70, width - 16)
        y = svg.linear([value for _, value in points], 116, 14)
        plot = svg.Plot(62, 14, width - 8, 116, x, y)
        parts = plot.y_axis("", shown, most=4)
        line = [plot.at(index, value) for index, (_, value) in enumerate(points)]
        parts.append(svg.polyline(line, "line c0"))
        parts += [svg.tag("circle", cx=cx, cy=cy, r=3, class_="dot c0") for cx, cy in line]
        parts.append(svg.text(points[0][0], 62, 136))
        parts.append(svg.text(points[-1][0], width - 8, 136, anchor="end"))
        return svg.picture(width, 142, "One figure over several runs; the numbers follow as a table", parts)

    return Figure(
        title="",
        note="",
        wide=draw(WIDE),
        narrow=draw(NARROW),
        head=("run", "value"),
        rows=tuple((name, shown(value)) for name, value in points),
    )
