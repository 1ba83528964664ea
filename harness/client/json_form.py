"""Tensors as JSON, in TensorFlow Serving's row and column formats [5.3, 5.4]."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import orjson

from harness.client.outcome import UNNAMED, BadReply, Prediction
from harness.terms import Array, Tensors

#: ``row``: a list of instances. ``column``: each input as one tensor.
Form = Literal["row", "column"]

_NUMPY = orjson.OPT_SERIALIZE_NUMPY


def predict_body(inputs: Tensors, *, signature: str | None = None, form: Form = "row") -> bytes:
    """The body of ``:predict``. Row format needs inputs of one batch size, in their first dimension."""
    plain = {alias: _plain(array) for alias, array in inputs.items()}
    values: Any = next(iter(plain.values())) if len(plain) == 1 else plain
    if form == "row" and len(plain) > 1:
        values = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    body = {"instances" if form == "row" else "inputs": values}
    if signature:
        body = {"signature_name": signature, **body}
    if all(_finite(array) for array in inputs.values()):
        return orjson.dumps(body, option=_NUMPY)
    return json.dumps(body, default=lambda array: array.tolist()).encode()  # orjson would write null


def prediction(body: bytes) -> Prediction:
    """The outputs in a reply to ``:predict``. A single output has the alias ``UNNAMED``.

    Numbers come as int64, float64 or bool, whatever the model's dtype: JSON does not tell. Raises BadReply.
    """
    reply = document(body)
    if "predictions" in reply:
        rows = reply["predictions"]
        if not isinstance(rows, list):
            raise BadReply(f"'predictions' is not a list: {str(rows)[:200]}")
        if rows and isinstance(rows[0], dict) and not _is_base64(rows[0]):
            if not all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows):
                raise BadReply(f"a row has other outputs than the first: {str(rows)[:200]}")
            return Prediction({alias: _array([row[alias] for row in rows]) for alias in rows[0]})
        return Prediction({UNNAMED: _array(rows)})
    if "outputs" in reply:
        outputs = reply["outputs"]
        if isinstance(outputs, dict) and not _is_base64(outputs):
            return Prediction({alias: _array(value) for alias, value in outputs.items()})
        return Prediction({UNNAMED: _array(outputs)})
    raise BadReply(f"neither 'predictions' nor 'outputs' in the reply: {str(reply)[:200]}")


def document(body: bytes) -> dict[str, Any]:
    """A JSON object; NaN and Infinity are accepted, bytes that are not UTF-8 are kept. Raises BadReply."""
    try:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            value = json.loads(body.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise BadReply(f"not JSON ({error}): {body[:200]!r}") from error
    if not isinstance(value, dict):
        raise BadReply(f"not a JSON object: {body[:200]!r}")
    return value


def _finite(array: Array) -> bool:
    return array.dtype.kind in "iubO" or bool(np.isfinite(array).all())


def _plain(array: Array) -> Any:
    """Something that both JSON writers take: a contiguous array, or lists."""
    if array.dtype == object:
        return _strings(array.tolist())
    if array.dtype.kind not in "iubf":
        array = array.astype(np.float64)  # bfloat16 and its like
    return np.ascontiguousarray(array) if array.ndim else array.item()


def _strings(value: Any) -> Any:
    if isinstance(value, list):
        return [_strings(item) for item in value]
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _is_base64(value: Mapping[str, Any]) -> bool:
    return value.keys() == {"b64"}


def _array(value: Any) -> Array:
    """Nested lists as an array; strings become ``bytes``."""
    leaf, depth = value, 0
    while isinstance(leaf, list) and leaf:
        leaf, depth = leaf[0], depth + 1
    try:
        if not isinstance(leaf, str | dict):
            return np.array(value)
        array = np.empty(_shape(value, depth), object)
        array.ravel()[:] = _bytes(value, depth)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadReply(f"not a tensor ({error}): {str(value)[:200]}") from error
    return array


def _shape(value: Any, depth: int) -> tuple[int, ...]:
    return (len(value), *_shape(value[0], depth - 1)) if depth else ()


def _bytes(value: Any, depth: int) -> list[bytes]:
    """The leaves in order, as ``bytes``."""
    if depth:
        return [leaf for item in value for leaf in _bytes(item, depth - 1)]
    if isinstance(value, dict):
        return [base64.b64decode(value["b64"])]
    return [value.encode("utf-8", "surrogateescape")]
