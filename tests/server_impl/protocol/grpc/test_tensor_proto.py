"""TensorProto to tensor and back by TensorFlow's rules [6.4.7, 6.4.9]."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import messages as wire
from server_impl.protocol.grpc import tensor_proto
from server_impl.tensor import NUMPY_DTYPE, Tensor


def proto(dtype: int, shape: list[int] | None = None, **fields: object) -> wire.TensorProto:
    message = wire.TensorProto(dtype=dtype, **fields)  # type: ignore[arg-type]
    for size in shape or []:
        message.tensor_shape.dim.add(size=size)
    return message


def read(message: wire.TensorProto) -> Tensor | None:
    return tensor_proto.read(message)


def values(tensor: Tensor | None) -> object:
    assert tensor is not None
    assert tensor.array.dtype == NUMPY_DTYPE[tensor.dtype]
    return tensor.array.tolist()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (proto(wire.DT_FLOAT, [2], float_val=[1.5, 2.5]), [1.5, 2.5]),
        (proto(wire.DT_FLOAT, [4], float_val=[1.5, 2.5]), [1.5, 2.5, 2.5, 2.5]),
        (proto(wire.DT_FLOAT, [1], float_val=[1.5, 2.5]), [1.5]),
        (proto(wire.DT_FLOAT, [2]), [0, 0]),
        (proto(wire.DT_FLOAT, [2], int_val=[3, 4]), [0, 0]),
        (proto(wire.DT_FLOAT, float_val=[1.5, 2.5]), 1.5),
        (proto(wire.DT_FLOAT, [2, 0], float_val=[1.5]), [[], []]),
        (proto(wire.DT_FLOAT, [0], tensor_content=b"rubbish"), []),
        (
            proto(wire.DT_FLOAT, [2], float_val=[1.5], tensor_content=np.array([7, 8], "f4").tobytes()),
            [7, 8],
        ),
        (proto(wire.DT_INT8, [3], int_val=[7, 300, -129]), [7, 44, 127]),
        (proto(wire.DT_UINT16, [2], int_val=[70000, -1]), [4464, 65535]),
        (proto(wire.DT_QINT8, [3], int_val=[-3]), [-3, -3, -3]),
        (proto(wire.DT_UINT64, [1], uint64_val=[2**64 - 1]), [2**64 - 1]),
        (proto(wire.DT_BOOL, [3], bool_val=[True, False]), [True, False, False]),
        (proto(wire.DT_HALF, [3], half_val=[0x3E00, 0x13E00]), [1.5, 1.5, 1.5]),
        (proto(wire.DT_BFLOAT16, [1], half_val=[0x3FC0]), [1.5]),
        (proto(wire.DT_FLOAT8_E5M2, [3], float8_val=b"\x3c\x40"), [1, 2, 2]),
        (proto(wire.DT_COMPLEX64, [2], scomplex_val=[1, 2, 3]), [1 + 2j, 1 + 2j]),
        (proto(wire.DT_COMPLEX128, [1], dcomplex_val=[1]), [0]),
        (proto(wire.DT_STRING, [3], string_val=[b"a", b"\xff"]), [b"a", b"\xff", b"\xff"]),
        (proto(wire.DT_STRING, [2]), [b"", b""]),
        (proto(wire.DT_STRING, [2], tensor_content=b"\x01\x02abc"), [b"a", b"bc"]),
        (proto(wire.DT_STRING, [3], string_val=[b"a\0", b"\xff\0\0"]), [b"a\0", b"\xff\0\0", b"\xff\0\0"]),
        (proto(wire.DT_INT4, [4], int_val=[7, 8, -1]), [7, -8, -1, -1]),
        (proto(wire.DT_UINT2, [3], int_val=[3, 4, -1]), [3, 0, 3]),
        (proto(wire.DT_INT32, [2**40, 0, 2**40][1:], int_val=[1]), []),
    ],
)
def test_reading(message: wire.TensorProto, expected: object) -> None:
    assert values(read(message)) == expected


@pytest.mark.parametrize("shape", [[2, *[1] * 253], [0] * 254, [2**62, 0], [0, 2**40, 2**40]])
@pytest.mark.parametrize("as_content", [False, True])
def test_shapes_beyond_those_of_numpy(shape: list[int], as_content: bool) -> None:
    tensor = read(proto(wire.DT_FLOAT, shape, float_val=[1.5, 2.5]))
    assert tensor is not None
    assert tensor.array.shape == tuple(shape)
    message = written(tensor, as_content=as_content)
    assert [dim.size for dim in message.tensor_shape.dim] == shape
    assert same(read(message), tensor)
    assert tensor.array.size == 0 or tensor.array.ravel().tolist() == [1.5, 2.5]


@pytest.mark.parametrize("dtype", [wire.DT_RESOURCE, wire.DT_VARIANT])
def test_objects_of_tensorflow_have_a_shape_only(dtype: int) -> None:
    tensor = read(proto(dtype, [2, 3]))
    assert tensor is not None
    assert (tensor.dtype, tensor.array.shape, tensor.array.nbytes) == (dtype, (2, 3), 0)


def test_unknown_rank_is_a_scalar() -> None:
    message = proto(wire.DT_FLOAT, float_val=[1.5])
    message.tensor_shape.unknown_rank = True
    assert values(read(message)) == 1.5


@pytest.mark.parametrize(
    "message",
    [
        proto(wire.DT_FLOAT, [3], tensor_content=bytes(11)),
        proto(wire.DT_FLOAT, [3], tensor_content=bytes(13)),
        proto(wire.DT_FLOAT, [-1], float_val=[1]),
        proto(wire.DT_FLOAT, [2, -2], float_val=[1]),
        proto(wire.DT_INVALID, [1], float_val=[1]),
        proto(wire.DT_FLOAT_REF, [1], float_val=[1]),
        proto(wire.DT_FLOAT, [2**40, 2**40], float_val=[1]),
        # The product overflows before the 0 is reached.
        proto(wire.DT_FLOAT, [2**40, 2**40, 0]),
        proto(wire.DT_FLOAT, [1] * 255, float_val=[1]),
        proto(wire.DT_BOOL, [2], tensor_content=b"\x01\x02"),
        proto(wire.DT_RESOURCE, [1], tensor_content=b"a"),
        proto(wire.DT_VARIANT, [1], variant_val=[{"type_name": "int"}]),
        proto(wire.DT_STRING, [2], tensor_content=b"\x01\x02abcd"),
        proto(wire.DT_STRING, [2], tensor_content=b"\x01\x83"),
        proto(wire.DT_STRING, [1], tensor_content=b"\xff\xff\xff\xff\xff\x01a"),
    ],
)
def test_not_a_tensor(message: wire.TensorProto) -> None:
    assert read(message) is None


@pytest.mark.parametrize("dtype", [wire.DT_FLOAT, wire.DT_STRING, wire.DT_INT8])
def test_few_bytes_cannot_ask_for_much_memory(dtype: int) -> None:
    message = proto(dtype, [2**40], float_val=[1], string_val=[b"a"], int_val=[1])
    assert read(message) is None


def same(one: Tensor | None, other: Tensor | None) -> bool:
    """Equal down to the bits."""
    if one is None or other is None:
        return one is other
    if one.array.dtype == object:
        alike = one.array.tolist() == other.array.tolist()
    else:
        alike = one.array.tobytes() == other.array.tobytes()
    return alike and one.dtype == other.dtype and one.array.shape == other.array.shape


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x2a\x04\0\0\x80?" + b"\x2d\0\0\0@", [1, 2]),  # packed, then not
        (b"\x2d\0\0\0@" + b"\x2a\x08\0\0\x80?\0\0\x40@", [2, 1]),
        (b"\x2a\x04\0\0\x80?" + b"\x2a\x04\0\0\0@", [1, 2]),
    ],
)
def test_numbers_may_be_sent_in_pieces(payload: bytes, expected: list[float]) -> None:
    payload = proto(wire.DT_FLOAT, [2]).SerializeToString() + payload
    assert values(read(wire.TensorProto.FromString(payload))) == expected


INTEGERS = {
    wire.DT_INT8: ("int_val", 32),
    wire.DT_UINT16: ("int_val", 32),
    wire.DT_INT32: ("int_val", 32),
    wire.DT_INT64: ("int64_val", 64),
}


@given(st.sampled_from(sorted(INTEGERS)), st.integers(1, 6), st.data())
def test_cut_dropped_and_repeated(dtype: int, count: int, data: st.DataObject) -> None:
    field, bits = INTEGERS[dtype]
    number = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    sent = data.draw(st.lists(number, max_size=8))
    kept = [int(np.array(each).astype(NUMPY_DTYPE[dtype])) for each in sent[:count]]
    kept += (kept[-1:] or [0]) * (count - len(kept))
    assert values(read(proto(dtype, [count], **{field: sent}))) == kept


def test_bits_of_floats_are_kept() -> None:
    patterns = np.array([0x7F800001, 0xFFC00123, 0x80000000, 1], np.uint32)
    floats = patterns.tobytes()
    for payload in (b"\x22\x10" + floats, b"\x2a\x10" + floats):
        message = wire.TensorProto.FromString(proto(wire.DT_FLOAT, [4]).SerializeToString() + payload)
        tensor = read(message)
        assert tensor is not None
        assert tensor.array.tobytes() == floats


# Writing.

SAMPLES = [
    (wire.DT_FLOAT, [1.5, -0.0, 1e-45], "float_val"),
    (wire.DT_DOUBLE, [1.5, -2.0], "double_val"),
    (wire.DT_INT32, [-(2**31), 2**31 - 1, 5], "int_val"),
    (wire.DT_INT16, [-5, 200], "int_val"),
    (wire.DT_INT8, [-128, 127], "int_val"),
    (wire.DT_UINT8, [0, 255], "int_val"),
    (wire.DT_UINT16, [0, 65535], "int_val"),
    (wire.DT_QINT8, [-3], "int_val"),
    (wire.DT_QUINT8, [200], "int_val"),
    (wire.DT_QINT32, [-70000], "int_val"),
    (wire.DT_INT64, [-(2**63), 2**63 - 1, 0], "int64_val"),
    (wire.DT_UINT32, [2**32 - 1], "uint32_val"),
    (wire.DT_UINT64, [2**64 - 1], "uint64_val"),
    (wire.DT_BOOL, [True, False], "bool_val"),
    (wire.DT_HALF, [1.5, -2.0], "half_val"),
    (wire.DT_BFLOAT16, [1.5, -2.0], "half_val"),
    (wire.DT_FLOAT8_E4M3FN, [1.5, -2.0], "float8_val"),
    (wire.DT_FLOAT8_E5M2FNUZ, [1.5, -2.0], "float8_val"),
    (wire.DT_INT4, [-8, 7], "int_val"),
    (wire.DT_UINT2, [0, 3], "int_val"),
    (wire.DT_COMPLEX64, [1 + 2j, -1j], "scomplex_val"),
    (wire.DT_COMPLEX128, [1 + 2j], "dcomplex_val"),
    (wire.DT_STRING, [b"", b"\xff\x00", b"x" * 300], "string_val"),
]


def written(tensor: Tensor, *, as_content: bool = False) -> wire.TensorProto:
    return wire.TensorProto.FromString(b"".join(tensor_proto.write(tensor, as_content=as_content)))


def sample(dtype: int, elements: list[object], shape: tuple[int, ...] = (-1,)) -> Tensor:
    return Tensor(dtype, np.array(elements, dtype=NUMPY_DTYPE[dtype]).reshape(shape))


@pytest.mark.parametrize(("dtype", "elements", "field"), SAMPLES)
def test_writing_to_typed_fields(dtype: int, elements: list[object], field: str) -> None:
    tensor = sample(dtype, elements, (1, len(elements), 1))
    message = written(tensor)
    present = {descriptor.name for descriptor, _ in message.ListFields()}
    assert present == {"dtype", "tensor_shape", field}
    assert [dim.size for dim in message.tensor_shape.dim] == [1, len(elements), 1]
    assert same(read(message), tensor)


@pytest.mark.parametrize(("dtype", "elements", "field"), SAMPLES)
def test_writing_to_tensor_content(dtype: int, elements: list[object], field: str) -> None:
    tensor = sample(dtype, elements)
    message = written(tensor, as_content=True)
    assert {descriptor.name for descriptor, _ in message.ListFields()} == {
        "dtype",
        "tensor_shape",
        "tensor_content",
    }
    assert same(read(message), tensor)


def test_strings_as_content_are_lengths_then_bytes() -> None:
    message = written(sample(wire.DT_STRING, [b"abc", b"", b"\xff"]), as_content=True)
    assert message.tensor_content == b"\x03\x00\x01abc\xff"


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("shape", [(0,), (2, 0)])
@pytest.mark.parametrize("dtype", [wire.DT_FLOAT, wire.DT_STRING, wire.DT_INT64, wire.DT_HALF])
def test_writing_no_elements(dtype: int, shape: tuple[int, ...], as_content: bool) -> None:
    message = written(sample(dtype, [], shape), as_content=as_content)
    assert {descriptor.name for descriptor, _ in message.ListFields()} == {"dtype", "tensor_shape"}
    assert same(read(message), sample(dtype, [], shape))


def test_scalars_have_an_empty_shape() -> None:
    message = written(Tensor(wire.DT_FLOAT, np.array(2, np.float32)))
    assert message.HasField("tensor_shape")
    assert list(message.float_val) == [2]
    assert not message.tensor_shape.dim


def test_long_and_strided_arrays() -> None:
    array = np.arange(60_000, dtype=np.float32).reshape(300, 200).T
    assert same(read(written(Tensor(wire.DT_FLOAT, array))), Tensor(wire.DT_FLOAT, array.copy()))


@pytest.mark.parametrize("count", [1, 1024, 1025])
@pytest.mark.parametrize("dtype", [wire.DT_INT32, wire.DT_UINT64, wire.DT_BOOL, wire.DT_HALF])
def test_few_and_many_numbers(dtype: int, count: int) -> None:
    elements = np.random.default_rng(1).integers(-(2**15), 2**15, count)
    tensor = Tensor(dtype, elements.astype(NUMPY_DTYPE[dtype]))
    assert same(read(written(tensor)), tensor)


def test_equal_values_are_all_written() -> None:
    assert len(written(Tensor(wire.DT_FLOAT, np.ones(300, np.float32))).float_val) == 300
