"""The pure side of batching: what may be joined, how it is joined and padded, how results are parted.

A request is a mapping from tensor name to tensor; its rows are counted along the first dimension,
which must be the same for all of its tensors.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from server_impl.errors import Code, ServingError, failed_precondition, invalid_argument
from server_impl.tensor import DTYPE_NAME, Tensor, shaped

logger = logging.getLogger(__name__)

_Array = np.ndarray[Any, Any]

#: Tensors of more dimensions cannot be padded.
_MAX_PADDED_RANK = 6


def count_rows(feeds: Mapping[str, Tensor]) -> int:
    """The rows of one request. Raises INVALID_ARGUMENT if they cannot be told [8.5]."""
    if not feeds:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    rows = None
    for tensor in feeds.values():
        shape = tensor.array.shape
        if not shape:
            raise invalid_argument("Batching Run() input tensors must have at least one dimension")
        if rows is None:
            rows = shape[0]
        elif rows != shape[0]:
            raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    return rows or 0


def padded_rows(rows: int, allowed: Sequence[int]) -> int:
    """The smallest allowed batch size that holds ``rows``; ``rows`` itself if none does [8.8].

    A batch without rows stays as it is: there is nothing to pad it with.
    """
    if not allowed or not rows:
        return rows
    for size in allowed:
        if size >= rows:
            return size
    logger.warning(
        "Input batch size %d is greater than largest allowed size %d ignoring allowed sizes constraint.",
        rows, allowed[-1],
    )  # fmt: skip
    return rows


def split_rows(rows: int, room: int, limit: int) -> list[int]:
    """The parts of a large request: what the open batch has room for, full batches, and the rest."""
    parts = [min(rows, room)] if room > 0 else []
    rest = rows - sum(parts)
    parts += [limit] * (rest // limit)
    return [*parts, rest % limit] if rest % limit else parts


def slice_rows(feeds: Mapping[str, Tensor], parts: Sequence[int]) -> list[dict[str, Tensor]]:
    """One request as several, with ``parts`` rows each."""
    slices = []
    start = 0
    for rows in parts:
        slices.append(
            {name: Tensor(feed.dtype, feed.array[start : start + rows]) for name, feed in feeds.items()}
        )
        start += rows
    return slices


def merge(requests: Sequence[Mapping[str, Tensor]], padding: int, *, pad_inputs: bool) -> dict[str, Tensor]:
    """All requests as one, followed by ``padding`` rows that repeat the first row of the last request.

    ``pad_inputs`` lets inner dimensions differ. Raises FAILED_PRECONDITION where they do and may not,
    INTERNAL where dtypes differ: every request of the batch fails with that [8.9, 8.11].
    """
    if len(requests) == 1 and not padding and not pad_inputs:
        return dict(requests[0])
    merged = {}
    arrays = {name: [request[name].array for request in requests] for name in requests[0]}
    for name in arrays:
        arrays[name] = _pad_inner(name, arrays[name]) if pad_inputs else _same_inner(name, arrays[name])
    for name in sorted(arrays):
        dtypes = [request[name].dtype for request in requests]
        _check_dtypes(dtypes)
        parts = arrays[name]
        if padding:
            last = next(array for array in reversed(parts) if len(array))
            parts.append(np.repeat(last[:1], padding, axis=0))
        merged[name] = Tensor(dtypes[0], _concatenated(parts))
    return merged


def _same_inner(name: str, arrays: list[_Array]) -> list[_Array]:
    inner = arrays[0].shape[1:]
    if any(array.shape[1:] != inner for array in arrays):
        raise failed_precondition(
            f"Tensors with name '{name}' from different tasks have different shapes and padding is turned "
            "off. Set pad_variable_length_inputs to true, or ensure that all tensors with the same name have "
            "equal dimensions starting with the first dim."
        )
    return arrays


def _pad_inner(name: str, arrays: list[_Array]) -> list[_Array]:
    """Every array with the inner dimensions of the largest, filled up with its own first element [8.9]."""
    if len({array.ndim for array in arrays}) > 1:
        raise failed_precondition(f"Tensors with name '{name}' from different tasks have different ranks.")
    if arrays[0].ndim > _MAX_PADDED_RANK:
        raise invalid_argument("Only tensors with rank from 1 to 6 can be padded.")
    inner = tuple(max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays), strict=True))
    return [_pad(array, (len(array), *inner)) for array in arrays]


def _pad(array: _Array, shape: tuple[int, ...]) -> _Array:
    if prod(shape) == array.size:
        return array.reshape(shape)
    if not array.size:
        raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
    padded = np.empty(shape, array.dtype)
    padded.fill(array.flat[0])  # as it is: np.full cuts NULs off the end of bytes
    padded[tuple(slice(size) for size in array.shape)] = array
    return padded


def _check_dtypes(dtypes: Sequence[int]) -> None:
    for dtype in dtypes:
        if dtype != dtypes[0]:
            raise ServingError(
                Code.INTERNAL,
                "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors that have "
                f"different data types. Got {DTYPE_NAME[dtypes[0]]} and {DTYPE_NAME[dtype]}.",
            )


def part(outputs: Sequence[Tensor], rows: Sequence[int], padding: int) -> list[list[Tensor]]:
    """The outputs of a batch, for each request its own rows; those of the padding are dropped.

    Raises FAILED_PRECONDITION for an output that does not have a row for each of the batch [8.10].
    """
    total = sum(rows) + padding
    for output in outputs:
        if not output.array.ndim:
            raise failed_precondition("Batched output tensor has 0 dimensions")
        if output.array.shape[0] != total:
            raise failed_precondition(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
                "of the input tensors"
            )
    if len(rows) == 1 and not padding:
        return [list(outputs)]
    parts = []
    start = 0
    for count in rows:
        parts.append([Tensor(output.dtype, output.array[start : start + count]) for output in outputs])
        start += count
    return parts


def join(parts: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The outputs of a request that was split, from those of its parts in order."""
    if len(parts) == 1:
        return list(parts[0])
    return [
        Tensor(tensors[0].dtype, _concatenated([tensor.array for tensor in tensors]))
        for tensors in zip(*parts, strict=True)
    ]


def _concatenated(arrays: Sequence[_Array]) -> _Array:
    return shaped(np.concatenate(arrays), (sum(array.shape[0] for array in arrays), *arrays[0].shape[1:]))
