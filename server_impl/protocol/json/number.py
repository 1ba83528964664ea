"""JSON numbers as RapidJSON 1.1 reads them at its normal precision.

The real server's decimal-to-double conversion is not correctly rounded: it gathers the digits in a 64-bit
integer, goes on in double arithmetic beyond 2**53 and scales by one power of ten [5.1.7]. The same steps
are taken here, so that the last bit comes out the same.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import numpy as np

from server_impl.protocol.json.errors import ParseError

MISS_FRACTION: Final = "Miss fraction part in number."
MISS_EXPONENT: Final = "Miss exponent in number."
TOO_BIG: Final = "Number too big to be stored in double."
INVALID_VALUE: Final = "Invalid value."

_NUMBER = re.compile(rb"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
_TAIL = re.compile(rb"(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")

_POW10: Final = tuple(float(f"1e{n}") for n in range(309))
_MAX_EXACT: Final = 2**53 - 1
_MAX_UINT64: Final = 2**64 - 1
_MIN_INT64_MAGNITUDE: Final = 2**63
_TENTH_OF_MAX: Final = 1.7976931348623157e307
_MIN_NORMAL: Final = 2.0**-1022

_TIE_ULPS: Final = 32

#: Doubles below this magnitude are zero as float32: subnormal results are flushed, and a result counts as
#: subnormal when it is below 2**-126 after rounding to 24 bits.
FLOAT32_TINY: Final = 2.0**-126 * (1 - 2.0**-25)


def read_number(data: bytes, pos: int) -> tuple[int | float, int]:
    """Reads the number at ``pos`` of NUL-terminated ``data``: its value and the offset behind it.

    A token without fraction and exponent is an ``int`` from -2**63 to 2**64-1 and a ``float`` beyond
    [5.1.8]. Subnormal doubles are zero, with their sign. Raises ``ParseError``.
    """
    match = _NUMBER.match(data, pos)
    if match is None:
        return _read_not_finite(data, pos)
    sign, whole, fraction, exponent_sign, exponent = match.groups()
    end = match.end()
    if data[end] in b".eE":
        _check_tail(data, pos, end, bool(sign), whole, fraction, exponent)
    if fraction is None and exponent is None:
        if len(whole) <= 18:
            return int(sign + whole), end
        if len(whole) <= 20:
            magnitude = int(whole)
            if sign and magnitude <= _MIN_INT64_MAGNITUDE:
                return -magnitude, end
            if not sign and magnitude <= _MAX_UINT64:
                return magnitude, end
    elif exponent is None and len(whole) + len(fraction) <= 16:
        value = int(whole + fraction) / _POW10[len(fraction)]  # as _to_double, in one step
        return -value if sign else value, end
    value = _to_double(pos, bool(sign), whole, fraction or b"", exponent_sign == b"-", exponent or b"")
    return value, end


def _check_tail(
    data: bytes, pos: int, end: int, minus: bool, whole: bytes, fraction: bytes | None, exponent: bytes | None
) -> None:
    """Refuses a point or an exponent letter that no digits follow."""
    if exponent is not None or (fraction is not None and data[end] == ord(".")):
        return  # the next token is wrong, not this number
    _gather(pos, minus, whole, fraction or b"")  # digits that are too many are found first
    if data[end] == ord("."):
        raise ParseError(MISS_FRACTION, end + 1)
    raise ParseError(MISS_EXPONENT, end + 1 + (data[end + 1] in b"+-"))


def _read_not_finite(data: bytes, pos: int) -> tuple[float, int]:
    """Reads ``NaN``, ``Inf`` or ``Infinity`` [5.1.6].

    The reader tries ``Inf`` where ``NaN`` breaks off, and takes a fraction or an exponent behind either,
    which then replaces the value.
    """
    minus = data[pos] == ord("-")
    first = pos + minus
    end = first + _agreement(data, first, b"NaN")
    value = math.nan
    if end - first < 3:
        start, end = end, end + _agreement(data, end, b"Inf")
        if end - start < 3:
            raise ParseError(INVALID_VALUE, end)
        value = -math.inf if minus else math.inf
        if data[end] == ord("i"):
            start, end = end, end + _agreement(data, end, b"inity")
            if end - start < 5:
                raise ParseError(INVALID_VALUE, end)
    match = _TAIL.match(data, end)
    assert match is not None  # both parts are optional
    fraction, exponent_sign, exponent = match.groups()
    tail_end = match.end()
    if data[tail_end] in b".eE":
        _check_tail(data, pos, tail_end, minus, b"0", fraction, exponent)
    if tail_end == end:
        return value, end
    value = _to_double(pos, minus, b"0", fraction or b"", exponent_sign == b"-", exponent or b"")
    return value, tail_end


def _agreement(data: bytes, pos: int, word: bytes) -> int:
    """How many leading bytes of ``word`` stand at ``pos``."""
    count = 0
    while count < len(word) and data[pos + count] == word[count]:
        count += 1
    return count


def _to_double(
    pos: int, minus: bool, whole: bytes, fraction: bytes, exponent_minus: bool, exponent: bytes
) -> float:
    if len(whole) + len(fraction) <= 16:
        significand, scale = float(int(whole + fraction)), -len(fraction)
    else:
        significand, scale = _gather(pos, minus, whole, fraction)
    if exponent:
        power = int(exponent.lstrip(b"0")[:10] or b"0")
        if exponent_minus:
            scale -= power
        elif power > 308 - scale:
            raise ParseError(TOO_BIG, pos)
        else:
            scale += power
    value = _scale(significand, scale)
    return -value if minus else value


def _gather(pos: int, minus: bool, whole: bytes, fraction: bytes) -> tuple[float, int]:
    """The digits as a double, and the power of ten to scale it by.

    Digits go into an integer as long as it is below 2**53, then into the double, until 17 have been counted;
    the first digit before the point does not count. The rest is dropped.
    """
    limit = _MIN_INT64_MAGNITUDE if minus else _MAX_UINT64
    if len(whole) >= 19 and int(whole[:21]) > limit:
        return _gather_big(pos, limit, whole), 0
    digits = whole + fraction
    significant = digits.lstrip(b"0")
    end = 17 if int(significant[:16] or b"0") <= _MAX_EXACT else 16
    end = max(end, len(whole))
    last = max(end, 17 if whole == b"0" else 18)
    value = float(int(significant[:end] or b"0"))
    for digit in significant[end:last]:
        value = value * 10.0 + (digit - 48)
    dropped = max(len(significant) - last, 0)
    return value, dropped - len(fraction)


def _gather_big(pos: int, limit: int, whole: bytes) -> float:
    """An integer above ``limit``: what fits is exact, the other digits go into the double one by one."""
    taken = 20 if int(whole[:20]) <= limit else 19 if int(whole[:19]) <= limit else 18
    value = float(int(whole[:taken]))
    for digit in whole[taken:]:
        if value >= _TENTH_OF_MAX:
            raise ParseError(TOO_BIG, pos)
        value = value * 10.0 + (digit - 48)
    return value


def _scale(significand: float, power: int) -> float:
    if power >= 0:
        return significand * _POW10[power]
    if power >= -308:
        return _divide(significand, _POW10[-power])
    if power >= -616:
        return _divide(_divide(significand, _POW10[308]), _POW10[-power - 308])
    return 0.0


def _divide(dividend: float, divisor: float) -> float:
    """Quotient of positive doubles; zero where its 53-bit rounding is subnormal."""
    quotient = dividend / divisor
    if quotient <= _MIN_NORMAL and dividend * 2.0**64 / divisor < _MIN_NORMAL * 2.0**64:
        return 0.0
    return quotient


def to_float32(doubles: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Doubles as float32: too large is infinite, and subnormal is zero with its sign [5.6, 5.8.4]."""
    with np.errstate(over="ignore", under="ignore"):
        floats = doubles.astype(np.float32)
    tiny = np.abs(doubles) < FLOAT32_TINY
    if tiny.any():
        floats[tiny] = np.copysign(np.float32(0), floats[tiny])
    return floats


def is_near_float32_tie(
    doubles: np.ndarray[Any, np.dtype[np.float64]],
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where the server's rounding of the same text could give another float32.

    That is where a correctly rounded double lies close to the middle of two float32 values, or to where
    float32 overflows or is flushed, which has the same bits. For a number of up to 24 digits before the
    point the server's double is at most ten multiplications and as many additions away: ``_TIE_ULPS`` units
    in the last place are ample.
    """
    low = doubles.view(np.int64) & (2**29 - 1)
    near: np.ndarray[Any, np.dtype[np.bool_]] = np.abs(low - 2**28) <= _TIE_ULPS
    return near


def exponents(chars: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """The offsets behind each letter E that a digit or a sign follows. The text must not end with an E."""
    starts = np.flatnonzero(chars | 0x20 == ord("e")) + 1
    following = chars[starts]
    return np.compress((following - np.uint8(ord("+")) <= 14) & (following != ord(",")), starts)


def has_long_exponent(
    chars: np.ndarray[Any, np.dtype[np.uint8]], starts: np.ndarray[Any, np.dtype[np.intp]]
) -> bool:
    """Whether a positive exponent has three digits: the server may find it too big even behind a zero."""
    starts = starts[chars[starts] != ord("-")]
    starts = starts + (chars[starts] == ord("+"))
    digits = np.minimum(starts[:, None] + (1, 2), len(chars) - 1)
    return bool((chars[digits] - np.uint8(ord("0")) <= 9).all(axis=1).any())
