"""The published schema, and that the reader's validation of a line agrees with it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from reports import schema

LINES = samples.conformance(differing=True) + samples.load(seconds=6)
BY_KIND = {line["kind"]: line for line in LINES}

OBJECTIONS = [
    ("check", {"outcome": "passd"}, "outcome must be one of passed, failed"),
    ("check", {"level": None}, "level must be one of MUST, SHOULD"),
    ("check", {"id": ""}, "id must not be empty"),
    ("check", {"facts": "4.6.2"}, "facts must be array or null, not '4.6.2'"),
    (
        "check",
        {"exchanges": [{"protocol": "http"}]},
        "exchanges[0].protocol must be one of rest, grpc, not 'http'",
    ),
    ("check", {"duration_s": -1}, "duration_s must be at least 0, not -1"),
    ("header", {"started": "yesterday"}, "started must look like"),
    ("header", {"target": {"spec": "x", "kind": "x"}}, "target.label is missing"),
    ("header", {"schema": 2}, "schema must be 1, not 2"),
    ("window", {"length_s": 0}, "length_s must be above 0, not 0"),
    ("window", {"done": True}, "done must be integer, not true"),
    ("window", {"versions": {"1": "many"}}, "versions.1 must be integer, not 'many'"),
    ("event", {"t": 1e300}, "t must be at most 1000000000.0"),
    ("server", {"metrics": {"request_count": "x"}}, "metrics.request_count must be number or null"),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["kind"])
def test_samples_are_valid(line: samples.Line) -> None:
    assert schema.line_problems(line) == []


@pytest.mark.parametrize(("kind", "change", "objection"), OBJECTIONS)
def test_an_objection_names_the_key_and_the_fault(kind: str, change: samples.Line, objection: str) -> None:
    found = schema.line_problems({**BY_KIND[kind], **change})
    assert [str(problem) for problem in found if objection in str(problem)] != [], found


def test_a_kind_of_a_later_version_is_accepted() -> None:
    assert schema.line_problems({"kind": "weather", "sunny": True}) == []


def test_a_line_needs_a_kind() -> None:
    assert str(schema.line_problems({"t": 1})[0]) == "kind is missing or not a text"


def test_every_keyword_of_the_schema_is_one_that_is_checked() -> None:
    # An unknown keyword raises KeyError: all definitions are visited with a value of each type.
    for kind in BY_KIND:
        for value in ({}, [], "text", 1.5, None, True):
            spoiled = dict.fromkeys(BY_KIND[kind], value) | {"kind": kind}
            assert isinstance(schema.line_problems(spoiled), list)


@given(data=st.data())
def test_the_own_validation_agrees_with_jsonschema(data: st.DataObject) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema gives the second opinion")
    reference = jsonschema.Draft202012Validator(json.loads(schema.text()))
    line = copy.deepcopy(data.draw(st.sampled_from(list(BY_KIND.values()))))
    _spoil(line, data)
    assert (schema.line_problems(line) == []) == reference.is_valid(line)


def _spoil(value: Any, data: st.DataObject) -> None:
    """Replaces or removes something somewhere in a line, other than its kind."""
    while True:
        keys = [key for key in value if key != "kind"] if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(value[key], dict | list) and value[key] and data.draw(st.booleans()):
            value = value[key]
            continue
        if data.draw(st.booleans()) and isinstance(value, dict):
            del value[key]
        else:
            value[key] = data.draw(
                st.one_of(
                    st.none(),
                    st.booleans(),
                    st.integers(-2, 2),
                    st.floats(0, 1e16),
                    st.text(),
                    st.just([]),
                    st.just({}),
                )
            )
        return
