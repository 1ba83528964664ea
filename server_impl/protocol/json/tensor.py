"""Nested JSON lists to arrays: the leaves that a dtype takes, and their conversion [5.5, 5.6]."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from msgspec import Struct

from harness.wire import messages as wire
from server_impl.errors import invalid_argument
from server_impl.protocol.json.number import to_float32
from server_impl.tensor import MAX_RANK, NUMPY_DTYPE, Tensor, shaped

_INT32_RANGE: Final = (-(2**31), 2**31 - 1)

#: Smallest and largest integer that JSON may hold for an integer dtype. The narrow types take all of int32
#: and wrap [5.6].
INTEGER_RANGE: Final[dict[int, tuple[int, int]]] = {
    wire.DT_INT32: _INT32_RANGE,
    wire.DT_INT16: _INT32_RANGE,
    wire.DT_INT8: _INT32_RANGE,
    wire.DT_UINT8: _INT32_RANGE,
    wire.DT_INT64: (-(2**63), 2**63 - 1),
    wire.DT_UINT32: (0, 2**32 - 1),
    wire.DT_UINT64: (0, 2**64 - 1),
}


class Dense(Struct, frozen=True):
    """The values of one tensor in row-major order, and its shape."""

    shape: tuple[int, ...]
    leaves: Sequence[Any]


def flatten(value: object) -> Dense | None:
    """Takes regular nested lists apart; None if they are ragged.

    The shape follows the first element at each level [5.5.1]. A list of lists is flattened level by level
    in C code, several times faster than visiting each leaf.
    """
    shape = []
    level: list[Any] = [value]
    while level and type(level[0]) is list:
        size = len(level[0])
        shape.append(size)
        if len(level) == 1:
            level = level[0]
            continue
        if set(map(type, level)) != {list} or set(map(len, level)) != {size}:
            return None
        level = list(chain.from_iterable(level))
    return Dense(tuple(shape), level)


def to_tensor(name: str, dtype: int, dense: Dense) -> Tensor:
    """The tensor of leaves that ``dtype`` takes.

    Raises:
        ServingError: more dimensions than a tensor can have [A17].
    """
    if len(dense.shape) > MAX_RANK:
        raise invalid_argument(f"tensor parsing error: {name}")
    return Tensor(dtype, shaped(to_array(dtype, dense.leaves), dense.shape))


def to_array(dtype: int, leaves: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Leaves that ``dtype`` takes as a one-dimensional array."""
    if dtype == wire.DT_FLOAT:
        return to_float32(np.array(leaves, np.float64))
    if dtype == wire.DT_STRING:
        strings = np.empty(len(leaves), object)
        strings[:] = leaves
        return strings
    if INTEGER_RANGE.get(dtype) == _INT32_RANGE:
        return np.array(leaves, np.int32).astype(NUMPY_DTYPE[dtype], copy=False)
    return np.array(leaves, NUMPY_DTYPE.get(dtype, np.dtype(object)))
