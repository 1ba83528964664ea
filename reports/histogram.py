"""Latency histograms: decoding of HdrHistogram's wire form, merging, quantiles."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hdrh.codec import HdrCookieException, HdrHistogramSettingsException, HdrLengthException
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

#: Encoded histograms longer than this many characters are refused: 3 digits up to a minute need far less.
MAX_TEXT = 1_000_000
_MAX_UNPACKED = 4_000_000
_MAX_COUNT = 2**53

# Cookie, payload length, offset, digits, lowest and highest value, ratio: the payload's header.
_HEADER = struct.Struct(">iiiiqqd")
_WRAPPER_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How often each latency occurred, sparse: ``values`` ascending in microseconds, and their ``counts``.

    A value stands for the upper end of its slot, as HdrHistogram reports it: with three digits at most
    0.1 % above what was measured.
    """

    values: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """How many latencies were recorded."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """The mean in microseconds; 0.0 when empty."""
        return float(self.values @ self.counts) / self.total if self.total else 0.0

    @property
    def highest(self) -> int:
        """The greatest value in microseconds; 0 when empty."""
        return int(self.values[-1]) if self.values.size else 0

    def quantile(self, quantile: float) -> int:
        """The value in microseconds at ``quantile`` in 0..1, counted as HdrHistogram does; 0 when empty."""
        if not self.values.size:
            return 0
        ranks = np.cumsum(self.counts)
        rank = max(1, int(quantile * int(ranks[-1]) + 0.5))
        return int(self.values[min(int(np.searchsorted(ranks, rank)), self.values.size - 1)])

    def above(self, microseconds: float) -> int:
        """How many values lie above a limit."""
        return int(self.counts[np.searchsorted(self.values, microseconds, side="right") :].sum())


def _empty() -> Histogram:
    return Histogram(np.empty(0, np.int64), np.empty(0, np.int64))


EMPTY = _empty()


def merge(histograms: Sequence[Histogram]) -> Histogram:
    """All values of several histograms in one."""
    filled = [histogram for histogram in histograms if histogram.values.size]
    if len(filled) <= 1:
        return filled[0] if filled else EMPTY
    values, slots = np.unique(np.concatenate([each.values for each in filled]), return_inverse=True)
    counts = np.zeros(values.size, np.int64)
    np.add.at(counts, slots, np.concatenate([each.counts for each in filled]))
    return Histogram(values, counts)


def decode(text: str) -> Histogram:
    """The histogram in ``text``: HdrHistogram V2, compressed, base64.

    Raises ValueError saying what is wrong; sizes are checked before anything is unpacked.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"is a histogram of {len(text)} characters, more than {MAX_TEXT}")
    try:
        _check_header(base64.b64decode(text, validate=True))
        decoded = HdrHistogram.decode(text)
    except (
        binascii.Error,
        struct.error,
        zlib.error,
        HdrCookieException,
        HdrLengthException,
        HdrHistogramSettingsException,
        ValueError,
        IndexError,
        OverflowError,
    ) as error:
        raise ValueError(f"is not an HdrHistogram V2 in base64: {error or type(error).__name__}") from None
    return _sparse(decoded)


def _check_header(packed: bytes) -> None:
    payload = zlib.decompressobj().decompress(packed[_WRAPPER_BYTES:], _MAX_UNPACKED)
    if len(payload) >= _MAX_UNPACKED:
        raise ValueError("it unpacks to more than 4 MB")
    _, _, _, digits, lowest, highest, _ = _HEADER.unpack_from(payload)
    if not (1 <= digits <= 5 and lowest >= 1 and 2 * lowest <= highest <= 2**40):
        raise ValueError(f"its range {lowest}..{highest} with {digits} digits makes no sense")


def _sparse(decoded: HdrHistogram) -> Histogram:
    counts = np.frombuffer(decoded.counts, np.uint64, decoded.counts_len)
    slots = np.flatnonzero(counts)
    counts = counts[slots]
    if counts.size and int(counts.max()) > _MAX_COUNT:
        raise ValueError("is a histogram with counts beyond 2^53")
    half_bits = decoded.sub_bucket_half_count_magnitude
    half = decoded.sub_bucket_half_count
    bucket = (slots >> half_bits) - 1
    within = (slots & (half - 1)) + np.where(bucket < 0, 0, half)
    shift = np.maximum(bucket, 0) + decoded.unit_magnitude
    return Histogram(((within + 1) << shift) - 1, counts.astype(np.int64))
