"""Varints, one at a time and as arrays, are what protobuf reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import messages as wire
from server_impl.protocol.grpc import varint

EDGES = [0, 1, 127, 128, 16383, 16384, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
UINT64 = st.integers(0, 2**64 - 1) | st.sampled_from(EDGES) | st.integers(0, 200)


@pytest.mark.parametrize("value", EDGES)
def test_one(value: int) -> None:
    encoded = varint.encode(value)
    message = wire.TensorProto.FromString(b"\x88\x01" + encoded)  # uint64_val, not packed
    assert list(message.uint64_val) == [value]
    assert varint.size(value) == len(encoded)


@given(st.lists(UINT64, max_size=40))
def test_arrays_of_unsigned(values: list[int]) -> None:
    assert varint.encode_array(np.array(values, np.uint64)) == b"".join(map(varint.encode, values))


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=40))
def test_negative_numbers_take_64_bits(values: list[int]) -> None:
    encoded = varint.encode_array(np.array(values, np.int32))
    packed = b"\x3a" + varint.encode(len(encoded)) + encoded
    assert list(wire.TensorProto.FromString(packed).int_val) == values


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.uint16, np.int64])
def test_every_kind_of_element(dtype: type) -> None:
    assert varint.encode_array(np.array([[1, 0], [1, 1]], dtype)) == b"\1\0\1\1"
