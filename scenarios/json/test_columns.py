"""Column format: each input as one tensor [5.4], and the shapes of nested lists [5.5]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import AnyOf, Json, RestCase, error, ok
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, column, predict, refused, wrong

pytestmark = pytest.mark.scenario(SCENARIO)

ONE = (
    *(
        RestCase(
            f"one-input/{name}",
            "The input of a one-input signature is given as it is, or by name.",
            predict("m", f'{{"inputs": {inputs}}}'),
            ok(f'{{\n    "outputs": {printed}\n}}'),
            facts=("5.4.1", "JIN-16"),
        )
        for name, inputs, printed in (
            ("value", "1", "2.5"),
            ("named-value", '{"x": 1}', "2.5"),
            ("list", "[1, 2]", "[\n        2.5,\n        3.0\n    ]"),
            ("named-list", '{"x": [1, 2]}', "[\n        2.5,\n        3.0\n    ]"),
            (
                "nested-list",
                "[[1], [2]]",
                "[\n        [\n            2.5\n        ],\n        [\n            3.0\n        ]\n    ]",
            ),
        )
    ),
    *(
        RestCase(
            f"empty/{name}",
            "Empty lists are tensors without elements.",
            predict("m", f'{{"inputs": {inputs}}}'),
            ok(f'{{\n    "outputs": {printed}\n}}'),
            facts=("5.4.4", "JIN-20"),
        )
        for name, inputs, printed in (
            ("vector", "[]", "[]"),
            ("named", '{"x": []}', "[]"),
            ("matrix", "[[]]", "[\n        []\n    ]"),
            ("two-rows", "[[], []]", "[\n        [],\n        []\n    ]"),
            ("deeper", "[[[]]]", "[\n        [\n            []\n        ]\n    ]"),
        )
    ),
    RestCase(
        "one-input/surplus",
        "Names that the signature does not have do not matter in columns.",
        predict("m", '{"inputs": {"x": [1], "z": "any"}}'),
        column("2.5"),
        facts=("5.4.2", "JIN-18"),
        level=Level.QUIRK,
    ),
)

TWO = (
    RestCase(
        "two-inputs/columns",
        "Several inputs are given by name.",
        predict("two", '{"inputs": {"a": [1, 0.5], "b": [2, 3]}}'),
        ok(Json({"outputs": {"a": [3.0, 2.0], "b": [998, 997]}})),
        facts=("5.4.1", "5.4.2", "JIN-16"),
    ),
    RestCase(
        "two-inputs/scalars",
        "They may be scalars.",
        predict("two", '{"inputs": {"a": 1, "b": 2}}'),
        ok(Json({"outputs": {"a": 3.0, "b": 998}})),
        facts=("5.4.1", "JIN-16"),
    ),
    RestCase(
        "two-inputs/batch-sizes",
        "They may differ in their first dimension.",
        predict("two", '{"inputs": {"a": [1, 2, 3], "b": [2]}}'),
        ok(Json({"outputs": {"a": [3.0, 5.0, 7.0], "b": [998]}})),
        facts=("5.4.3", "JIN-19"),
        level=Level.SHOULD,
    ),
    RestCase(
        "two-inputs/surplus",
        "Names that the signature does not have do not matter in columns.",
        predict("two", '{"inputs": {"a": [1], "b": [2], "c": [3]}}'),
        ok(Json({"outputs": {"a": [3.0], "b": [998]}})),
        facts=("5.4.2", "JIN-18"),
        level=Level.QUIRK,
    ),
    *(
        RestCase(
            f"two-inputs/{name}",
            "Several inputs cannot be given as one value.",
            predict("two", f'{{"inputs": {inputs}}}'),
            refused(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            ),
            facts=("5.4.1", "JIN-17"),
            level=Level.SHOULD,
        )
        for name, inputs in (("value", "5"), ("list", "[[1, 2]]"))
    ),
)

MISSING = (
    *(
        RestCase(
            f"missing/{name}",
            "Every input of the signature must be given, by its exact name.",
            predict(model, f'{{"inputs": {inputs}}}'),
            refused(f"Missing named input: {missing} in 'inputs' object."),
            facts=("5.4.2", "JIN-18"),
        )
        for name, model, inputs, missing in (
            ("only-one", "m", "{}", "x"),
            ("other-name", "m", '{"y": [1]}', "x"),
            ("other-case", "m", '{"X": [1]}', "x"),
            ("second", "two", '{"a": [1]}', "b"),
            ("first", "two", '{"b": [1]}', "a"),
        )
    ),
    RestCase(
        "missing/both",
        "Of several missing inputs any one is named.",
        predict("two", '{"inputs": {}}'),
        AnyOf(*(refused(f"Missing named input: {name} in 'inputs' object.") for name in "ab")),
        facts=("5.4.2", "JIN-18"),
        level=Level.SHOULD,
    ),
)

VALUES = (
    *(
        RestCase(
            f"value/{name}",
            "What is wrong with a value in a column is told as it is.",
            predict(model, f'{{"inputs": {inputs}}}'),
            refused(text),
            facts=("5.4.3", "5.6.1"),
        )
        for name, model, inputs, text in (
            ("null", "m", "null", wrong("null", "Null", "float")),
            ("string", "m", '"a"', wrong('"a"', "String", "float")),
            ("true", "m", "true", wrong("true", "True", "float")),
            ("in-list", "m", '[1, "a"]', wrong('"a"', "String", "float")),
            ("named", "two", '{"a": [1], "b": ["a"]}', wrong('"a"', "String", "int64")),
            ("object", "m", '{"x": {}}', wrong("{}", "Object", "float")),
            ("object-in-object", "m", '{"x": {"x": [1]}}', wrong('{\n    "x": [1]\n}', "Object", "float")),
            ("list-of-objects", "m", '[{"x": 1}]', wrong('{\n    "x": 1\n}', "Object", "float")),
        )
    ),
    RestCase(
        "value/not-implemented",
        "Codes are not changed either: a dtype that JSON cannot carry is not implemented.",
        predict("echo", '{"inputs": 1}', "half"),
        error(501, "Conversion of JSON Value: 1 to type: half"),
        facts=("5.4.3", "5.6", "JIN-27"),
        level=Level.SHOULD,
    ),
)

#: Lists that are no tensors.
RAGGED = {
    "too-short": ("[[1, 2], [3]]", "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    "too-long": ("[[1], [2, 3]]", "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
    "deeper": ("[[[1], [2]], [[3]]]", "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    "after-empty": ("[[], [1]]", "Encountered list at unexpected size: 1 at level: 1 expected size: 0"),
    "list-after-value": ("[1, [2]]", "Encountered list at unexpected level: 1 expected < 1"),
    "value-after-list": (
        "[[1], 2]",
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
}

SHAPES = (
    *(
        RestCase(
            f"ragged/{name}",
            "The first element at each level gives the shape; the others must have it.",
            predict("m", f'{{"inputs": {inputs}}}'),
            refused(text),
            facts=("5.5.1", "JIN-21"),
            level=Level.SHOULD,
        )
        for name, (inputs, text) in RAGGED.items()
    ),
    RestCase(
        "ragged/in-a-row",
        "So it is within a row, where the row is told.",
        predict("m", '{"instances": [[[1, 2], [3]]]}'),
        refused(
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: Encountered list at "
            "unexpected size: 1 at level: 1 expected size: 2"
        ),
        facts=("5.3.5", "5.5.1", "JIN-21"),
        level=Level.SHOULD,
    ),
)


@pytest.mark.cases((*ONE, *TWO, *MISSING, *VALUES, *SHAPES))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
