"""TensorProto to :class:`~server_impl.tensor.Tensor` and back, by TensorFlow's rules [6.4.7, 6.4.9]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from harness.wire import messages as wire
from server_impl.protocol.grpc import varint
from server_impl.tensor import MAX_RANK, NUMPY_DTYPE, OPAQUE_DTYPES, Tensor, shaped

_MAX_ELEMENTS = 2**63 - 1
# A message has less than 2 GiB, so no tensor that was sent in full is larger. One that would only grow
# beyond by repeating its last value is refused before memory is spent on it.
_MAX_FILLED_BYTES = 2**31
# Up to so many, protobuf is quicker than numpy at writing varints.
_FEW_NUMBERS = 1024


class _Encoding(Enum):
    FIXED = auto()  # packed, as in memory
    VARINT = auto()  # packed varints
    BITS = auto()  # packed varints of the bit patterns of 16-bit floats
    BYTES = auto()  # one string with one byte per element
    STRINGS = auto()  # one string per element


class _Layout(NamedTuple):
    """Where the values of a dtype are: in which field, how, and as which elements in memory.

    ``in_memory``: they travel as they lie in memory.
    """

    field: str
    encoding: _Encoding
    dtype: np.dtype[Any]
    tag: bytes
    in_memory: bool


def _layouts() -> dict[int, _Layout]:
    fields = {
        "float_val": (_Encoding.FIXED, [wire.DT_FLOAT]),
        "double_val": (_Encoding.FIXED, [wire.DT_DOUBLE]),
        "scomplex_val": (_Encoding.FIXED, [wire.DT_COMPLEX64]),
        "dcomplex_val": (_Encoding.FIXED, [wire.DT_COMPLEX128]),
        "int_val": (
            _Encoding.VARINT,
            [
                *(wire.DT_INT32, wire.DT_INT16, wire.DT_INT8, wire.DT_UINT16, wire.DT_UINT8),
                *(wire.DT_QINT32, wire.DT_QINT16, wire.DT_QINT8, wire.DT_QUINT16, wire.DT_QUINT8),
                *(wire.DT_INT4, wire.DT_UINT4, wire.DT_INT2, wire.DT_UINT2),
            ],
        ),
        "int64_val": (_Encoding.VARINT, [wire.DT_INT64]),
        "bool_val": (_Encoding.VARINT, [wire.DT_BOOL]),
        "uint32_val": (_Encoding.VARINT, [wire.DT_UINT32]),
        "uint64_val": (_Encoding.VARINT, [wire.DT_UINT64]),
        "half_val": (_Encoding.BITS, [wire.DT_HALF, wire.DT_BFLOAT16]),
        "float8_val": (
            _Encoding.BYTES,
            [
                *(wire.DT_FLOAT8_E5M2, wire.DT_FLOAT8_E4M3FN, wire.DT_FLOAT8_E5M2FNUZ),
                *(wire.DT_FLOAT8_E4M3FNUZ, wire.DT_FLOAT8_E4M3B11FNUZ),
            ],
        ),
        "string_val": (_Encoding.STRINGS, [wire.DT_STRING]),
    }
    numbers = wire.TensorProto.DESCRIPTOR.fields_by_name
    return {
        dtype: _Layout(
            name,
            encoding,
            NUMPY_DTYPE[dtype],
            _tag(numbers[name].number),
            encoding in (_Encoding.FIXED, _Encoding.BYTES),
        )
        for name, (encoding, dtypes) in fields.items()
        for dtype in dtypes
    }


def _tag(field_number: int) -> bytes:
    return varint.encode(field_number << 3 | 2)


_LAYOUTS = _layouts()
_CONTENT_TAG = _tag(wire.TensorProto.TENSOR_CONTENT_FIELD_NUMBER)


def read(message: wire.TensorProto) -> Tensor | None:
    """The tensor that TensorFlow makes of ``message``, None where it refuses it [6.4.7].

    ``tensor_content`` wins over the typed fields and must fit exactly. Of a typed field the surplus is
    dropped, and the last value is repeated where some are missing; without any, all are zero. The array
    may be a read-only view of ``bytes``.
    """
    dtype = message.dtype
    layout = _LAYOUTS.get(dtype)
    dims = message.tensor_shape.dim
    shape = [dims[0].size] if len(dims) == 1 else [dim.size for dim in dims]
    count = _element_count(shape)
    if count is None:
        return None
    if layout is None:
        return _opaque(message, shape, count)
    content = message.tensor_content
    array: np.ndarray[Any, Any] | None
    if count == 0:
        array = np.empty(0, layout.dtype)
    elif not content:
        array = _filled(_values(message, layout, count), count)
    elif layout.encoding is _Encoding.STRINGS:
        array = _string_list(content, count)
    else:
        array = _from_memory(layout.dtype, content, count)
    if array is None:
        return None
    return Tensor(dtype, array if len(shape) == 1 else shaped(array, shape))


def _opaque(message: wire.TensorProto, shape: Sequence[int], count: int) -> Tensor | None:
    """A tensor without elements to look at. Of types of objects none is known."""
    dtype = message.dtype
    if dtype not in OPAQUE_DTYPES:
        return None
    has_type = dtype == wire.DT_VARIANT and any(value.type_name for value in message.variant_val)
    if count and (has_type or message.tensor_content):
        return None
    return Tensor(dtype, shaped(np.empty(count, "V0"), shape))


def _element_count(shape: Sequence[int]) -> int | None:
    """Number of elements, None for a shape that cannot be: negative, too many dimensions or elements.

    As in TensorFlow the product must not overflow on the way, not even if a later dimension is 0.
    """
    if len(shape) > MAX_RANK:
        return None
    count = 1
    for dim in shape:
        count *= dim
        if dim < 0 or count > _MAX_ELEMENTS:
            return None
    return count


def _from_memory(dtype: np.dtype[Any], content: bytes, count: int) -> np.ndarray[Any, Any] | None:
    if len(content) != count * dtype.itemsize:
        return None
    if dtype.kind == "b" and max(content) > 1:
        return None
    return np.frombuffer(content, dtype)


def _values(message: wire.TensorProto, layout: _Layout, count: int) -> np.ndarray[Any, Any]:
    """The first ``count`` values of the field that belongs to the dtype, or as many as there are.

    Numbers are cut to the width of the dtype, as in C++.
    """
    field, encoding, dtype, *_ = layout
    values = getattr(message, field)
    if encoding is _Encoding.STRINGS:
        return _strings(values[:count])
    if encoding is _Encoding.BYTES:
        return np.frombuffer(values[:count], dtype)
    # A repeated field turns into an array as a whole much faster than a slice of it does.
    if encoding is _Encoding.FIXED:
        if dtype.kind != "c":
            return np.asarray(values, dtype)[:count]
        parts = np.asarray(values, np.float32 if dtype.itemsize == 8 else np.float64)
        return parts[: len(parts) // 2 * 2].view(dtype)[:count]
    numbers = np.asarray(values, np.uint64 if field == "uint64_val" else np.int64)[:count]
    if encoding is _Encoding.BITS:
        return numbers.astype(np.uint16).view(dtype)
    return numbers.astype(dtype, copy=False)


def _strings(values: Iterable[bytes]) -> np.ndarray[Any, Any]:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def _filled(values: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any] | None:
    """``values`` and then the last one again until there are ``count``; None if that were too much memory."""
    present = len(values)
    if present == count:
        return values
    if count * values.itemsize > _MAX_FILLED_BYTES:
        return None
    if present:
        rest = values[-1]
    else:
        rest = b"" if values.dtype == object else 0
    try:
        array = np.empty(count, values.dtype)
    except MemoryError:
        return None
    array[:present] = values
    array[present:].fill(rest)  # as it is: other ways cut NULs off the end of bytes
    return array


def _string_list(content: bytes, count: int) -> np.ndarray[Any, Any] | None:
    """Strings as TensorFlow puts them into ``tensor_content``: all lengths as varints, then all bytes."""
    lengths = []
    position = 0
    for _ in range(count):
        length = shift = 0
        while True:
            # A length has at most 32 bits, so five bytes.
            if position == len(content) or shift > 28:
                return None
            octet = content[position]
            position += 1
            length |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                break
        lengths.append(length & 0xFFFFFFFF)
    if sum(lengths) != len(content) - position:
        return None
    strings = []
    for length in lengths:
        strings.append(content[position : position + length])
        position += length
    return _strings(strings)


def write(tensor: Tensor, *, as_content: bool = False) -> tuple[bytes, bytes | memoryview]:
    """A serialised TensorProto in two parts, the second of which may be a view of the tensor's memory.

    All elements go into the typed field of the dtype, or with ``as_content`` into ``tensor_content``
    [6.4.9]. Raises KeyError for a dtype that cannot travel.
    """
    dtype, array = tensor.dtype, tensor.array
    layout = _LAYOUTS[dtype]
    if array.size == 0:
        return _head(dtype, array.shape), b""
    body: bytes | memoryview
    if layout.in_memory:
        body = _memory(array)
    elif layout.encoding is _Encoding.STRINGS:
        strings = array.reshape(-1).tolist()
        if not as_content:
            return _head(dtype, array.shape), wire.TensorProto(string_val=strings).SerializeToString()
        body = b"".join([varint.encode(len(string)) for string in strings] + strings)
    elif as_content:
        body = _memory(array)
    else:
        numbers = array.reshape(-1)
        if layout.encoding is _Encoding.BITS:
            numbers = numbers.view(np.uint16)
        if len(numbers) <= _FEW_NUMBERS:
            field: dict[str, Any] = {layout.field: numbers.tolist()}
            return _head(dtype, array.shape), wire.TensorProto(**field).SerializeToString()
        body = varint.encode_array(numbers)
    return _head_of_bytes(dtype, array.shape, len(body), as_content), body


@lru_cache(maxsize=1024)
def _head(dtype: int, shape: tuple[int, ...]) -> bytes:
    """Dtype and shape: the same for most answers of a model, so worth keeping."""
    dims = [wire.TensorShapeProto.Dim(size=size) for size in shape]
    encoded = wire.TensorShapeProto(dim=dims).SerializeToString()
    return b"\x08" + varint.encode(dtype) + b"\x12" + varint.encode(len(encoded)) + encoded


@lru_cache(maxsize=1024)
def _head_of_bytes(dtype: int, shape: tuple[int, ...], size: int, as_content: bool) -> bytes:
    """All up to the elements, which take ``size`` bytes."""
    tag = _CONTENT_TAG if as_content else _LAYOUTS[dtype].tag
    return _head(dtype, shape) + tag + varint.encode(size)


def _memory(array: np.ndarray[Any, Any]) -> bytes | memoryview:
    # A copy is cheaper than a view unless it is long.
    if array.nbytes < 65536:
        return array.tobytes()
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
