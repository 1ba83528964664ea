"""Intervals for percentiles and rates by resampling whole blocks of a run.

Neighbouring replies share queues, loads and pauses, so they are not independent: resampling single replies
would promise far too narrow intervals. Blocks of consecutive windows keep what happens together together.
Draws come from a fixed seed: the same record gives the same interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.histogram import Histogram, merge
from reports.proportion import Interval

#: Fewer blocks than this say nothing about their spread.
MIN_BLOCKS = 8
_MAX_BLOCKS = 40
_DRAWS = 1000

Draws = NDArray[np.float64]


def blocks_of(histograms: Sequence[Histogram]) -> list[Histogram]:
    """At most 40 blocks of consecutive histograms, each block merged, empty ones dropped."""
    size = -(-len(histograms) // _MAX_BLOCKS) or 1
    merged = [merge(histograms[start : start + size]) for start in range(0, len(histograms), size)]
    return [block for block in merged if block.total]


def quantile_draws(blocks: Sequence[Histogram], quantiles: Sequence[float], seed: int = 1) -> Draws | None:
    """Each quantile in microseconds in 1,000 resamples of the blocks: shape (draws, quantiles).

    None with fewer than ``MIN_BLOCKS`` blocks.
    """
    if len(blocks) < MIN_BLOCKS:
        return None
    values = np.unique(np.concatenate([block.values for block in blocks]))
    counts = np.zeros((values.size, len(blocks)))
    for column, block in enumerate(blocks):
        counts[np.searchsorted(values, block.values), column] = block.counts
    ranks = np.cumsum(counts, axis=0)
    weights = _weights(len(blocks), seed)
    asked = weights @ ranks[-1]
    return np.stack(
        [values[_first_reaching(ranks, weights, quantile * asked)] for quantile in quantiles], axis=1
    ).astype(np.float64)


def _first_reaching(ranks: Draws, weights: Draws, wanted: Draws) -> NDArray[np.intp]:
    """For each draw the first value whose cumulative count reaches a rank, by bisection in all draws at once.

    ``ranks``: shape (values, blocks). The whole product of ranks and weights would take hundreds of MB.
    """
    wanted = np.maximum(1, np.floor(wanted + 0.5))
    low = np.zeros(len(weights), np.intp)
    high = np.full(len(weights), len(ranks) - 1, np.intp)
    while (low < high).any():
        middle = (low + high) // 2
        below = (ranks[middle] * weights).sum(axis=1) < wanted
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    return low


def mean_draws(numbers: Sequence[float], seed: int = 1) -> Draws | None:
    """The mean of a number per block in 1,000 resamples: shape (draws,); None with too few blocks."""
    if len(numbers) < MIN_BLOCKS:
        return None
    means: Draws = _weights(len(numbers), seed) @ np.asarray(numbers, np.float64) / len(numbers)
    return means


def interval(draws: Draws, confidence: float = 0.95) -> Interval:
    """The central interval of some draws."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _weights(blocks: int, seed: int) -> Draws:
    """How often each block is drawn, in each resample: shape (draws, blocks)."""
    # random_raw is the one numpy stream promised never to change between releases: reports stay the same.
    picks = np.random.PCG64(seed).random_raw((_DRAWS, blocks)) % np.uint64(blocks)
    weights = np.zeros((_DRAWS, blocks))
    np.add.at(weights, (np.arange(_DRAWS)[:, None], picks.astype(np.intp)), 1)
    return weights
