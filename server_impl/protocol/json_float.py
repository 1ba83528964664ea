"""Floating-point numbers to JSON text [5.8.4].

Six significant digits if they parse back to the same value, else nine (float32) or seventeen (float64);
``.0`` behind a text with neither point nor exponent. Subnormal values print as zero.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import numpy as np

#: Up to this many values the scalar code is faster than a dozen numpy calls.
_FEW: Final = 24
#: Powers of ten that a double holds exactly.
_EXACT_POWER: Final = 22

_FLOAT = struct.Struct("f")
_NOT_FINITE: Final = {math.inf: b"Infinity", -math.inf: b"-Infinity"}


def format_floats(values: np.ndarray[Any, Any]) -> list[bytes]:
    """The texts of a one-dimensional float32 or float64 array."""
    single = values.dtype == np.float32
    if len(values) <= _FEW:
        format_one = _format_single if single else _format_double
        return [format_one(value) for value in values.tolist()]
    return _format_many(values, 9 if single else 17)


def _format_single(value: float) -> bytes:
    text = b"%.6g" % value
    if value != value or value in _NOT_FINITE:
        return _NOT_FINITE.get(value, b"NaN")
    if -(2.0**-126) < value < 2.0**-126:
        return b"0.0" if math.copysign(1.0, value) > 0 else b"-0.0"
    if _FLOAT.unpack(_FLOAT.pack(float(text)))[0] != value:
        text = b"%.9g" % value
    return text if b"." in text or b"e" in text else text + b".0"


def _format_double(value: float) -> bytes:
    if value != value or value in _NOT_FINITE:
        return _NOT_FINITE.get(value, b"NaN")
    if -(2.0**-1022) < value < 2.0**-1022:
        return b"0.0" if math.copysign(1.0, value) > 0 else b"-0.0"
    text = b"%.6g" % value
    if float(text) != value:
        text = b"%.17g" % value
    return text if b"." in text or b"e" in text else text + b".0"


def _format_many(values: np.ndarray[Any, Any], digits: int) -> list[bytes]:
    """Chooses a conversion for each value with numpy, then formats all in one C call."""
    if not (finite := np.isfinite(values)).all():
        texts = _format_many(np.where(finite, values, 0), digits)
        for index in np.flatnonzero(~finite).tolist():
            texts[index] = _NOT_FINITE.get(float(values[index]), b"NaN")
        return texts
    values = np.where(np.abs(values) < np.finfo(values.dtype).tiny, np.copysign(0, values), values)
    doubles = values.astype(np.float64)
    sizes = np.abs(doubles)
    short = _is_six_digits(values, sizes)
    # A whole number that %g would print without point and exponent.
    whole = (sizes < np.where(short, 1e6, 10.0**digits)) & (np.trunc(doubles) == doubles)
    specs = np.array([b"%%.%dg" % digits, b"%.6g", b"%.1f", b"%.1f"], object)
    chosen = specs[short + 2 * whole].tolist()
    return (b" ".join(chosen) % tuple(doubles.tolist())).split(b" ")


def _is_six_digits(values: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which values a decimal of six digits stands for.

    Within ``_EXACT_POWER`` the candidate is one correctly rounded operation on exact doubles. None of these
    decimals lies so close to the middle of two float32 values that rounding it twice would change it.
    """
    with np.errstate(divide="ignore"):
        powers = 5 - np.floor(np.log10(np.where(sizes == 0, 1.0, sizes)))
    near = np.abs(powers) <= _EXACT_POWER
    powers = np.where(near, powers, 0)
    up, down = 10.0 ** np.maximum(powers, 0), 10.0 ** np.maximum(-powers, 0)
    candidates = np.rint(sizes * up / down) / up * down
    short = candidates.astype(values.dtype) == np.abs(values)
    for index in np.flatnonzero(~near).tolist():
        short[index] = float(values.dtype.type(b"%.6g" % float(values[index]))) == float(values[index])
    return short
