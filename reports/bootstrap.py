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
_CHUNK = 100

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
    counts = np.zeros((len(blocks), values.size))
    for row, block in enumerate(blocks):
        counts[row, np.searchsorted(values, block.values)] = block.counts
    weights = _weights(len(blocks), seed)
    draws = np.empty((_DRAWS, len(quantiles)))
    for start in range(0, _DRAWS, _CHUNK):  # in chunks: draws x distinct values would take hundreds of MB
        ranks = np.cumsum(weights[start : start + _CHUNK] @ counts, axis=1)
        for column, quantile in enumerate(quantiles):
            wanted = np.maximum(1, np.floor(quantile * ranks[:, -1:] + 0.5))
            slots = np.minimum((ranks < wanted).sum(axis=1), values.size - 1)
            draws[start : start + _CHUNK, column] = values[slots]
    return draws


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
