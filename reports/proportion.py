"""What a count of successes says: exact binomial intervals and tails."""

from __future__ import annotations

import math
from typing import NamedTuple


class Interval(NamedTuple):
    """A confidence interval, both ends included."""

    low: float
    high: float


def binomial_interval(successes: int, total: int, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson's interval of a proportion: it covers at least ``confidence``, whatever the truth.

    With ``total`` 0 nothing is known: 0..1. Raises ValueError unless 0 <= successes <= total.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} of {total} is no proportion")
    if total == 0:
        return Interval(0.0, 1.0)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _beta_quantile(tail, successes, total - successes + 1)
    high = 1.0 if successes == total else _beta_quantile(1 - tail, successes + 1, total - successes)
    return Interval(low, high)


def binomial_cdf(successes: int, total: int, chance: float) -> float:
    """The probability of at most ``successes`` in ``total`` independent trials of this chance."""
    if successes < 0:
        return 0.0
    if successes >= total:
        return 1.0
    return _beta_cdf(1 - chance, total - successes, successes + 1)


def percentile_confidence(above: int, total: int, quantile: float) -> float:
    """How sure it is that the true quantile lies below a limit that ``above`` of ``total`` replies exceeded.

    The binomial tail by which MLPerf's LoadGen stops early: with no reply above the limit, 99 % confidence
    in p99 takes 459 replies. Replies are taken as independent.
    """
    return 1 - binomial_cdf(above, total, 1 - quantile) if total else 0.0


def _beta_quantile(probability: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(100):  # each step halves the bracket: full double precision, also close to 0
        middle = (low + high) / 2
        if _beta_cdf(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function by its continued fraction (Lentz's method)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on this side only
        return 1 - _beta_cdf(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c = 1.0
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 10_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + numerator * d, tiny)
            c = _away_from_zero(1 + numerator / c, tiny)
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
