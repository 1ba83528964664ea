"""TensorProto to tensor and back by TensorFlow's rules, quickly and exactly [6.4.7, 6.4.9]."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.wire import messages as wire
from harness.wire import packed
from server_impl.protocol import tensor_proto, varint
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


# The exact way.


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
        (proto(wire.DT_BOOL, [2], tensor_content=b"\x00\x02"), [False, True]),
        (proto(wire.DT_HALF, [3], half_val=[0x3E00, 0x13E00]), [1.5, 1.5, 1.5]),
        (proto(wire.DT_BFLOAT16, [1], half_val=[0x3FC0]), [1.5]),
        (proto(wire.DT_FLOAT8_E5M2, [3], float8_val=b"\x3c\x40"), [1, 2, 2]),
        (proto(wire.DT_COMPLEX64, [2], scomplex_val=[1, 2, 3]), [1 + 2j, 1 + 2j]),
        (proto(wire.DT_COMPLEX128, [1], dcomplex_val=[1]), [0]),
        (proto(wire.DT_STRING, [3], string_val=[b"a", b"\xff"]), [b"a", b"\xff", b"\xff"]),
        (proto(wire.DT_STRING, [2]), [b"", b""]),
        (proto(wire.DT_STRING, [2], tensor_content=b"\x01\x02abc"), [b"a", b"bc"]),
        (proto(wire.DT_INT32, [2**40, 0, 2**40][1:], int_val=[1]), []),
    ],
)
def test_reading(message: wire.TensorProto, expected: object) -> None:
    assert values(read(message)) == expected


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


# The quick way.


def read_quickly(message: wire.TensorProto, payload: bytes | None = None) -> Tensor | None:
    """What the quick way gives if the size says that it saw everything."""
    payload = message.SerializeToString() if payload is None else payload
    quick = tensor_proto.read_packed(packed.Tensor.FromString(payload))
    return quick[0] if quick is not None and quick[1] == len(payload) else None


@pytest.mark.parametrize(
    "message",
    [
        proto(wire.DT_FLOAT, [3], float_val=[1, 2, 5]),
        proto(wire.DT_FLOAT, [3], tensor_content=bytes(12)),
        proto(wire.DT_FLOAT, [1, 2, 3], tensor_content=bytes(24)),
        proto(wire.DT_FLOAT, float_val=[1]),
        proto(wire.DT_DOUBLE, [1], double_val=[1]),
        proto(wire.DT_INT64, [300], int64_val=range(-150, 150)),
        proto(wire.DT_INT32, [3], int_val=[1, -1, 70000]),
        proto(wire.DT_UINT32, [1], uint32_val=[2**32 - 1]),
        proto(wire.DT_UINT64, [1], uint64_val=[2**64 - 1]),
        proto(wire.DT_BOOL, [2], bool_val=[True, False]),
        proto(wire.DT_HALF, [2], half_val=[1, 65535]),
        proto(wire.DT_COMPLEX64, [1], scomplex_val=[1, 2]),
        proto(wire.DT_STRING, [2], string_val=[b"", b"x" * 200]),
    ],
)
def test_what_clients_send_is_read_quickly(message: wire.TensorProto) -> None:
    quick = read_quickly(message)
    assert quick is not None
    assert same(quick, read(message))


def same(one: Tensor | None, other: Tensor | None) -> bool:
    """Equal down to the bits."""
    if one is None or other is None:
        return one is other
    if one.array.dtype == object:
        alike = one.array.tolist() == other.array.tolist()
    else:
        alike = one.array.tobytes() == other.array.tobytes()
    return alike and one.dtype == other.dtype and one.array.shape == other.array.shape


FIELDS = wire.TensorProto.DESCRIPTOR.fields_by_name
DTYPES = sorted({*NUMPY_DTYPE, wire.DT_INVALID, wire.DT_FLOAT_REF, wire.DT_RESOURCE})
NUMBER_FIELDS = [
    name for name in FIELDS if name.endswith("_val") and name not in ("string_val", "float8_val")
]


@st.composite
def field_bytes(draw: st.DrawFn) -> bytes:
    """One field of a TensorProto with values, packed or not, or something that does not belong there."""
    name = draw(st.sampled_from([*NUMBER_FIELDS, "string_val", "tensor_content", "version_number", "junk"]))
    if name == "junk":
        return b"\xa0\x06" + varint.encode(draw(st.integers(0, 300)))
    if name == "version_number":
        return b"\x18\x07"
    tag = FIELDS[name].number << 3
    if name in ("string_val", "tensor_content"):
        content = draw(st.binary(max_size=16) | st.just(bytes(8)))
        return varint.encode(tag | 2) + varint.encode(len(content)) + content
    count = draw(st.integers(1, 5))
    width = {"float_val": 4, "scomplex_val": 4, "double_val": 8, "dcomplex_val": 8}.get(name)
    if width:
        numbers = [
            draw(st.sampled_from([b"\0\0\x80?\1\2\3\4", b"\0\0\0@\0\0\0@"]))[:width] for _ in range(count)
        ]
        wire_type = 5 if width == 4 else 1
    else:
        edges = st.sampled_from([0, 1, 127, 128, 300, 70000, 2**31, 2**63, 2**64 - 1])
        numbers = [varint.encode(draw(edges)) for _ in range(count)]
        wire_type = 0
    if draw(st.booleans()):
        joined = b"".join(numbers)
        return varint.encode(tag | 2) + varint.encode(len(joined)) + joined
    return b"".join(varint.encode(tag | wire_type) + number for number in numbers)


def shape_bytes(shape: list[int]) -> bytes:
    encoded = proto(wire.DT_INVALID, shape).tensor_shape.SerializeToString()
    return b"\x12" + varint.encode(len(encoded)) + encoded


@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.none() | st.lists(st.integers(-1, 4), max_size=3) | st.just([1]),
    fields=st.lists(field_bytes(), max_size=3),
    shuffled=st.randoms(use_true_random=False),
)
@example(wire.DT_FLOAT, [2], [b"\x2a\x04\0\0\x80?", b"\x2d\0\0\0@"], None)  # packed, then unpacked
@example(wire.DT_FLOAT, [1], [b"\x2d\0\0\0@", b"\x2a\x04\0\0\x80?"], None)  # unpacked, then packed
@example(wire.DT_INT32, [2], [b"\x3a\x01\x01", b"\x3a\x01\x02"], None)  # two chunks
def test_quick_way_agrees_with_the_exact_one(
    dtype: int, shape: list[int] | None, fields: list[bytes], shuffled: object
) -> None:
    parts = [b"\x08" + varint.encode(dtype), *fields]
    if shape is not None:
        parts.append(shape_bytes(shape))
    if shuffled is not None:
        shuffled.shuffle(parts)  # type: ignore[attr-defined]
    payload = b"".join(parts)
    exact = read(wire.TensorProto.FromString(payload))
    quick = read_quickly(wire.TensorProto(), payload)
    assert quick is None or same(quick, exact)


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
