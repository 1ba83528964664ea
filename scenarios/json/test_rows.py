"""Row format: a list of instances, each with all inputs [5.3]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import AnyOf, Json, RestCase, ok
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, in_row, predict, refused, rows, wrong

pytestmark = pytest.mark.scenario(SCENARIO)

OBJECTS_ONLY = (
    "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
    "tensorinfo_map"
)


def keys(item: int, shown: str, names: str) -> str:
    """A row that lacks an input."""
    return (
        f"Failed to process element: {item} of 'instances' list. JSON object: {shown} keys must be equal to: "
        f"{names}"
    )


#: Instances for a signature with one input ``x``, and what comes of them.
ONE_INPUT = {
    "values": ("[1, 2]", rows("2.5", "3.0")),
    "lists": ("[[1, 2], [3, 4]]", rows("[2.5, 3.0]", "[3.5, 4.0]")),
    "nested-lists": ("[[[1], [2]]]", rows("[[2.5], [3.0]]")),
    "objects": ('[{"x": 1}, {"x": 2}]', rows("2.5", "3.0")),
    "objects-of-lists": ('[{"x": [1, 2]}]', rows("[2.5, 3.0]")),
    "empty-lists": ("[[], []]", rows("[]", "[]")),
    "one-empty-list": ("[[]]", rows("[]")),
}

ONE = tuple(
    RestCase(
        f"one-input/{name}",
        "The items of a one-input signature are values, lists, or objects that name the input; they "
        "become one tensor whose first dimension counts them.",
        predict("m", f'{{"instances": {instances}}}'),
        reply,
        facts=("5.3.1", "5.3.2", "5.4.4", "JIN-10", *(("JIN-20",) if "empty" in name else ())),
    )
    for name, (instances, reply) in ONE_INPUT.items()
)

TWO = (
    RestCase(
        "two-inputs/objects",
        "With several inputs every item is an object with all of them, in any order.",
        predict("two", '{"instances": [{"a": 1, "b": 2}, {"b": 3, "a": 0.5}]}'),
        ok(Json({"predictions": [{"a": 3.0, "b": 998}, {"a": 2.0, "b": 997}]})),
        facts=("5.3.1", "5.3.2", "JIN-10"),
    ),
    RestCase(
        "two-inputs/other-shapes",
        "Each input has a shape of its own.",
        predict("two", '{"instances": [{"a": [1, 2], "b": 2}]}'),
        ok(Json({"predictions": [{"a": [3.0, 5.0], "b": 998}]})),
        facts=("5.3.1",),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"two-inputs/{name}",
            "With several inputs nothing but an object will do.",
            predict("two", f'{{"instances": [{item}]}}'),
            refused(OBJECTS_ONLY),
            facts=("5.3.2", "JIN-11"),
            level=Level.SHOULD,
        )
        for name, item in (("value", "1"), ("list", "[1, 2]"), ("empty-list", "[]"), ("string", '"a"'))
    ),
    RestCase(
        "two-inputs/base64",
        "An object of base64 counts as a value; with several inputs it is tried as one of them.",
        predict("two", '{"instances": [{"b64": "AA=="}]}'),
        AnyOf(*(in_row(wrong('{\n    "b64": "AA=="\n}', "Object", dtype)) for dtype in ("float", "int64"))),
        facts=("5.3.3", "5.7.1"),
        level=Level.QUIRK,
    ),
)

STYLE = (
    *(
        RestCase(
            f"style/{name}",
            "The first item says whether items are objects; all others must be alike.",
            predict(model, f'{{"instances": {instances}}}'),
            refused(text),
            facts=("5.3.3", "JIN-12"),
            level=Level.SHOULD,
        )
        for name, model, instances, text in (
            (
                "value-after-object",
                "m",
                '[{"x": 1}, 2]',
                "Expecting object but got list at item 1 of input list",
            ),
            (
                "list-after-object",
                "m",
                '[{"x": [1]}, [2]]',
                "Expecting object but got list at item 1 of input list",
            ),
            (
                "object-after-value",
                "m",
                '[1, {"x": 2}]',
                "Expecting value/list but got object at item 1 of input list",
            ),
            (
                "value-after-two",
                "two",
                '[{"a": 1, "b": 2}, 7]',
                "Expecting object but got list at item 1 of input list",
            ),
            (
                "base64-after-object",
                "strings",
                '[{"s": "x"}, {"b64": "aGk="}]',
                "Expecting object but got list at item 1 of input list",
            ),
            (
                "object-after-base64",
                "strings",
                '[{"b64": "aGk="}, {"s": "x"}]',
                "Expecting value/list but got object at item 1 of input list",
            ),
        )
    ),
)

NAMES = (
    *(
        RestCase(
            f"unknown-input/{name}",
            "An input that the signature does not have is named with its row.",
            predict(model, f'{{"instances": {instances}}}'),
            in_row(f"JSON object: does not have named input: {key}", item, key),
            facts=("5.3.4", "5.3.5", "JIN-13", "JIN-14"),
        )
        for name, model, instances, item, key in (
            ("other", "m", '[{"y": 1}]', 0, "y"),
            ("surplus", "m", '[{"x": 1, "z": 2}]', 0, "z"),
            ("second-row", "m", '[{"x": 1}, {"z": 2}]', 1, "z"),
            ("case", "m", '[{"X": 1}]', 0, "X"),
            ("surplus-of-three", "two", '[{"a": 1, "b": 2, "c": 3}]', 0, "c"),
        )
    ),
    *(
        RestCase(
            f"missing-input/{name}",
            "A row without one of the inputs is shown, with the names of all, sorted.",
            predict(model, f'{{"instances": {instances}}}'),
            refused(keys(item, shown, names)),
            facts=("5.3.4", "JIN-13"),
        )
        for name, model, instances, item, shown, names in (
            ("only-one", "m", "[{}]", 0, "{}", "x"),
            ("second", "two", '[{"a": 1}]', 0, '{\n    "a": 1\n}', "a,b"),
            ("first", "two", '[{"b": 1}]', 0, '{\n    "b": 1\n}', "a,b"),
            ("both", "two", "[{}]", 0, "{}", "a,b"),
            ("second-row", "two", '[{"a": 1, "b": 2}, {"a": 1}]', 1, '{\n    "a": 1\n}', "a,b"),
        )
    ),
    RestCase(
        "duplicate-input/last-row",
        "Of an input that stands twice in the last row the first value counts.",
        predict("m", '{"instances": [{"x": 1}, {"x": 2, "x": 3}]}'),
        rows("2.5", "3.0"),
        facts=("5.1.9",),
        level=Level.QUIRK,
    ),
)

VALUES = (
    *(
        RestCase(
            f"value/{name}",
            "What is wrong with a value is told with its row, and with its input where that is named; it is "
            "always a bad request.",
            predict(model, f'{{"instances": {instances}}}'),
            in_row(text, item, key),
            facts=("5.3.5", "JIN-14"),
        )
        for name, model, instances, item, key, text in (
            ("first", "m", '["a"]', 0, None, wrong('"a"', "String", "float")),
            ("second", "m", "[1, null]", 1, None, wrong("null", "Null", "float")),
            ("in-list", "m", '[[1, 2], [3, "a"]]', 1, None, wrong('"a"', "String", "float")),
            ("named", "m", '[{"x": null}]', 0, "x", wrong("null", "Null", "float")),
            (
                "named-second",
                "two",
                '[{"a": 1, "b": 2}, {"a": 1, "b": 1.5}]',
                1,
                "b",
                wrong("1.5", "Number", "int64"),
            ),
        )
    ),
    RestCase(
        "value/not-implemented",
        "Even a dtype that JSON cannot carry is a bad request in a row.",
        predict("echo", '{"instances": [1]}', "half"),
        refused(
            "Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: Conversion of "
            "JSON Value: 1 to type: half"
        ),
        facts=("5.3.5", "5.6", "JIN-14", "JIN-27"),
        level=Level.SHOULD,
    ),
)

SHAPES = tuple(
    RestCase(
        f"shape/{name}",
        "All items need the shape of the first: sizes are compared, then shapes.",
        predict(model, f'{{"instances": {instances}}}'),
        in_row(text, 1, key),
        facts=("5.3.1", "5.3.6", "JIN-15"),
        level=Level.SHOULD,
    )
    for name, model, instances, key, text in (
        ("size", "m", "[[1, 2], [3]]", None, "Expecting tensor size: 2 but got: 1"),
        ("size-of-empty", "m", "[[], [1]]", None, "Expecting tensor size: 0 but got: 1"),
        ("empty-after-list", "m", "[[1], []]", None, "Expecting tensor size: 1 but got: 0"),
        ("shape", "m", "[[[1, 2]], [[3], [4]]]", None, "Expecting shape [1,2] but got: [2,1]"),
        ("list-after-value", "m", "[1, [2]]", None, "Expecting shape [] but got: [1]"),
        ("value-after-list", "m", "[[2], 1]", None, "Expecting shape [1] but got: []"),
        (
            "named",
            "two",
            '[{"a": [1, 2], "b": 1}, {"a": [1], "b": 1}]',
            "a",
            "Expecting tensor size: 2 but got: 1",
        ),
    )
)


@pytest.mark.cases((*ONE, *TWO, *STYLE, *NAMES, *VALUES, *SHAPES))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
