"""What all inference requests in JSON have in common: an object with an optional signature name."""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

from server_impl.errors import ServingError, invalid_argument
from server_impl.protocol.json.message import embed
from server_impl.protocol.json.text import Json, parse

#: A JSON object: its members in order, duplicates included.
Members: TypeAlias = tuple[tuple[bytes, Json], ...]


class Missing(Enum):
    """What ``find`` gives for a name that is not there; None is JSON's null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

_TYPE_NAMES: Final = {
    type(None): "Null",
    list: "Array",
    tuple: "Object",
    bytes: "String",
    int: "Number",
    float: "Number",
}


def parse_object(body: bytes) -> Members:
    """The object that ``body`` starts with.

    Raises:
        ServingError: not JSON [5.1.1, 5.1.2], or not an object [5.1.3].
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    document = parse(body)
    if not isinstance(document, tuple):
        raise value_error(document, "Is not object")
    return document


def find(members: Members, name: bytes) -> Json | Missing:
    """The value of the first member of that name [5.1.9], or ``MISSING``."""
    for member, value in members:
        if member == name:
            return value
    return MISSING


def signature_name(document: Members) -> str:
    """The signature that the request names, or the empty string [4.6.4].

    Raises:
        ServingError: it is not a string [5.2.2].
    """
    name = find(document, b"signature_name")
    if name is MISSING:
        return ""
    if not isinstance(name, bytes):
        raise value_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return text(name)


def text(raw: bytes) -> str:
    """Raw bytes as text; those that are not UTF-8 become surrogate escapes."""
    return raw.decode("utf-8", "surrogateescape")


def member_name(raw: bytes) -> str:
    """A member's name as the server takes it where it copies a C string: up to the first NUL."""
    return text(raw.partition(b"\0")[0])


def is_base64(value: Json) -> bool:
    """Whether ``value`` is an object of the form ``{"b64": "..."}`` [5.7.1]."""
    return type(value) is tuple and len(value) == 1 and value[0][0] == b"b64" and type(value[0][1]) is bytes


def type_name(value: Json) -> str:
    """The word for a value's type in messages [5.6.1]."""
    if isinstance(value, bool):
        return str(value)
    return _TYPE_NAMES[type(value)]


def value_error(value: Json, complaint: str) -> ServingError:
    """An error about a value, which is quoted."""
    return invalid_argument(f"JSON Value: {embed(value)} {complaint}")
