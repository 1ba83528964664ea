"""The published format of run records, and the check of a line against it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from reports.schema.validation import Problem, problems

#: The version of the record format that this package reads.
VERSION = 1

__all__ = ["VERSION", "Problem", "line_problems", "text"]


def text() -> str:
    """The JSON Schema of one line of ``run.jsonl``, as published."""
    return resources.files(__name__).joinpath(f"run-{VERSION}.schema.json").read_text("utf-8")


def line_problems(line: dict[str, Any]) -> list[Problem]:
    """What the schema objects to in one line; a line of unknown kind is accepted, for later additions."""
    schema = _schema()
    kind = line.get("kind")
    if not isinstance(kind, str):
        return [Problem("kind", "is missing or not a text")]
    if kind not in _kinds():
        return []
    return list(problems(line, {"$ref": f"#/$defs/{kind}"}, schema))


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(text())
    return schema


@cache
def _kinds() -> frozenset[str]:
    return frozenset(rule["if"]["properties"]["kind"]["const"] for rule in _schema()["allOf"])
