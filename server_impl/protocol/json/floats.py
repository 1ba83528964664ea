"""Floating-point numbers to JSON text [5.8.4].

Six significant digits if they parse back to the same value, else nine (float32) or seventeen (float64);
``.0`` behind a text with neither point nor exponent. Subnormal values print as zero.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np

#: Up to this many values the scalar code is faster than a dozen numpy calls.
_FEW: Final = 32
#: Powers of ten that a double holds exactly.
_EXACT_POWER: Final = 22

#: As numbers: asking whether bytes hold other bytes raises and drops an exception first.
_POINT, _EXPONENT = b".e"
_pack, _unpack = struct.Struct("f").pack, struct.Struct("f").unpack
_NOT_FINITE: Final = {b"nan": b"NaN", b"inf": b"Infinity", b"-inf": b"-Infinity"}


def format_floats(values: np.ndarray[Any, Any]) -> list[bytes]:
    """The texts of a one-dimensional float32 or float64 array."""
    single = values.itemsize == 4
    if len(values) > _FEW:
        return _format_many(values, 9 if single else 17)
    texts = []
    for value in values.tolist():
        if value.is_integer() and -1e6 < value < 1e6:
            texts.append(b"%.1f" % value)
            continue
        text = b"%.6g" % value
        parsed = float(text)
        if parsed != value and not (single and _unpack(_pack(parsed))[0] == value):
            text = (b"%.9g" if single else b"%.17g") % value
        if _POINT not in text or _EXPONENT in text:
            text = _finish(text, value, 2.0**-126 if single else 2.0**-1022)
        texts.append(text)
    return texts


def _finish(text: bytes, value: float, tiny: float) -> bytes:
    """The rarer texts: with an exponent, or without a point."""
    if _EXPONENT not in text:
        return _NOT_FINITE.get(text) or text + b".0"
    if -tiny < value < tiny:
        return b"-0.0" if value < 0 else b"0.0"
    return text


def _format_many(values: np.ndarray[Any, Any], digits: int) -> list[bytes]:
    """Chooses a conversion for each value with numpy, then formats all in one C call."""
    if not (finite := np.isfinite(values)).all():
        texts = _format_many(np.where(finite, values, 0), digits)
        for index in np.flatnonzero(~finite).tolist():
            texts[index] = _NOT_FINITE[b"%.6g" % float(values[index])]
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
    short: np.ndarray[Any, Any] = candidates.astype(values.dtype) == np.abs(values)
    for index in np.flatnonzero(~near).tolist():
        short[index] = float(values.dtype.type(b"%.6g" % float(values[index]))) == float(values[index])
    return short
