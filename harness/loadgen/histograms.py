"""Latencies in microseconds, in HDR histograms that travel as text and add up exactly.

All histograms reach from 1 us to 60 s with three significant digits, so any two can be added and a sum
over windows, processes or machines equals the histogram of all samples together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

LOWEST_US, HIGHEST_US, DIGITS = 1, 60_000_000, 3


def new() -> Any:
    """An empty histogram."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)


def record(histogram: Any, seconds: float) -> None:
    """Add a latency; what lies outside the range counts at its edge."""
    us = int(seconds * 1e6)
    if us > HIGHEST_US:
        us = HIGHEST_US
    histogram.record_value(us if us > 0 else LOWEST_US)


def encode(histogram: Any) -> str:
    """The histogram as HdrHistogram V2 compressed base64, which every HDR tool reads."""
    text: str = histogram.encode().decode("ascii")
    return text


def decode(text: str) -> Any:
    """The inverse of :func:`encode`."""
    return HdrHistogram.decode(text.encode("ascii"))


def merge(histograms: Iterable[Any]) -> Any:
    """The sum of ``histograms``; they stay as they are."""
    total = new()
    for histogram in histograms:
        total.add(histogram)
    return total


def count_above(histogram: Any, us: float) -> int:
    """How many samples lie above ``us`` microseconds, to the histogram's precision."""
    if us >= HIGHEST_US:
        return 0
    edge = histogram.get_highest_equivalent_value(int(us))
    return sum(
        item.count_at_value_iterated_to
        for item in histogram.get_recorded_iterator()
        if item.value_iterated_to > edge
    )


@dataclass(slots=True)
class Percentiles:
    """The figures shown of a histogram, in microseconds; all None where nothing was measured."""

    samples: int
    mean_us: float | None = None
    max_us: float | None = None
    at: dict[str, float] = field(default_factory=dict)


#: The percentiles that summaries give, by the name they are given.
SHOWN = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}


def percentiles(histogram: Any) -> Percentiles:
    """The summary of a histogram."""
    samples = histogram.get_total_count()
    if not samples:
        return Percentiles(0)
    at = {name: float(histogram.get_value_at_percentile(p)) for name, p in SHOWN.items()}
    return Percentiles(samples, histogram.get_mean_value(), float(histogram.get_max_value()), at)
