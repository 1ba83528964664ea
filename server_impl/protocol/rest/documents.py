"""The status and metadata documents, byte for byte as protobuf's C++ JSON printer writes them [4.7].

Where the real server's order of map entries is random, keys are sorted here [4.7.5].
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from harness.wire import messages as wire

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from server_impl.errors import Code
    from server_impl.lifecycle.monitor import VersionStatus
    from server_impl.lifecycle.states import State
    from server_impl.servable.servable import Servable


def status_document(versions: Iterable[VersionStatus]) -> bytes:
    """The states of ``versions``, in their order [4.7.1, 4.7.2]. ``versions`` is not empty."""
    # Whoever waits for a model asks again and again, and mostly gets the same answer. The cache is not
    # given the errors themselves, which hold on to the frames that they came through.
    return _status_document(
        tuple((version, state, error and (error.code, error.message)) for version, state, error in versions)
    )


@lru_cache(maxsize=256)
def _status_document(versions: tuple[tuple[int, State, tuple[Code, str] | None], ...]) -> bytes:
    response = wire.GetModelStatusResponse()
    for version, state, error in versions:
        entry = response.model_version_status.add(version=version, state=int(state))
        entry.status.SetInParent()
        if error is not None:
            entry.status.error_code = error[0]  # type: ignore[assignment]  # numbered alike
            entry.status.error_message = _decoded(error[1])
    return message_json(response).encode() + b"\n"


def metadata_document(servable: Servable) -> bytes:
    """Name, version and signatures of ``servable``, put together by hand as in the original [4.7.4]."""
    spec = {"name": _decoded(servable.name), "version": str(servable.version), "signature_name": ""}
    model_spec = _block({key: _quoted(value) for key, value in spec.items()}, "{}", 0)
    signatures = message_json(servable.signature_def_map)
    return f'{{\n"model_spec":{model_spec}\n,\n"metadata": {{"signature_def": {signatures}\n}}\n}}\n'.encode()


def message_json(message: Message, depth: int = 0) -> str:
    """``message`` as JSON: fields by number under their proto names, those at their default included.

    A field that can tell "unset" from "default" (a message, a member of a oneof) is left out when unset.
    ``depth`` is how deeply the text will be nested; one level is one blank of indentation.
    """
    fields: list[Any] = [*message.DESCRIPTOR.fields]  # typed as two unrelated classes by the stubs
    return _block(
        {
            field.name: _field(field, getattr(message, field.name), depth + 1)
            for field in sorted(fields, key=lambda field: field.number)
            if not field.has_presence or message.HasField(field.name)
        },
        "{}",
        depth,
    )


def _field(field: FieldDescriptor, value: Any, depth: int) -> str:
    if not field.is_repeated:
        return _single(field, value, depth)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        values = field.message_type.fields_by_name["value"]
        return _block(
            {str(key): _single(values, value[key], depth + 1) for key in sorted(value)}, "{}", depth
        )
    return _block([_single(field, item, depth + 1) for item in value], "[]", depth)


def _single(field: FieldDescriptor, value: Any, depth: int) -> str:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_MESSAGE:
            return message_json(value, depth)
        case FieldDescriptor.CPPTYPE_STRING:
            return _quoted(base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value)
        case FieldDescriptor.CPPTYPE_INT64 | FieldDescriptor.CPPTYPE_UINT64:
            return f'"{value}"'
        case FieldDescriptor.CPPTYPE_ENUM:
            assert field.enum_type is not None
            known = field.enum_type.values_by_number.get(value)
            return str(value) if known is None else _quoted(known.name)
        case FieldDescriptor.CPPTYPE_BOOL:
            return "true" if value else "false"
        case FieldDescriptor.CPPTYPE_FLOAT:
            return _number(value, "f")
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return _number(value, "d")
    return str(value)


def _number(value: float, kind: str) -> str:
    """As few digits as protobuf finds necessary; ``kind`` is the number's ``struct`` format."""
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    fewer, more = (6, 9) if kind == "f" else (15, 17)
    text = f"{value:.{fewer}g}"
    return text if struct.pack(kind, float(text)) == struct.pack(kind, value) else f"{value:.{more}g}"


def _block(parts: dict[str, str] | Iterable[str], brackets: str, depth: int) -> str:
    """An object or a list over several lines, the closing bracket at ``depth``; empty ones on one line."""
    items = (
        [f"{_quoted(key)}: {value}" for key, value in parts.items()] if isinstance(parts, dict) else [*parts]
    )
    if not items:
        return brackets
    start = "\n" + " " * (depth + 1)
    return brackets[0] + start + f",{start}".join(items) + "\n" + " " * depth + brackets[1]


# Beside what JSON demands, protobuf escapes what could harm in HTML or scripts, or cannot be seen.
_ESCAPED = re.compile(
    '[\x00-\x1f"\\\\<>\x7f-\x9f\xad\u0600-\u0603\u06dd\u070f\u17b4\u17b5\u200b-\u200f\u2028-\u202e'
    "\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
_SHORT_ESCAPES = {"\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "\\": r"\\"}


def _quoted(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _decoded(text: str) -> str:
    """``text`` with replacement characters for its surrogate escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
