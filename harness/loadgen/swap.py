"""What a change of versions did to the traffic that ran meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.loadgen import histograms
from harness.loadgen.results import Results
from harness.loadgen.tally import Tally

#: Seconds before a change, and after it has settled, that it is compared with.
_BESIDE = 5.0
#: Seconds that a change is watched if nothing tells when it has settled.
_WATCHED = 3.0


class Change(NamedTuple):
    """An action of step number ``step``, carried out ``t`` seconds after the start of the phase."""

    t: float
    step: int
    name: str
    model: str | None
    version: int | None
    detail: str


class Swap(NamedTuple):
    """A change and its effect; times in seconds, latencies in microseconds, None where nothing was measured.

    ``first_answer``: from the change to the first answer of the version that it published;
    ``last_answer``: from the change to the last answer of the version that it withdrew.
    """

    change: Change
    first_answer: float | None
    last_answer: float | None
    bad: int
    p99_before_us: float | None
    p99_during_us: float | None
    p99_after_us: float | None

    @property
    def text(self) -> str:
        """One sentence."""
        parts = [self.change.detail]
        if self.first_answer is not None:
            parts.append(f"first answer after {self.first_answer:.2f} s")
        if self.last_answer is not None:
            parts.append(f"last answer after {self.last_answer:.2f} s")
        parts.append(f"{self.bad} requests without the right answer")
        p99 = " / ".join(
            "-" if us is None else f"{us / 1000:.3g}"
            for us in (self.p99_before_us, self.p99_during_us, self.p99_after_us)
        )
        return ", ".join(parts) + f", p99 before/during/after {p99} ms"

    def detail(self) -> dict[str, Any]:
        """Plain data, for the record."""
        return self.change._asdict() | {k: v for k, v in self._asdict().items() if k != "change"}


def swaps(results: Results, changes: Sequence[Change]) -> list[Swap]:
    """The effect of each change, looked for until the next step."""
    return [
        _swap(
            results,
            change,
            min((other.t for other in changes if other.step > change.step), default=results.seconds),
        )
        for change in changes
    ]


def _swap(results: Results, change: Change, end: float) -> Swap:
    seen = results.seen.get((change.model or "", str(change.version)))
    first = last = None
    if change.name == "publish" and seen is not None and seen.first >= change.t:
        first = seen.first - change.t
    if change.name == "withdraw" and seen is not None and seen.last >= change.t:
        last = seen.last - change.t
    settled = change.t + (max(first or 0.0, last or 0.0) or _WATCHED)
    # A window belongs to the change if any part of it does: the first answers of a version are often slow.
    begin = change.t - change.t % results.window
    settled = min(end, settled - settled % results.window + results.window)
    during = results.total(begin, settled)
    return Swap(
        change,
        first,
        last,
        during.bad,
        _p99(results.total(change.t - _BESIDE, begin)),
        _p99(during),
        _p99(results.total(settled, min(end, settled + _BESIDE))),
    )


def _p99(tally: Tally) -> float | None:
    return histograms.percentile(tally.response, 99) if tally.asked else None
