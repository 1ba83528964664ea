"""Classify and regress requests in JSON to serialised ``tf.Example`` messages [5.9]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from server_impl.errors import invalid_argument
from server_impl.protocol.grpc import varint
from server_impl.protocol.json.envelope import (
    MISSING,
    find,
    is_base64,
    member_name,
    parse_object,
    signature_name,
    type_name,
    value_error,
)
from server_impl.protocol.json.number import to_float32
from server_impl.protocol.json.text import Json
from server_impl.protocol.json.values import base64_value

#: The word for each kind of feature in messages, and the field of ``tf.Feature`` that holds it.
_FIELDS: Final = {"bytes": 1, "float": 2, "int64": 3}
_MASK64: Final = 2**64 - 1


class ParsedExamples(NamedTuple):
    """``signature_name`` is empty if not given; ``context`` is None if absent [5.9.2]."""

    signature_name: str
    examples: list[bytes]
    context: bytes | None


def parse_examples(body: bytes) -> ParsedExamples:
    """Converts a classify or regress request; all messages are serialised.

    Raises:
        ServingError: not JSON or not an object [5.1], wrong signature name [5.2.2], wrong ``examples`` or
            ``context`` [5.9.1, 5.9.3], features that do not fit [5.9.4].
    """
    document = parse_object(body)
    name = signature_name(document)
    context = find(document, b"context")
    encoded_context = None if context is MISSING else _encode_example(context)
    examples = find(document, b"examples")
    if examples is MISSING:
        raise value_error(document, "When method is classify, key 'examples' is expected and was not found")
    if not isinstance(examples, list):
        raise value_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise value_error(document, "'examples' value is an empty array")
    return ParsedExamples(name, [_encode_example(example) for example in examples], encoded_context)


def _encode_example(value: Json) -> bytes:
    if not isinstance(value, tuple):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(value)}")
    # Of features of the same name the last one counts, but all are checked.
    features = {}
    for raw, content in value:
        name = raw.partition(b"\0")[0]
        features[name] = _encode_feature(member_name(raw), content if type(content) is list else [content])
    entries = (_field(1, name) + _field(2, feature) for name, feature in features.items())
    encoded = b"".join([_field(1, entry) for entry in entries])
    return _field(1, encoded) if value else b""


def _encode_feature(name: str, values: Sequence[Json]) -> bytes:
    """A ``tf.Feature``; the first value fixes its kind, no values leave it without one."""
    kind = None
    numbers: list[Any] = []
    for value in values:
        value_kind = _kind(name, value)
        kind = kind or value_kind
        if value_kind != kind:
            raise invalid_argument(f"Unexpected element type in feature: {name} expecting type: {kind}")
        if type(value) is tuple:
            numbers.append(base64_value(value))
        elif type(value) is int and value >= 2**63:
            raise invalid_argument(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        else:
            numbers.append(value)
    if kind is None:
        return b""
    if kind == "bytes":
        content = b"".join([_field(1, string) for string in numbers])
    elif kind == "float":
        content = _field(1, to_float32(np.array(numbers)).astype("<f4").tobytes())
    else:
        content = _field(1, b"".join([varint.encode(int(number) & _MASK64) for number in numbers]))
    return _field(_FIELDS[kind], content)


def _kind(name: str, value: Json) -> str:
    if isinstance(value, (bool, int)):
        return "int64"
    if isinstance(value, float):
        return "float"
    if isinstance(value, bytes) or is_base64(value):
        return "bytes"
    raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return bytes((number << 3 | 2,)) + varint.encode(len(content)) + content
