"""Ways to load a server, by the names that MLPerf Inference gives them."""

from __future__ import annotations

from typing import NamedTuple

from harness.loadgen.arrivals import Arrival


class Profile(NamedTuple):
    """What stands behind a name of ``--arrival``.

    ``users`` and ``batch`` are fixed where the name says so (None = as the options say);
    ``percentile`` is the one by which the profile is judged, None where throughput is.
    """

    arrival: Arrival
    users: int | None = None
    batch: int | None = None
    percentile: float | None = 99.0
    meaning: str = ""


PROFILES: dict[str, Profile] = {
    "closed": Profile(Arrival.CLOSED, meaning="each user waits for its answer, then sends the next request"),
    "constant": Profile(Arrival.CONSTANT, meaning="evenly spaced arrivals at --rate"),
    "poisson": Profile(Arrival.POISSON, meaning="independent arrivals at --rate on average"),
    "single-stream": Profile(
        Arrival.CLOSED, users=1, percentile=90.0, meaning="one request at a time; its p90 latency counts"
    ),
    "multi-stream": Profile(
        Arrival.CLOSED, users=1, batch=8, meaning="one request of 8 rows at a time; its p99 latency counts"
    ),
    "server": Profile(Arrival.POISSON, meaning="Poisson arrivals at --rate; the p99 latency counts"),
    "offline": Profile(
        Arrival.CLOSED, percentile=None, meaning="all users send as fast as they can; throughput counts"
    ),
}
