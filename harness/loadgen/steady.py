"""Has the run settled? Throughput and median latency of neighbouring windows tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

#: As many windows in a row must agree ...
RUN = 3
#: ... to within this share, beyond what chance alone does to a count.
WITHIN = 0.10


class Point(NamedTuple):
    """One window: when it began, how many requests were answered, and their median latency."""

    t: float
    done: int
    p50_us: float


def steady_from(points: Sequence[Point]) -> float | None:
    """The time from which on the run is steady: the start of the first :data:`RUN` windows that agree.

    None if there are none: the figures then mix a server that warms up, or never settles, with the rest.
    """
    for i in range(len(points) - RUN + 1):
        window = points[i : i + RUN]
        if _agree([point.done for point in window]) and _agree([point.p50_us for point in window], window):
            return window[0].t
    return None


def _agree(values: Sequence[float], counted: Sequence[Point] | None = None) -> bool:
    """Do ``values`` lie within the tolerance? ``counted``: the windows whose sample sizes set the noise."""
    fewest = min(point.done for point in counted) if counted else min(values)
    if fewest <= 0:
        return False
    noise = 3 / math.sqrt(fewest)
    return max(values) <= min(values) * (1 + WITHIN + noise)
