"""Numbers in and out: bounds of the guards, and agreement of the scalar and the array code."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_impl.protocol.json.floats import format_floats
from server_impl.protocol.json.number import is_near_float32_tie, read_number, to_float32

PROFILE = settings(derandomize=True, deadline=None, max_examples=500)


def ordinal(value: float) -> int:
    """Doubles numbered in order, so that neighbours differ by one."""
    (bits,) = struct.unpack("q", struct.pack("d", value))
    return int(bits) if bits >= 0 else -int(bits & (2**63 - 1))


@PROFILE
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,23})(\.[0-9]{1,24})?([eE]-?[0-9]{1,2})?", fullmatch=True))
def test_doubles_are_close_to_the_nearest(text: str) -> None:
    """The bound on which ``is_near_float32_tie`` rests, and exactness up to 15 digits without exponent."""
    value, end = read_number(text.encode() + b"\0", 0)
    assert end == len(text)
    assert abs(ordinal(float(value)) - ordinal(float(text))) <= 32
    if len(text) <= 16 and "e" not in text.lower():
        assert float(value) == float(text)


@pytest.mark.parametrize(
    ("double", "expected"),
    [
        (1e39, math.inf),
        (-1e39, -math.inf),
        (16777217.0, 16777216.0),
        (2.0**-126, 2.0**-126),
        (2.0**-126 * (1 - 2.0**-25), 2.0**-126),
        (2.0**-126 * (1 - 2.0**-24.5), 0.0),
        (-(2.0**-149), -0.0),
        (0.1, 0.10000000149011612),
    ],
)
def test_to_float32(double: float, expected: float) -> None:
    single = float(to_float32(np.array([double]))[0])
    assert single == expected
    assert math.copysign(1, single) == math.copysign(1, expected)


@PROFILE
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-32, 32))
def test_the_tie_guard_covers_every_change(double: float, ulps: int) -> None:
    """Where a double nearby becomes another float32, the guard has spoken up."""
    bits = struct.unpack("q", struct.pack("d", abs(double)))[0] + ulps
    nearby = math.copysign(struct.unpack("d", struct.pack("q", max(bits, 0)))[0], double)
    if math.isfinite(nearby) and not is_near_float32_tie(np.array([double]))[0]:
        assert to_float32(np.array([nearby]))[0] == to_float32(np.array([double]))[0]


@PROFILE
@given(st.integers(0, 2**32 - 1))
def test_the_tie_guard_at_ties(bits: int) -> None:
    single = struct.unpack("f", struct.pack("I", bits))[0]
    if math.isfinite(single):
        middle = struct.unpack("q", struct.pack("d", single))[0] & ~(2**29 - 1) | 2**28
        ties = (middle + np.arange(-33, 34)).view(np.float64)
        assert is_near_float32_tie(ties).tolist() == [False] + [True] * 65 + [False]


def reference(value: float, dtype: type[np.floating]) -> bytes:
    """The rule of 5.8.4, word for word."""
    if not math.isfinite(value):
        return b"NaN" if math.isnan(value) else b"Infinity" if value > 0 else b"-Infinity"
    if abs(value) < np.finfo(dtype).tiny:
        return b"-0.0" if math.copysign(1, value) < 0 else b"0.0"
    text = f"{value:.6g}"
    if float(dtype(text)) != value:
        text = f"{value:.9g}" if dtype is np.float32 else f"{value:.17g}"
    return (text if "." in text or "e" in text else text + ".0").encode()


@PROFILE
@given(
    st.lists(
        st.one_of(
            st.integers(0, 2**32 - 1).map(lambda bits: struct.unpack("f", struct.pack("I", bits))[0]),
            st.integers(-999999, 999999).map(float),
            st.tuples(st.integers(-9999999, 9999999), st.integers(-50, 40)).map(
                lambda pair: pair[0] * 10.0 ** pair[1]
            ),
            st.sampled_from(
                [0.0, -0.0, 1e6, 999999.5, 123456.7, 1e-5, 1e9, 1e10, 16777216.0, 1e-45, 1e17, 1e22]
            ),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_float_texts(values: list[float]) -> None:
    """One by one and all at once, both as the rule has it."""
    for dtype in (np.float32, np.float64):
        with np.errstate(over="ignore"):
            array = np.array(values).astype(dtype)
        expected = [reference(value, dtype) for value in array.tolist()]
        assert [format_floats(array[i : i + 1])[0] for i in range(len(array))] == expected
        assert format_floats(np.tile(array, 25))[: len(array)] == expected
