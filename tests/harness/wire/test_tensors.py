from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.wire import messages as wire
from harness.wire import tensors

PLAIN = [
    np.float16,
    np.float32,
    np.float64,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.bool_,
    np.complex64,
    np.complex128,
]
SHAPES = hnp.array_shapes(min_dims=0, min_side=0, max_side=4)


@given(st.sampled_from(PLAIN).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)), st.booleans())
def test_round_trip(array: tensors.Array, content: bool) -> None:
    back = tensors.from_proto(tensors.to_proto(array, content=content))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


@given(hnp.arrays(object, SHAPES, elements=st.binary()))
def test_strings_round_trip(array: tensors.Array) -> None:
    back = tensors.from_proto(tensors.to_proto(array))
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


def test_bfloat16_round_trip() -> None:
    array = np.array([1.5, -0.0, np.inf, np.nan], ml_dtypes.bfloat16)
    for content in (True, False):
        back = tensors.from_proto(tensors.to_proto(array, content=content))
        assert back.tobytes() == array.tobytes()


def test_halves_travel_as_bit_patterns() -> None:
    proto = tensors.to_proto(np.array([1.0, -2.0], np.float16), content=False)
    assert list(proto.half_val) == [0x3C00, 0xC000]


def test_complex_numbers_travel_as_pairs() -> None:
    proto = tensors.to_proto(np.array([1 + 2j], np.complex64), content=False)
    assert list(proto.scomplex_val) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("values", "expected"), [([], [0, 0, 0]), ([7], [7, 7, 7]), ([1, 2], [1, 2, 2]), ([1, 2, 3], [1, 2, 3])]
)
def test_short_fields_repeat_their_last_value(values: list[int], expected: list[int]) -> None:
    proto = wire.TensorProto(dtype=wire.DT_INT64, int64_val=values)
    proto.tensor_shape.dim.add(size=3)
    assert tensors.from_proto(proto).tolist() == expected


def test_content_that_does_not_fit_is_an_error() -> None:
    proto = tensors.to_proto(np.zeros(3, np.float32))
    proto.tensor_shape.dim[0].size = 4
    with pytest.raises(ValueError, match="reshape"):
        tensors.from_proto(proto)


def test_scalars_have_a_shape() -> None:
    proto = tensors.to_proto(np.array(2.0, np.float32))
    assert proto.HasField("tensor_shape")
    assert not proto.tensor_shape.dim


@pytest.mark.parametrize(("number", "name"), [(1, "DT_FLOAT"), (14, "DT_BFLOAT16"), (999, "999")])
def test_names(number: int, name: str) -> None:
    assert tensors.dtype_name(number) == name
