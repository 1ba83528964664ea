"""A tensor in memory: a TensorFlow dtype and a numpy array."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import ml_dtypes
import numpy as np
from msgspec import Struct

from harness.wire import messages as wire

#: numpy dtype of the elements of each TensorFlow dtype. Quantised types share the storage of their
#: plain integers and are told apart by ``Tensor.dtype`` alone; strings are objects (``bytes``).
NUMPY_DTYPE: dict[int, np.dtype[Any]] = {
    wire.DT_FLOAT: np.dtype(np.float32),
    wire.DT_DOUBLE: np.dtype(np.float64),
    wire.DT_INT32: np.dtype(np.int32),
    wire.DT_UINT8: np.dtype(np.uint8),
    wire.DT_INT16: np.dtype(np.int16),
    wire.DT_INT8: np.dtype(np.int8),
    wire.DT_STRING: np.dtype(object),
    wire.DT_COMPLEX64: np.dtype(np.complex64),
    wire.DT_INT64: np.dtype(np.int64),
    wire.DT_BOOL: np.dtype(np.bool_),
    wire.DT_QINT8: np.dtype(np.int8),
    wire.DT_QUINT8: np.dtype(np.uint8),
    wire.DT_QINT32: np.dtype(np.int32),
    wire.DT_BFLOAT16: np.dtype(ml_dtypes.bfloat16),
    wire.DT_QINT16: np.dtype(np.int16),
    wire.DT_QUINT16: np.dtype(np.uint16),
    wire.DT_UINT16: np.dtype(np.uint16),
    wire.DT_COMPLEX128: np.dtype(np.complex128),
    wire.DT_HALF: np.dtype(np.float16),
    wire.DT_UINT32: np.dtype(np.uint32),
    wire.DT_UINT64: np.dtype(np.uint64),
    wire.DT_FLOAT8_E5M2: np.dtype(ml_dtypes.float8_e5m2),
    wire.DT_FLOAT8_E4M3FN: np.dtype(ml_dtypes.float8_e4m3fn),
    wire.DT_FLOAT8_E4M3FNUZ: np.dtype(ml_dtypes.float8_e4m3fnuz),
    wire.DT_FLOAT8_E4M3B11FNUZ: np.dtype(ml_dtypes.float8_e4m3b11fnuz),
    wire.DT_FLOAT8_E5M2FNUZ: np.dtype(ml_dtypes.float8_e5m2fnuz),
    wire.DT_INT4: np.dtype(ml_dtypes.int4),
    wire.DT_UINT4: np.dtype(ml_dtypes.uint4),
    wire.DT_INT2: np.dtype(ml_dtypes.int2),
    wire.DT_UINT2: np.dtype(ml_dtypes.uint2),
}

#: Dtypes whose elements are TensorFlow's own objects. Clients can send them, so errors must be able to
#: name them; nothing more is done with them, and their arrays hold nothing but a shape.
OPAQUE_DTYPES = frozenset((wire.DT_RESOURCE, wire.DT_VARIANT))

#: The word for each dtype in TensorFlow's texts (``float``, ``int64``, ``half`` ...).
DTYPE_NAME: dict[int, str] = {
    wire.DT_INVALID: "INVALID",
    wire.DT_FLOAT: "float",
    wire.DT_DOUBLE: "double",
    wire.DT_INT32: "int32",
    wire.DT_UINT8: "uint8",
    wire.DT_INT16: "int16",
    wire.DT_INT8: "int8",
    wire.DT_STRING: "string",
    wire.DT_COMPLEX64: "complex64",
    wire.DT_INT64: "int64",
    wire.DT_BOOL: "bool",
    wire.DT_QINT8: "qint8",
    wire.DT_QUINT8: "quint8",
    wire.DT_QINT32: "qint32",
    wire.DT_BFLOAT16: "bfloat16",
    wire.DT_QINT16: "qint16",
    wire.DT_QUINT16: "quint16",
    wire.DT_UINT16: "uint16",
    wire.DT_COMPLEX128: "complex128",
    wire.DT_HALF: "half",
    wire.DT_RESOURCE: "resource",
    wire.DT_VARIANT: "variant",
    wire.DT_UINT32: "uint32",
    wire.DT_UINT64: "uint64",
    wire.DT_FLOAT8_E5M2: "float8_e5m2",
    wire.DT_FLOAT8_E4M3FN: "float8_e4m3fn",
    wire.DT_FLOAT8_E4M3FNUZ: "float8_e4m3fnuz",
    wire.DT_FLOAT8_E4M3B11FNUZ: "float8_e4m3b11fnuz",
    wire.DT_FLOAT8_E5M2FNUZ: "float8_e5m2fnuz",
    wire.DT_INT4: "int4",
    wire.DT_UINT4: "uint4",
    wire.DT_INT2: "int2",
    wire.DT_UINT2: "uint2",
}


#: TensorFlow takes no tensor of more dimensions [A17].
MAX_RANK = 254


class Tensor(Struct, frozen=True):
    """One tensor: ``dtype`` is a number of ``wire.DataType``, ``array`` holds its elements.

    ``array`` has the dtype that ``NUMPY_DTYPE`` gives, any rank (a scalar has shape ``()``), and is
    read-only to whoever receives it. Strings are an object array of ``bytes``.
    """

    dtype: int
    array: np.ndarray[Any, Any]


def shaped(array: np.ndarray[Any, Any], shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """A view of the elements of ``array`` with any ``shape`` that TensorFlow allows, beyond numpy's too."""
    try:
        return array.reshape(shape)
    except ValueError:
        return _OtherShape.of(array, tuple(shape))


class _OtherShape(np.ndarray[Any, Any]):
    """An array that tells a shape which numpy cannot hold; numpy itself sees rows of elements.

    Either it has too many dimensions, or it is empty and the product of the others is too large. Rows can
    be sliced and repeated, elements taken in order: more is not done to tensors.
    """

    told: tuple[int, ...]

    @classmethod
    def of(cls, array: np.ndarray[Any, Any], shape: tuple[int, ...]) -> _OtherShape:
        other = array.reshape(shape[0] if array.size else 0, prod(shape[1:]) if array.size else 0).view(cls)
        other.told = shape
        return other

    def __array_finalize__(self, parent: object) -> None:
        self.told = getattr(parent, "told", ())

    @property  # type: ignore[misc]  # nobody sets the shape of an array
    def shape(self) -> tuple[int, ...]:
        rows: tuple[int, ...] = super().shape
        if len(rows) != 2:
            return rows  # the elements
        return (rows[0], *self.told[1:]) if self.size else self.told

    @property
    def ndim(self) -> int:
        return len(self.shape)
