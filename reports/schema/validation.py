"""Validation of a JSON value by the part of JSON Schema that the record format uses.

Written out here so that reading a record needs no further dependency and says what is wrong in words that
name the key. A keyword that this module does not know raises :class:`KeyError`: the schema may not promise
what nobody checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
_Rule = Callable[[Any, Any, str, Schema], Iterator["Problem"]]


class Problem(NamedTuple):
    """One objection: where in the value (``exchanges[0].status``; empty for the value itself), and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where} {self.what}" if self.where else self.what


def problems(value: Any, schema: Schema, root: Schema, where: str = "") -> Iterator[Problem]:
    """The objections of ``schema`` to ``value``; ``root`` is what ``$ref`` points into."""
    for keyword, argument in schema.items():
        if keyword not in _ANNOTATIONS:
            yield from _RULES[keyword](value, argument, where, root)


def _ref(value: Any, pointer: Any, where: str, root: Schema) -> Iterator[Problem]:
    target: Any = root
    for step in pointer.removeprefix("#/").split("/"):
        target = target[step]
    yield from problems(value, target, root, where)


def _type(value: Any, names: Any, where: str, _root: Schema) -> Iterator[Problem]:
    names = [names] if isinstance(names, str) else names
    if not any(_is(value, name) for name in names):
        yield Problem(where, f"must be {' or '.join(names)}, not {_shown(value)}")


def _const(value: Any, wanted: Any, where: str, _root: Schema) -> Iterator[Problem]:
    if value != wanted or isinstance(value, bool) is not isinstance(wanted, bool):
        yield Problem(where, f"must be {wanted!r}, not {_shown(value)}")


def _enum(value: Any, choices: Any, where: str, _root: Schema) -> Iterator[Problem]:
    if value not in choices:
        listed = ", ".join("null" if choice is None else str(choice) for choice in choices)
        yield Problem(where, f"must be one of {listed}, not {_shown(value)}")


def _required(value: Any, names: Any, where: str, _root: Schema) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield Problem(_join(where, name), "is missing")


def _properties(value: Any, schemas: Any, where: str, root: Schema) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in schemas:
                yield from problems(item, schemas[name], root, _join(where, name))


def _additional(value: Any, schema: Any, where: str, root: Schema) -> Iterator[Problem]:
    # The format uses this for maps alone, which list no properties beside it.
    if isinstance(value, dict):
        for name, item in value.items():
            yield from problems(item, schema, root, _join(where, name))


def _items(value: Any, schema: Any, where: str, root: Schema) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from problems(item, schema, root, f"{where}[{index}]")


def _any_of(value: Any, schemas: Any, where: str, root: Schema) -> Iterator[Problem]:
    found = [list(problems(value, schema, root, where)) for schema in schemas]
    if all(found):
        yield from found[0]


def _maximum(value: Any, limit: Any, where: str, _root: Schema) -> Iterator[Problem]:
    if _is(value, "number") and value > limit:
        yield Problem(where, f"must be at most {limit}, not {value}")


def _minimum(value: Any, limit: Any, where: str, _root: Schema) -> Iterator[Problem]:
    if _is(value, "number") and value < limit:
        yield Problem(where, f"must be at least {limit}, not {value}")


def _above(value: Any, limit: Any, where: str, _root: Schema) -> Iterator[Problem]:
    if _is(value, "number") and value <= limit:
        yield Problem(where, f"must be above {limit}, not {value}")


def _min_length(value: Any, limit: Any, where: str, _root: Schema) -> Iterator[Problem]:
    if isinstance(value, str) and len(value) < limit:
        yield Problem(where, "must not be empty" if limit == 1 else f"must have at least {limit} characters")


def _pattern(value: Any, pattern: Any, where: str, _root: Schema) -> Iterator[Problem]:
    if isinstance(value, str) and not re.search(pattern, value):
        yield Problem(where, f"must look like {pattern}, not {_shown(value)}")


_ANNOTATIONS = frozenset({"$schema", "$id", "title", "description", "$defs"})
_RULES: dict[str, _Rule] = {
    "$ref": _ref,
    "type": _type,
    "const": _const,
    "enum": _enum,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "anyOf": _any_of,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _above,
    "minLength": _min_length,
    "pattern": _pattern,
}


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _TYPES[name])


_TYPES: dict[str, type | tuple[type, ...]] = {
    "null": type(None),
    "boolean": bool,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = _LITERALS[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_LITERALS = {None: "null", True: "true", False: "false"}
