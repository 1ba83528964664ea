"""Tensors of TensorFlow's to numpy's and back."""

from __future__ import annotations

import itertools
from ctypes import Array, byref, c_int64, c_uint8
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from harness.wire import messages as wire
from server_impl.errors import ServingError
from server_impl.servable.capi.library import (
    FIRST_AXIS,
    TensorDeallocator,
    buffer_of,
    bytes_at,
    check,
    memmove,
    tf_allocate_tensor,
    tf_delete_status,
    tf_delete_tensor,
    tf_dim,
    tf_new_status,
    tf_new_tensor,
    tf_num_dims,
    tf_string_data,
    tf_string_size,
    tf_tensor_data,
    tf_tensor_from_proto,
)
from server_impl.tensor import NUMPY_DTYPE, OPAQUE_DTYPES, Tensor, shaped

#: Tensors up to this many bytes are copied in and out: sharing the memory takes a call back into
#: Python at the end of its life, which costs more.
COPY_LIMIT = 16 * 1024
#: Dtypes that TensorFlow itself makes of a message; the others are copies of memory.
SENT_AS_MESSAGE = OPAQUE_DTYPES | {wire.DT_STRING}

#: Bytes of one ``TF_TString`` in a string tensor.
_STRING_BYTES = 24
#: The bits of its first byte that tell of which kind it is; 0 is a short string.
_STRING_KIND = 3

#: Arrays whose memory TensorFlow is using, by the number that its tensor carries.
_lent: dict[int, np.ndarray[Any, Any]] = {}
_loans = itertools.count(1)

# TensorFlow calls this, on any of its threads, when it has no use for the memory any more.
_give_back = TensorDeallocator(lambda _data, _length, loan: _lent.pop(loan))


@lru_cache(maxsize=1024)
def _dimensions(shape: tuple[int, ...]) -> Array[c_int64]:
    """``shape`` as C wants it. Only ever read, so equal shapes share it."""
    return (c_int64 * len(shape))(*shape)


def to_native(tensor: Tensor) -> int:
    """A new ``TF_Tensor`` with the contents of ``tensor``; big ones share its memory."""
    dtype, array = tensor.dtype, tensor.array
    if dtype in SENT_AS_MESSAGE:
        return _message_to_native(dtype, array)
    shape = array.shape
    nbytes = array.nbytes
    if nbytes <= COPY_LIMIT:
        native: int = tf_allocate_tensor(dtype, _dimensions(shape), len(shape), nbytes)
        if nbytes:
            # tobytes() is the quickest way to the elements, whatever the strides.
            memmove(tf_tensor_data(native), array.tobytes(), nbytes)
        return native
    array = np.ascontiguousarray(array)
    loan = next(_loans)
    _lent[loan] = array
    # Where the address is not aligned as TensorFlow wants it, it copies and gives back at once.
    shared: int = tf_new_tensor(
        dtype, _dimensions(shape), len(shape), array.ctypes.data, nbytes, _give_back, loan
    )
    return shared


def elements_of(native: int, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The memory of ``native``, to be used while that exists, in the shape and dtype of ``like``."""
    memory = (c_uint8 * like.nbytes).from_address(tf_tensor_data(native))
    return np.ndarray(like.shape, like.dtype, memoryview(memory))


def _message_to_native(dtype: int, array: np.ndarray[Any, Any]) -> int:
    if dtype == wire.DT_RESOURCE:  # a handle without a name, as a message; anything but one is an error
        shape = () if array.size == 1 else array.shape
        handle: int = tf_allocate_tensor(dtype, _dimensions(shape), len(shape), 0)
        return handle
    # By way of a message: one call instead of one for each string, and TensorFlow owns the result.
    message = wire.TensorProto(dtype=dtype)  # type: ignore[arg-type]
    if dtype == wire.DT_VARIANT:  # the shape changes no error, and one object costs nothing
        return _parse_tensor(message)
    message.string_val.extend(array.ravel().tolist())
    dims = message.tensor_shape.dim
    for size in array.shape:
        dims.add(size=size)
    return _parse_tensor(message)


def _parse_tensor(message: wire.TensorProto) -> int:
    serialized = message.SerializeToString()
    native: int = tf_allocate_tensor(message.dtype, _dimensions((0,)), 1, 0)
    status = tf_new_status()
    try:
        tf_tensor_from_proto(byref(buffer_of(serialized)), native, status)
        check(status)
    except ServingError:
        tf_delete_tensor(native)
        raise
    finally:
        tf_delete_status(status)
    return native


def tensor_from_proto(message: wire.TensorProto) -> Tensor:
    """The tensor that TensorFlow itself reads from ``message``. Raises ServingError if it cannot."""
    return from_native(_parse_tensor(message), message.dtype)


class _Owner:
    """Keeps a ``TF_Tensor`` alive for the array that looks at its memory."""

    __slots__ = ("__array_interface__", "_native")

    def __init__(self, native: int, nbytes: int) -> None:
        self._native = native
        self.__array_interface__ = {
            "data": (tf_tensor_data(native), True),
            "shape": (nbytes,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        tf_delete_tensor(self._native)


def from_native(native: int, dtype: int) -> Tensor:
    """The contents of ``native``, which from now on belongs to the result or is gone."""
    rank = tf_num_dims(native)
    shape = (
        (tf_dim(native, FIRST_AXIS),) if rank == 1 else tuple([tf_dim(native, axis) for axis in range(rank)])
    )
    if dtype == wire.DT_STRING:
        strings = np.empty(prod(shape), object)
        strings[:] = _strings(native, strings.size)
        tf_delete_tensor(native)
        return Tensor(dtype, shaped(strings, shape))
    element = NUMPY_DTYPE[dtype]
    nbytes = element.itemsize
    for length in shape:
        nbytes *= length
    if nbytes > COPY_LIMIT:
        return Tensor(dtype, shaped(np.asarray(_Owner(native, nbytes)).view(element), shape))
    elements = bytes_at(tf_tensor_data(native), nbytes) if nbytes else b""
    tf_delete_tensor(native)
    try:
        array = np.ndarray(shape, element, elements)
    except ValueError:  # a shape beyond numpy's
        array = shaped(np.ndarray(nbytes // element.itemsize, element, elements), shape)
    return Tensor(dtype, array)


def _strings(native: int, count: int) -> list[bytes]:
    if not count:
        return []
    data = tf_tensor_data(native)
    # Short strings lie in the tensor itself, after a byte that holds their length: no call for each.
    raw = bytes_at(data, count * _STRING_BYTES)
    strings = []
    for start in range(0, len(raw), _STRING_BYTES):
        head = raw[start]
        if head & _STRING_KIND == 0:
            strings.append(raw[start + 1 : start + 1 + (head >> 2)])
        else:
            strings.append(bytes_at(tf_string_data(data + start), tf_string_size(data + start)))
    return strings
