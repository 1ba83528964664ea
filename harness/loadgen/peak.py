"""The largest rate at which an objective holds, and how sure that is.

The search doubles the rate until the objective breaks, then halves the interval between the last rate
that held and the first that did not. A trial holds if its requests show, with the confidence asked for,
that at least the wanted share of requests keeps the bound: the binomial rule by which MLPerf's load
generator stops early. The same rule, turned round, ends hopeless trials before their time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.99


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) for ``n`` draws that each count with probability ``p``."""
    if k >= n or p <= 0:
        return 1.0
    if k < 0 or p >= 1:
        return 0.0
    i = np.arange(1, k + 1)
    steps = np.log((n - i + 1) / i) + math.log(p) - math.log1p(-p)
    logs = n * math.log1p(-p) + np.concatenate(([0.0], np.cumsum(steps)))
    top = float(logs.max())
    return min(1.0, math.exp(top) * float(np.exp(logs - top).sum()))


def decide(over: int, n: int, share: float, confidence: float = CONFIDENCE) -> bool | None:
    """Tell whether at least ``share`` of all requests keep a bound that ``over`` of ``n`` did not keep.

    True or False where that is sure with ``confidence``, else None.
    """
    allowed = 1 - share
    if binomial_cdf(over, n, allowed) <= 1 - confidence:
        return True
    if 1 - binomial_cdf(over - 1, n, allowed) <= 1 - confidence:
        return False
    return None


def minimum_queries(share: float, confidence: float = CONFIDENCE) -> int:
    """How many requests it takes at least to be sure, if none of them breaks the bound."""
    return math.ceil(math.log(1 - confidence) / math.log(share))


def enough_queries(share: float, confidence: float = CONFIDENCE) -> int:
    """How many requests it takes to be sure of a server that misses a quarter as often as it may."""
    n = minimum_queries(share, confidence)
    while decide(math.ceil(n * (1 - share) / 4), n, share, confidence) is not True:
        n += math.ceil(n / 8)
    return n


def share_at_least(over: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The share of requests that keeps the bound for sure (one-sided Clopper-Pearson bound)."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if binomial_cdf(over, n, 1 - middle) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one rate: ``over`` of ``n`` missed the bound; ``note`` tells why it may not count."""

    rate: float
    n: int
    over: int
    held: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Peak:
    """The result of a search. ``best`` is None if no rate held; ``broke`` None if every one did."""

    trials: tuple[Trial, ...]
    best: Trial | None
    broke: Trial | None
    share: float

    @property
    def text(self) -> str:
        """The result as a sentence with its confidence."""
        if self.best is None:
            worst = self.trials[-1]
            return f"no rate held; the lowest tried was {worst.rate:,.0f}/s: {self._why(worst)}"
        sure = share_at_least(self.best.over, self.best.n) * 100
        text = (
            f"peak {self.best.rate:,.0f}/s: {self.best.over:,} of {self.best.n:,} requests missed the bound, "
            f"so with {CONFIDENCE:.0%} confidence at least {sure:.2f} % of requests keep it "
            f"(wanted {self.share * 100:g} %)"
        )
        if self.broke is None:
            return text + "; no higher rate was tried, the limit of the search is reached"
        return text + f"; at {self.broke.rate:,.0f}/s it did not hold: {self._why(self.broke)}"

    def _why(self, trial: Trial) -> str:
        missed = f"{trial.over:,} of {trial.n:,} requests missed it"
        return f"{missed}, which may not be the server's fault: {trial.note}" if trial.note else missed


def find(
    attempt: Callable[[float], Trial],
    *,
    share: float,
    start: float = 100.0,
    precision: float = 0.05,
    lowest: float = 1.0,
    highest: float = math.inf,
) -> Peak:
    """Search for the largest rate that holds, to within ``precision``, between ``lowest`` and ``highest``.

    ``attempt(rate)`` runs one trial. Rates above ``highest`` (what the generator can do) are not tried.
    """
    trials: list[Trial] = []
    best: Trial | None = None
    broke: Trial | None = None

    def run(rate: float) -> None:
        nonlocal best, broke
        trial = attempt(rate)
        trials.append(trial)
        if trial.held:
            best = trial
        else:
            broke = trial

    run(min(max(start, lowest), highest))
    while broke is None and best is not None and best.rate < highest:
        run(min(best.rate * 2, highest))
    while best is None and broke is not None and broke.rate > lowest:
        run(max(broke.rate / 2, lowest))
    while best is not None and broke is not None and broke.rate > best.rate * (1 + precision):
        run(math.sqrt(best.rate * broke.rate))
    return Peak(tuple(trials), best, broke, share)
