"""JSON values as the server prints them inside error messages [5.1.11]."""

from __future__ import annotations

import math
from functools import cache
from typing import Final

from server_impl.protocol.json.strings import quote
from server_impl.protocol.json.text import Json

_LIMIT: Final = 256
_MASK64: Final = 2**64 - 1


def embed(value: Json) -> str:
    """``value`` for a message: objects indented by four, arrays on one line.

    Nothing more is written once 256 bytes have been exceeded, nor behind a number that is not finite. Bytes
    that are not UTF-8 become surrogate escapes.
    """
    out = bytearray()
    _write(value, b"", 0, out)
    return out.decode("utf-8", "surrogateescape")


def _write(value: Json, prefix: bytes, depth: int, out: bytearray) -> bool:
    """Appends ``prefix`` and ``value``; False once writing has come to an end. The limit bounds the depth."""
    if len(out) >= _LIMIT:
        return False
    out += prefix
    match value:
        case None:
            out += b"null"
        case bool():
            out += b"true" if value else b"false"
        case int():
            out += b"%d" % value
        case float():
            if not math.isfinite(value):
                return False
            out += format_double(value)
        case bytes():
            out += quote(value)
        case list():
            out += b"["
            for index, item in enumerate(value):
                if not _write(item, b", " if index else b"", depth + 1, out):
                    return False
            if len(out) >= _LIMIT:
                return False
            out += b"]"
        case _:
            return _write_members(value, depth, out)
    return True


def _write_members(members: tuple[tuple[bytes, Json], ...], depth: int, out: bytearray) -> bool:
    out += b"{"
    indent = b"\n" + b" " * (4 * depth)
    for index, (name, item) in enumerate(members):
        separator = b"," if index else b""
        if not _write(name, separator + indent + b"    ", depth, out):
            return False
        if not _write(item, b": ", depth + 1, out):
            return False
    if len(out) >= _LIMIT:
        return False
    out += indent + b"}" if members else b"}"
    return True


def format_double(value: float) -> bytes:
    """A finite double in RapidJSON's spelling: Grisu2 digits, plain up to 21 places, else ``1.5e-7``."""
    sign = b"-" if math.copysign(1.0, value) < 0 else b""
    if value == 0.0:
        return sign + b"0.0"
    digits, power = _grisu2(abs(value))
    point = len(digits) + power
    if power >= 0 and point <= 21:
        return sign + digits + b"0" * power + b".0"
    if 0 < point <= 21:
        return sign + digits[:point] + b"." + digits[point:]
    if -6 < point <= 0:
        return sign + b"0." + b"0" * -point + digits
    mantissa = digits if len(digits) == 1 else digits[:1] + b"." + digits[1:]
    return sign + mantissa + b"e%d" % (point - 1)


def _grisu2(value: float) -> tuple[bytes, int]:
    """Digits and power of ten by Grisu2, which is not always the shortest text: hence not ``repr``."""
    fraction, exponent = math.frexp(value)
    significand, exponent = int(fraction * 2**53), exponent - 53
    # The boundaries halfway to the neighbours, with the exponent of the upper one.
    upper = (2 * significand + 1) << 10
    lower = (4 * significand - 1) << 9 if significand == 2**52 else (2 * significand - 1) << 10
    exponent -= 11
    cached, cached_exponent, power = _cached_power(exponent)
    middle = _multiply(significand << 11, cached)
    high = _multiply(upper, cached) - 1
    delta = high - (_multiply(lower, cached) + 1)
    return _generate_digits(middle, high, delta, -(exponent + cached_exponent + 64), power)


def _multiply(left: int, right: int) -> int:
    """The upper 64 bits of the product, rounded."""
    return (left * right + 2**63) >> 64


def _cached_power(exponent: int) -> tuple[int, int, int]:
    """A power of ten that brings a number of binary ``exponent`` into digit range."""
    index = (math.ceil((-61 - exponent) * 0.30102999566398114 + 347) >> 3) + 1
    significand, binary = _power_of_ten(8 * index - 348)
    return significand, binary, 348 - 8 * index


@cache
def _power_of_ten(power: int) -> tuple[int, int]:
    """``10**power`` as a 64-bit significand and a binary exponent, rounded to nearest."""
    if power >= 0:
        numerator, denominator = 10**power, 1
    else:
        numerator, denominator = 1, 10**-power
    shift = numerator.bit_length() - denominator.bit_length() - 64
    while True:
        above = denominator << max(shift, 0)
        below = numerator << max(-shift, 0)
        significand = (2 * below + above) // (2 * above)
        if significand < 2**64:
            return significand, shift
        shift += 1


def _generate_digits(middle: int, high: int, delta: int, shift: int, power: int) -> tuple[bytes, int]:
    one = 1 << shift
    distance = high - middle
    whole, part = high >> shift, high & (one - 1)
    digits = bytearray()
    kappa = len(str(whole))
    while kappa > 0:
        kappa -= 1
        digit, whole = divmod(whole, 10**kappa)
        if digit or digits:
            digits.append(48 + digit)
        rest = (whole << shift) + part
        if rest <= delta:
            _round_digits(digits, delta, rest, 10**kappa << shift, distance)
            return bytes(digits), power + kappa
    while True:
        part *= 10
        delta *= 10
        digit, part = part >> shift, part & (one - 1)
        if digit or digits:
            digits.append(48 + digit)
        kappa -= 1
        if part < delta:
            unit = 10**-kappa if kappa > -9 else 0
            _round_digits(digits, delta, part, one, distance * unit & _MASK64)
            return bytes(digits), power + kappa


def _round_digits(digits: bytearray, delta: int, rest: int, unit: int, distance: int) -> None:
    """Lowers the last digit while that brings the text closer to the value."""
    while (
        rest < distance
        and delta - rest >= unit
        and (rest + unit < distance or distance - rest > rest + unit - distance)
    ):
        digits[-1] -= 1
        rest += unit
