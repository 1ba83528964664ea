"""Drawing of plots as inline SVG: scales, ticks, axes, lines. Colours come from the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports import units

Point = tuple[float, float]
_CHARACTER = 6.3  # width of a character at the plots' font size, generously


def tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """An element, its texts escaped; underscores in attribute names become hyphens."""
    written = Markup("").join(
        Markup(' {}="{}"').format(
            key.rstrip("_").replace("_", "-"), value if isinstance(value, str) else _number(value)
        )
        for key, value in attributes.items()
    )
    inside = Markup("").join(children)
    return Markup(f"<{name}{written}>{inside}</{name}>") if inside else Markup(f"<{name}{written}/>")


def text(words: str, x: float, y: float, *, anchor: str = "start", class_: str = "tick") -> Markup:
    """A line of text; ``anchor`` is ``start``, ``middle`` or ``end``."""
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def polyline(points: Iterable[Point], class_: str) -> Markup:
    """A line through points."""
    return tag("polyline", points=" ".join(f"{_number(x)},{_number(y)}" for x, y in points), class_=class_)


def picture(width: float, height: float, label: str, parts: Iterable[str]) -> Markup:
    """A whole picture with its text alternative."""
    return tag(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        role="img",
        aria_label=label,
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from ``low``..``high`` to pixels ``start``..``end``, by logarithm if ``log``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; values outside stay on the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """At most about ``most`` round values within the scale."""
        return _log_ticks(self.low, self.high, most) if self.log else _ticks(self.low, self.high, most)


def linear(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale from 0 that holds all values, none of them negative, with a little air."""
    return Scale(0, 1.05 * max(values, default=0.0) or 1.0, start, end)


def logarithmic(values: Iterable[float], start: float, end: float) -> Scale:
    """A logarithmic scale that holds all positive values and at least a factor of four."""
    kept = [value for value in values if value > 0] or [1.0]
    low, high = min(kept) / 1.15, max(kept) * 1.15
    if high / low < 4:
        middle = math.sqrt(low * high)
        low, high = middle / 2, middle * 2
    return Scale(low, high, start, end, log=True)


@dataclass(frozen=True, slots=True)
class Plot:
    """The area of a plot in its picture, and the scales of both axes; ``headroom`` is for marks' labels."""

    left: float
    top: float
    right: float
    bottom: float
    x: Scale
    y: Scale
    headroom: float = 0.0

    def at(self, x: float, y: float) -> Point:
        """The pixel of a point."""
        return self.x(x), self.y(y)

    def y_axis(self, name: str, shown: Callable[[float], str], most: int = 5) -> list[Markup]:
        """Horizontal grid lines with their values, and the axis' name above them."""
        parts = [text(name, 0, self.top - self.headroom - 9, class_="axis")]
        for value in self.y.ticks(most):
            y = self.y(value)
            parts.append(tag("line", x1=self.left, x2=self.right, y1=y, y2=y, class_="grid"))
            parts.append(text(shown(value), self.left - 6, y + 4, anchor="end"))
        return parts

    def x_axis(
        self, name: str, shown: Callable[[float], str], *, at: Sequence[float] | None = None, most: int = 8
    ) -> list[Markup]:
        """The base line, ticks with their values, and the axis' name at its right end."""
        parts = [tag("line", x1=self.left, x2=self.right, y1=self.bottom, y2=self.bottom, class_="base")]
        taken = -math.inf
        for value in self.x.ticks(most) if at is None else at:
            x, label = self.x(value), shown(value)
            half = len(label) * _CHARACTER / 2
            if x - half < taken:
                continue
            taken = x + half + 5
            parts.append(tag("line", x1=x, x2=x, y1=self.bottom, y2=self.bottom + 4, class_="base"))
            parts.append(text(label, x, self.bottom + 17, anchor="middle"))
        parts.append(text(name, self.right, self.bottom + 34, anchor="end", class_="axis"))
        return parts

    def level(self, value: float, label: str, class_: str = "limit") -> list[Markup]:
        """A horizontal line at a value of the y axis, labelled on the left, below where room is short."""
        y = self.y(value)
        return [
            tag("line", x1=self.left, x2=self.right, y1=y, y2=y, class_=class_),
            text(label, self.left + 6, y - 5 if y - self.top > 16 else y + 14, class_="label"),
        ]

    def mark(self, value: float, label: str, *, row: int = 0, class_: str = "mark") -> list[Markup]:
        """A vertical line at a value of the x axis, labelled at its upper end, ``row`` lines down."""
        x = self.x(value)
        top = self.top - self.headroom + 14 * row
        fits = x + 5 + len(label) * _CHARACTER <= self.right
        place, anchor = (x + 4, "start") if fits else (x - 4, "end")
        return [
            tag("line", x1=x, x2=x, y1=top, y2=self.bottom, class_=class_),
            text(label, place, top + 10, anchor=anchor, class_="label"),
        ]


def end_labels(labels: Sequence[tuple[float, str]], x: float, gap: float = 14) -> list[Markup]:
    """Names right of the ends of lines, given as (y, name), moved apart where they would touch."""
    parts, previous = [], -math.inf
    for y, name in sorted(labels):
        previous = max(y, previous + gap)
        parts.append(text(name, x, previous + 4, class_="label"))
    return parts


def _ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / max(most, 1)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [
            step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high
        ]
        if len(found) <= most:
            return found
    return found[:: -(-len(found) // most)]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def plain(value: float) -> str:
    """A tick's value."""
    return units.digits(value) if value else "0"
