"""TensorProto to numpy and back, as a client needs it.

Independent of the server's own codec on purpose: a mistake shared by both would go unseen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from harness.wire import messages as wire

#: A tensor in memory; strings are object arrays of ``bytes``.
Array = np.ndarray[Any, np.dtype[Any]]


class _Kind(NamedTuple):
    """How a dtype travels: its numpy dtype, its ``*_val`` field, and what the field's numbers are."""

    numpy: np.dtype[Any]
    field: str
    numbers: np.dtype[Any] | None = None


_KINDS: dict[int, _Kind] = {
    wire.DT_FLOAT: _Kind(np.dtype(np.float32), "float_val"),
    wire.DT_DOUBLE: _Kind(np.dtype(np.float64), "double_val"),
    wire.DT_INT8: _Kind(np.dtype(np.int8), "int_val"),
    wire.DT_INT16: _Kind(np.dtype(np.int16), "int_val"),
    wire.DT_INT32: _Kind(np.dtype(np.int32), "int_val"),
    wire.DT_UINT8: _Kind(np.dtype(np.uint8), "int_val"),
    wire.DT_UINT16: _Kind(np.dtype(np.uint16), "int_val"),
    wire.DT_INT64: _Kind(np.dtype(np.int64), "int64_val"),
    wire.DT_UINT32: _Kind(np.dtype(np.uint32), "uint32_val"),
    wire.DT_UINT64: _Kind(np.dtype(np.uint64), "uint64_val"),
    wire.DT_BOOL: _Kind(np.dtype(np.bool_), "bool_val"),
    # Sixteen bits of pattern in each int.
    wire.DT_HALF: _Kind(np.dtype(np.float16), "half_val", np.dtype(np.uint16)),
    wire.DT_BFLOAT16: _Kind(np.dtype(ml_dtypes.bfloat16), "half_val", np.dtype(np.uint16)),
    # Real and imaginary parts in turn.
    wire.DT_COMPLEX64: _Kind(np.dtype(np.complex64), "scomplex_val", np.dtype(np.float32)),
    wire.DT_COMPLEX128: _Kind(np.dtype(np.complex128), "dcomplex_val", np.dtype(np.float64)),
    wire.DT_STRING: _Kind(np.dtype(object), "string_val"),
}

_DTYPE = {kind.numpy: dtype for dtype, kind in _KINDS.items()}


def dtype_name(dtype: int) -> str:
    """TensorFlow's name of a dtype number: ``DT_FLOAT``; the number itself if it has none."""
    enum = wire.TensorProto.DESCRIPTOR.fields_by_name["dtype"].enum_type
    assert enum is not None, "dtype is an enum"
    value = enum.values_by_number.get(dtype)
    return str(dtype) if value is None else value.name


def numpy_dtype(name: str) -> np.dtype[Any] | None:
    """The numpy dtype for TensorFlow's name of one, ``DT_FLOAT``; None where this module has none."""
    enum = wire.TensorProto.DESCRIPTOR.fields_by_name["dtype"].enum_type
    assert enum is not None, "dtype is an enum"
    value = enum.values_by_name.get(name)
    kind = None if value is None else _KINDS.get(value.number)
    return None if kind is None else kind.numpy


def to_proto(array: Array, *, content: bool = True) -> wire.TensorProto:
    """``array`` as a message: its bytes in ``tensor_content``, or in the typed field if not ``content``.

    Strings (object arrays of ``bytes``) always use the typed field. Raises KeyError for a dtype that
    TensorFlow does not have.
    """
    dtype = _DTYPE[array.dtype]
    proto = wire.TensorProto(dtype=dtype)  # type: ignore[arg-type]
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    kind = _KINDS[dtype]
    if content and dtype != wire.DT_STRING:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
        return proto
    flat = array.ravel()
    values = flat if kind.numbers is None else flat.view(kind.numbers)
    getattr(proto, kind.field).extend(values.tolist())
    return proto


def from_proto(proto: wire.TensorProto) -> Array:
    """The tensor in ``proto``, read as TensorFlow reads it.

    A short typed field repeats its last value, an empty one means zeros [6.4.7]. Raises ValueError
    where elements and shape do not fit, KeyError for a dtype not handled here.
    """
    kind = _KINDS[proto.dtype]
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, kind.numpy).reshape(shape)
    values: Iterable[Any] = getattr(proto, kind.field)
    if kind.numbers is None:
        flat = np.array(list(values), kind.numpy)
    else:
        flat = np.array(list(values), kind.numbers).view(kind.numpy)
    missing = int(np.prod(shape)) - len(flat)
    if missing > 0:
        fill = flat[-1:] if len(flat) else np.array([b"" if proto.dtype == wire.DT_STRING else 0], kind.numpy)
        flat = np.concatenate([flat, np.repeat(fill, missing)])
    return flat.reshape(shape)
