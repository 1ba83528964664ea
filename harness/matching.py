"""Is a reply what a case expects? Each function says what is wrong, or None."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf import message_factory
from google.protobuf.any_pb2 import Any as PackedAny
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from harness.cases import AnyOf, Body, ErrorText, Json, Text, error_body, show
from harness.client import BadReply, json_form
from harness.wire.schema import POOL

_FLOATS = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)
_ANY = PackedAny.DESCRIPTOR.full_name


def text_fits(expected: Text | None, actual: str) -> bool:
    """Tell whether a text is as expected; None expects nothing."""
    match expected:
        case None:
            return True
        case str():
            return actual == expected
        case AnyOf():
            return any(text_fits(option, actual) for option in expected.options)
    return expected.fullmatch(actual) is not None


def body_problem(expected: Body | AnyOf[Body] | None, actual: bytes) -> str | None:
    """What is wrong with the body of a REST reply."""
    match expected:
        case None:
            return None
        case AnyOf():
            problems = [body_problem(option, actual) for option in expected.options]
            return None if None in problems else problems[0]
        case Json(value):
            try:
                document = json_form.document(actual)
            except BadReply as error:
                return str(error)
            return value_problem(value, document, expected.tolerance, whole=expected.whole)
        case ErrorText(str() as text):
            return body_problem(error_body(text), actual)
        case ErrorText(text):
            return _error_problem(text, actual)
        case str():
            expected = expected.encode("utf-8", "surrogateescape")
        case bytes():
            pass
        case pattern:
            fits = pattern.fullmatch(actual.decode("utf-8", "surrogateescape"))
            return None if fits else "the body does not match"
    if actual == expected:
        return None
    pairs = enumerate(zip(expected, actual, strict=False))
    at = next((at for at, (right, came) in pairs if right != came), min(len(expected), len(actual)))
    return f"the body differs from byte {at} on"


def value_problem(
    expected: Any, actual: Any, tolerance: float, path: str = "$", *, whole: bool = True
) -> str | None:
    """Where two JSON values differ; see :class:`harness.cases.Json`."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() - actual.keys() or (whole and actual.keys() - expected.keys()):
            return f"{path} has members {sorted(actual)} instead of {sorted(expected)}"
        pairs = [(f"{path}.{key}", expected[key], actual[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{path} has {len(actual)} elements instead of {len(expected)}"
        pairs = [(f"{path}[{at}]", *pair) for at, pair in enumerate(zip(expected, actual, strict=True))]
    else:
        return None if _same(expected, actual, tolerance) else f"{path} is {actual!r} instead of {expected!r}"
    problems = (value_problem(right, came, tolerance, where, whole=whole) for where, right, came in pairs)
    return next((problem for problem in problems if problem), None)


def message_problem(expected: Message, actual: Message, *, whole: bool, tolerance: float) -> str | None:
    """Where two messages of one type differ; see :class:`harness.cases.Answer`."""
    return value_problem(
        _plain(expected, None if whole else expected),
        _plain(actual, None if whole else expected),
        tolerance,
        expected.DESCRIPTOR.name,
    )


def fields(message: Message) -> dict[str, Any]:
    """A message as dictionaries and lists of its set fields; what is packed in an ``Any`` is unpacked."""
    return _plain(message, None)


def _error_problem(text: Text, actual: bytes) -> str | None:
    try:
        document = json_form.document(actual)
    except BadReply as error:
        return str(error)
    if list(document) != ["error"]:
        return f"members {list(document)} instead of 'error'"
    return None if text_fits(text, str(document["error"])) else f"another text than {show(text)}"


def _same(expected: Any, actual: Any, tolerance: float) -> bool:
    if type(expected) is not type(actual):
        return False  # 1 is not 1.0, nor is it True
    if isinstance(expected, float) and math.isfinite(expected):
        return math.isclose(expected, actual, rel_tol=tolerance)
    if isinstance(expected, float) and math.isnan(expected):
        return math.isnan(actual)
    return bool(expected == actual)


def _plain(message: Message, pattern: Message | None) -> dict[str, Any]:
    """A message as dictionaries and lists of its set fields, or of those that are set in ``pattern`` too."""
    if message.DESCRIPTOR.full_name == _ANY:
        return _unpacked(message, pattern)
    asked = {field.name: value for field, value in pattern.ListFields()} if pattern is not None else None
    plain: dict[str, Any] = {}
    for field, value in message.ListFields():
        if asked is not None and field.name not in asked:
            continue
        within = None if asked is None else asked[field.name]
        plain[field.name] = _field(field, value, within)
    return plain


def _field(field: FieldDescriptor, value: Any, within: Any) -> Any:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        keys = value.keys() if within is None else [key for key in value if key in within]
        messages = kind.fields_by_name["value"].message_type is not None
        return {
            repr(key): _plain(value[key], within and within[key]) if messages else value[key] for key in keys
        }
    if field.is_repeated:
        patterns = within if within is not None and len(within) == len(value) else [None] * len(value)
        if kind is None:
            return list(value)
        return [_plain(item, pattern) for item, pattern in zip(value, patterns, strict=True)]
    return value if kind is None else _plain(value, within)


def _unpacked(packed: Any, pattern: Any) -> dict[str, Any]:
    name = packed.type_url.rpartition("/")[2]
    message = message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))()
    message.ParseFromString(packed.value)
    within = None
    if pattern is not None and pattern.type_url == packed.type_url:
        within = type(message).FromString(pattern.value)
    return {"type_url": packed.type_url, "value": _plain(message, within)}
