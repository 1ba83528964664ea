"""When requests are due. Arrivals follow an absolute schedule, never the server's pace.

A rate profile is a sequence of stages with constant or linearly changing rate. Its integral says how
many arrivals are due by a time; the inverse of that turns a count into a time. Both kinds of open-loop
arrivals are that inverse, applied to whole numbers (constant) or to a Poisson process of unit rate
(Poisson), so ramps and steps cost nothing extra.

Several processes share a schedule without talking: process ``i`` of ``n`` takes every ``n``-th constant
arrival, or a Poisson process of one ``n``-th of the rate, and the sum is the whole again.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, count
from typing import NamedTuple


class Arrival(StrEnum):
    """How requests arrive."""

    CLOSED = "closed"  # every user sends its next request when the last one is answered
    CONSTANT = "constant"
    POISSON = "poisson"


class Stage(NamedTuple):
    """``length`` seconds during which the rate goes from ``start`` to ``end`` requests/s in a line."""

    length: float
    start: float
    end: float

    def due(self, t: float) -> float:
        """Arrivals due in the first ``t`` seconds of the stage; past its end the last rate goes on."""
        if t > self.length:
            return self.due(self.length) + (t - self.length) * self.end
        return self.start * t + (self.end - self.start) * t * t / (2 * self.length)

    def time_of(self, n: float) -> float:
        """Seconds from the start of the stage to the ``n``-th arrival: the inverse of :meth:`due`."""
        beyond = n - self.due(self.length)
        if beyond > 0:
            return self.length + beyond / self.end if self.end else math.inf
        growth = (self.end - self.start) / self.length
        root = math.sqrt(max(0.0, self.start * self.start + 2 * growth * n))
        # The usual formula cancels digits where the rate hardly changes; this one does not.
        return 2 * n / (self.start + root) if n else 0.0


class Share(NamedTuple):
    """Which part of the arrivals a process makes: number ``place`` of ``processes``."""

    place: int
    processes: int


#: One process makes all arrivals.
WHOLE = Share(0, 1)


@dataclass(frozen=True, slots=True)
class RateProfile:
    """Stages one after another; after the last one its final rate goes on."""

    stages: tuple[Stage, ...]

    @property
    def length(self) -> float:
        """Seconds in all."""
        return sum(stage.length for stage in self.stages)

    def due(self, t: float) -> float:
        """Arrivals due in the first ``t`` seconds."""
        n = 0.0
        for stage in self.stages[:-1]:
            n += stage.due(min(t, stage.length))
            t -= stage.length
            if t <= 0:
                return n
        return n + self.stages[-1].due(t)

    def time_of(self, n: float) -> float:
        """Seconds from the start to the ``n``-th arrival; infinite if the profile never gets there."""
        begin = 0.0
        for stage in self.stages[:-1]:
            held = stage.due(stage.length)
            if n <= held:
                return begin + stage.time_of(n)
            n -= held
            begin += stage.length
        return begin + self.stages[-1].time_of(n)

    def rate(self, t: float) -> float:
        """Requests/s asked for at time ``t``."""
        for stage in self.stages[:-1]:
            if t < stage.length:
                break
            t -= stage.length
        else:
            stage = self.stages[-1]
        return stage.start + (stage.end - stage.start) * min(1.0, t / stage.length)


def parse_rate(text: str, length: float) -> RateProfile:
    """Read ``100`` (constant), ``10..500`` (a ramp over ``length`` seconds) or ``100,200`` (equal steps).

    Raises ValueError with a sentence for users.
    """
    form = f"rate {text!r}: give requests/s above 0 such as 100, a ramp like 10..500, or steps like 100,200"
    ends = re.fullmatch(r"(.+?)\.\.(.+)", text.strip())
    try:
        rates = [float(part) for part in (ends.groups() if ends else text.split(","))]
    except ValueError:
        raise ValueError(form) from None
    if not all(rate > 0 and math.isfinite(rate) for rate in rates):
        raise ValueError(form)
    if ends:
        return RateProfile((Stage(length, *rates),))
    return RateProfile(tuple(Stage(length / len(rates), rate, rate) for rate in rates))


def constant(profile: RateProfile, share: Share = WHOLE) -> Iterator[float]:
    """Evenly spaced arrivals, in seconds from the start; the first of all is due at 0. Endless."""
    return map(profile.time_of, count(share.place, share.processes))


def poisson(profile: RateProfile, share: Share, seed: int) -> Iterator[float]:
    """Arrivals of a Poisson process, in seconds from the start. Endless; the same for the same seed."""
    # Seeding with text hashes it: neighbouring seeds and shares give unrelated streams.
    draw = random.Random(f"arrivals {seed} {share.place}/{share.processes}").expovariate
    unit = 1 / share.processes
    return map(profile.time_of, accumulate(iter(lambda: draw(unit), None)))


def open_loop(
    arrival: Arrival, profile: RateProfile, share: Share, *, seed: int, minimum: int = 0
) -> Iterator[float]:
    """The arrivals of one process: at least the profile's length, and at least ``minimum`` of them."""
    endless = constant(profile, share) if arrival is Arrival.CONSTANT else poisson(profile, share, seed)
    length = profile.length
    for made, due in enumerate(endless):
        if due == math.inf or (due >= length and made >= minimum):
            return
        yield due
