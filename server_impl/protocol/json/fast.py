"""A fast reader for the usual predict bodies. It answers exactly as the exact reader, or not at all.

orjson reads less than the server does (no NaN, no trailing text, only UTF-8), so what it reads is right but
for four things, which are guarded: numbers that the server rounds differently or finds too big, names given
twice, types that numpy would convert silently, and ragged lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import orjson
from msgspec import Struct

from harness.wire import messages as wire
from server_impl.protocol.json.columns import InputSpec
from server_impl.protocol.json.encode import RequestFormat
from server_impl.protocol.json.number import exponents, has_long_exponent, is_near_float32_tie, to_float32
from server_impl.protocol.json.strings import decode_base64
from server_impl.protocol.json.tensor import INTEGER_RANGE, flatten, to_array
from server_impl.tensor import MAX_RANK, Tensor, shaped

#: Every reader rounds decimals of 15 digits without exponent alike, and float32 holds them all.
_NOT_PLAIN = re.compile(rb"[0-9](?:[0-9.]{16}|[eE])")
#: Numbers that the server may find too big, or may round more than some units in the last place away.
_HOSTILE = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{25}")

_BACKSLASH: Final = ord("\\")
_NUMBERS: Final = frozenset((int, float))

#: Below this many bytes patterns are faster than a dozen numpy calls.
_FEW_BYTES: Final = 512

#: The value of each input, and how many names and strings were met on the way to them.
_Taken: TypeAlias = tuple[dict[str, Any], int]


class Request(Struct, frozen=True):
    """A body that orjson has read. ``plain``: all of its numbers are short and without exponent."""

    signature_name: str
    body: bytes
    document: dict[str, Any]
    plain: bool

    def tensors(self, inputs: Mapping[str, InputSpec]) -> tuple[dict[str, Tensor], RequestFormat] | None:
        """As ``ParsedPredict.tensors``, or None where the exact reader has to decide."""
        document = self.document
        if "inputs" not in document:
            request_format = RequestFormat.ROW
            taken = _take_rows(document.get("instances"), inputs)
        elif "instances" not in document:
            request_format = RequestFormat.COLUMN
            taken = _take_columns(document["inputs"], inputs)
        else:
            return None
        if taken is None:
            return None
        values, strings = taken
        strings += len(document) + ("signature_name" in document)
        tensors = {}
        for name, value in values.items():
            dtype = inputs[name].dtype
            dense = flatten(value)
            if dense is None or len(dense.shape) > MAX_RANK:
                return None
            shape, leaves = dense.shape, dense.leaves
            if dtype == wire.DT_STRING:
                strings += len(leaves) + list(map(type, leaves)).count(dict)
            array = _convert(dtype, leaves, self.plain)
            if array is None:
                return None
            tensors[name] = Tensor(dtype, array if len(shape) == 1 else shaped(array, shape))
        # A name or string has two quotes. Were a name given twice, some quotes would be left over.
        return (tensors, request_format) if self.body.count(b'"') == 2 * strings else None


def read(body: bytes) -> Request | None:
    """The first stage, as ``decode.parse_predict``; None where the exact reader has to decide."""
    if _BACKSLASH in body:
        return None  # escaped quotes could not be counted
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(document) is not dict:
        return None
    plain, hostile = _inspect(body)
    if hostile:
        return None
    name = ""
    if "signature_name" in document:
        name = document["signature_name"]
        if type(name) is not str or body.count(b'"signature_name"') != 1:
            return None
    return Request(name, body, document, plain)


def _inspect(body: bytes) -> tuple[bool, bool]:
    """Whether all numbers are plain, and whether one may be hostile. What looks like a number counts too."""
    if len(body) < _FEW_BYTES:
        plain = _NOT_PLAIN.search(body) is None
        return plain, not plain and _HOSTILE.search(body) is not None
    chars = np.frombuffer(body, np.uint8)
    # Digits, points and, to save a step, slashes are what lies between the others.
    longest = int(np.diff(np.flatnonzero(chars - np.uint8(ord(".")) > 11)).max(initial=0)) - 1
    starts = exponents(chars)
    plain = longest < 17 and starts.size == 0
    return plain, longest >= 25 or has_long_exponent(chars, starts)


def _take_rows(rows: Any, inputs: Mapping[str, InputSpec]) -> _Taken | None:
    if type(rows) is not list or not rows:
        return None
    if type(rows[0]) is not dict or "b64" in rows[0]:
        if len(inputs) != 1:
            return None
        return {next(iter(inputs)): rows}, 0
    if "b64" in inputs:
        return None  # {"b64": "..."} could be a row or a value
    names = inputs.keys()
    for row in rows:
        if type(row) is not dict or row.keys() != names:
            return None
    return {name: [row[name] for row in rows] for name in inputs}, len(rows) * len(inputs)


def _take_columns(value: Any, inputs: Mapping[str, InputSpec]) -> _Taken | None:
    if type(value) is not dict or (len(value) == 1 and "b64" in value):
        if len(inputs) != 1:
            return None
        return {next(iter(inputs)): value}, 0
    if not inputs.keys() <= value.keys():
        return None
    return {name: value[name] for name in inputs}, len(value)


def _convert(dtype: int, leaves: Sequence[Any], plain: bool) -> np.ndarray[Any, Any] | None:
    """The leaves as an array, or None if one of them does not fit."""
    if dtype == wire.DT_FLOAT:
        if not _NUMBERS.issuperset(map(type, leaves)):
            return None
        if plain:
            return np.array(leaves, np.float32)
        doubles = np.array(leaves, np.float64)
        return None if is_near_float32_tie(doubles).any() else to_float32(doubles)
    if dtype == wire.DT_STRING:
        strings = _decode(leaves)
        return None if strings is None else to_array(dtype, strings)
    types = set(map(type, leaves))
    if dtype == wire.DT_DOUBLE:
        fits = plain and types <= _NUMBERS
    elif dtype == wire.DT_BOOL:
        fits = types <= {bool}
    elif dtype in INTEGER_RANGE:
        least, most = INTEGER_RANGE[dtype]
        fits = types <= {int} and (not leaves or (min(leaves) >= least and max(leaves) <= most))
    else:
        fits = not leaves
    return to_array(dtype, leaves) if fits else None


def _decode(leaves: Sequence[Any]) -> list[bytes] | None:
    """Strings and ``{"b64": "..."}`` objects as bytes, or None if there is something else."""
    strings = []
    for leaf in leaves:
        if type(leaf) is str:
            strings.append(leaf.encode())
            continue
        if type(leaf) is not dict or len(leaf) != 1 or type(leaf.get("b64")) is not str:
            return None
        decoded = decode_base64(leaf["b64"].encode())
        if decoded is None:
            return None
        strings.append(decoded)
    return strings
