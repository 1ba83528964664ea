"""Tensors and errors to JSON replies, byte for byte as the server lays them out [4.5.2, 5.8, 5.10]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np

from harness.wire import messages as wire
from server_impl.errors import invalid_argument
from server_impl.protocol.json.floats import format_floats
from server_impl.protocol.json.strings import encode_base64, quote
from server_impl.tensor import DTYPE_NAME, Tensor

_FLOATS: Final = frozenset((wire.DT_FLOAT, wire.DT_DOUBLE))
_INTEGERS: Final = frozenset(
    (
        wire.DT_INT32,
        wire.DT_INT16,
        wire.DT_INT8,
        wire.DT_UINT8,
        wire.DT_INT64,
        wire.DT_UINT32,
        wire.DT_UINT64,
    )
)

#: What opens, parts and closes a list of the given position in the shape.
_Brackets: TypeAlias = Callable[[int], tuple[bytes, bytes, bytes]]


class RequestFormat(Enum):
    """The form of a predict request, which the reply follows: ``instances`` or ``inputs`` [5.8.1]."""

    ROW = "row"
    COLUMN = "column"


def predict_body(outputs: Mapping[str, Tensor], request_format: RequestFormat) -> bytes:
    """The reply to a predict request.

    One output is written bare, several are keyed by alias, in the order of ``outputs`` [5.8.1].

    Raises:
        ServingError: no outputs [5.8.9], a dtype that JSON does not carry [5.8.8], rows without a first
            dimension or with different ones [5.8.2].
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if request_format is RequestFormat.ROW:
        return _rows_body(outputs)
    return _columns_body(outputs)


def error_body(message: str) -> bytes:
    """The reply to a failed request [4.5.2]. ``message`` may hold surrogate escapes."""
    return b'{\n    "error": ' + quote(message.encode("utf-8", "surrogateescape")) + b"\n}"


def classify_body(results: Sequence[Sequence[tuple[bytes, float]]]) -> bytes:
    """The reply to a classify request: (label, score) pairs for each example [5.10.1].

    Raises:
        ServingError: no results [5.10.2].
    """
    if not results:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classes in results:
        scores = format_floats(np.array([score for _, score in classes], np.float32))
        pairs = (
            b"[%b, %b]" % (quote(label), score) for (label, _), score in zip(classes, scores, strict=True)
        )
        rows.append(b"[" + b", ".join(pairs) + b"]")
    return b'{\n    "results": [' + b", ".join(rows) + b"\n    ]\n}"


def regress_body(values: Sequence[float] | np.ndarray[Any, Any]) -> bytes:
    """The reply to a regress request: one float32 value for each example [5.10.1].

    Raises:
        ServingError: no results [5.10.2].
    """
    if len(values) == 0:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    texts = format_floats(np.asarray(values, np.float32))
    return b'{\n    "results": [' + b", ".join(texts) + b"]\n}"


def _rows_body(outputs: Mapping[str, Tensor]) -> bytes:
    if _batch_size(outputs) == 0:
        return b'{\n    "predictions": []\n}'
    if len(outputs) == 1:
        ((name, tensor),) = outputs.items()
        rows = _rows(name, tensor, 1 + tensor.array.ndim)
        return b'{\n    "predictions": [' + b", ".join(rows) + b"\n    ]\n}"
    columns = []
    for name, tensor in outputs.items():
        key = b"            " + quote(name.encode()) + b": "
        columns.append([key + row for row in _rows(name, tensor, 2 + tensor.array.ndim)])
    objects = (b"\n        {\n" + b",\n".join(row) + b"\n        }" for row in zip(*columns, strict=True))
    return b'{\n    "predictions": [' + b",".join(objects) + b"\n    ]\n}"


def _batch_size(outputs: Mapping[str, Tensor]) -> int:
    """The first dimension that all outputs share."""
    batch = -1
    for name, tensor in outputs.items():
        shape = tensor.array.shape
        if not shape:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if batch not in (-1, shape[0]):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {shape[0]} expecting: {batch}"
            )
        batch = shape[0]
    return batch


def _columns_body(outputs: Mapping[str, Tensor]) -> bytes:
    if len(outputs) == 1:
        ((name, tensor),) = outputs.items()
        return b'{\n    "outputs": ' + _column(name, tensor, 1) + b"\n}"
    members = (
        b"\n        " + quote(name.encode()) + b": " + _column(name, tensor, 2)
        for name, tensor in outputs.items()
    )
    return b'{\n    "outputs": {' + b",".join(members) + b"\n    }\n}"


def _rows(name: str, tensor: Tensor, depth: int) -> list[bytes]:
    """One text for each row, its lists on a single line."""
    texts = _texts(name, tensor, depth)
    shape = tensor.array.shape
    return texts if len(shape) == 1 else _nest(texts, shape, lambda _: (b"[", b", ", b"]"))


def _column(name: str, tensor: Tensor, depth: int) -> bytes:
    """A tensor with one element or bracket on each line, inside ``depth`` open containers."""

    def brackets(position: int) -> tuple[bytes, bytes, bytes]:
        outer = b"\n" + b"    " * (depth + position)
        inner = outer + b"    "
        return b"[" + inner, b"," + inner, outer + b"]"

    shape = tensor.array.shape
    texts = _texts(name, tensor, depth + len(shape))
    return _nest(texts, (1, *shape), lambda position: brackets(position - 1))[0]


def _nest(texts: list[bytes], shape: tuple[int, ...], brackets: _Brackets) -> list[bytes]:
    """Puts the elements into lists, innermost first, down to the first dimension."""
    for position in range(len(shape) - 1, 0, -1):
        size = shape[position]
        if size == 0:
            texts = [b"[]"] * prod(shape[:position])
            continue
        opening, comma, closing = brackets(position)
        texts = [
            opening + comma.join(texts[start : start + size]) + closing
            for start in range(0, len(texts), size)
        ]
    return texts


def _texts(name: str, tensor: Tensor, depth: int) -> list[bytes]:
    """The text of each element; objects are indented for ``depth`` open containers."""
    dtype, array = tensor.dtype, tensor.array
    flat = array.ravel()
    if dtype in _FLOATS:
        return format_floats(flat)
    if dtype in _INTEGERS:
        return [b"%d" % value for value in flat.tolist()]
    if dtype == wire.DT_BOOL:
        return [b"true" if value else b"false" for value in flat.tolist()]
    if dtype == wire.DT_STRING:
        if not name.endswith("_bytes"):  # the alias alone decides [5.8.7]
            return [quote(value) for value in flat.tolist()]
        outer = b"\n" + b"    " * depth
        start, end = b"{" + outer + b'    "b64": "', b'"' + outer + b"}"
        return [start + encode_base64(value) + end for value in flat.tolist()]
    if flat.size == 0:
        return []
    raise invalid_argument(f"Failed to write JSON value for tensor type: {DTYPE_NAME[dtype]}")
