"""Reasons not to believe a result: it could be the generator's and not the server's."""

from __future__ import annotations

from harness.loadgen import histograms
from harness.loadgen.arrivals import Arrival
from harness.loadgen.calibration import SAFE
from harness.loadgen.results import Results

#: Most seconds by which one arrival in a hundred may be sent late by the generator itself.
MAX_LAG = 2e-3
#: The part of a core that a process of the generator may use.
MAX_CPU = 0.90


def invalid(results: Results, ceiling: float | None) -> list[str]:
    """Reasons to stamp the results INVALID; empty if there are none. ``ceiling`` in requests/s."""
    reasons = []
    if not results.complete:
        reasons.append(
            f"{len(results.missing)} of {len(results.phase.workers)} generator processes were lost"
        )
    total = results.total()
    per_s = total.done / results.seconds
    if ceiling is not None and per_s > SAFE * ceiling:
        reasons.append(
            f"{per_s:,.0f} requests/s are more than {SAFE:.0%} of the {ceiling:,.0f}/s that this generator "
            "can make: add processes or machines"
        )
    lag = results.lag
    if results.phase.arrival is not Arrival.CLOSED and lag.get_total_count():
        p99 = histograms.percentile(lag, 99)
        if p99 > MAX_LAG * 1e6:
            reasons.append(
                f"the generator was late itself: p99 of its schedule lag is {p99 / 1000:.3g} ms "
                f"(at most {MAX_LAG * 1e3:g} ms): the machine is too busy"
            )
    busy = {worker: cpu for worker, cpu in results.cpu.items() if cpu > MAX_CPU}
    if busy:
        reasons.append(
            f"{len(busy)} of {len(results.cpu)} generator processes used {max(busy.values()):.0%} of a core "
            f"(at most {MAX_CPU:.0%}): add processes"
        )
    if not total.asked:
        reasons.append("no request came to an end")
    return reasons
