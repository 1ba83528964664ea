"""The document that carries predictions: its members, line breaks and indents [5.8.1-5.8.3]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import AnyOf, Json, RestCase, error, ok
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, column, predict, rows

pytestmark = pytest.mark.scenario(SCENARIO)

MATRIX = "[[1, 2], [3, 4]]"

#: Documents of one output: request, and the reply letter by letter.
ONE_OUTPUT = {
    "row-of-values": (
        '{"instances": [1, 2, 5]}',
        """{
    "predictions": [1.0, 2.0, 5.0
    ]
}""",
    ),
    "rows-of-lists": (
        f'{{"instances": {MATRIX}}}',
        """{
    "predictions": [[1.0, 2.0], [3.0, 4.0]
    ]
}""",
    ),
    "rows-of-matrices": (
        f'{{"instances": [{MATRIX}]}}',
        """{
    "predictions": [[[1.0, 2.0], [3.0, 4.0]]
    ]
}""",
    ),
    "rows-of-nothing": (
        '{"instances": [[], []]}',
        """{
    "predictions": [[], []
    ]
}""",
    ),
    "scalar": (
        '{"inputs": 7}',
        """{
    "outputs": 7.0
}""",
    ),
    "column": (
        '{"inputs": [1, 2]}',
        """{
    "outputs": [
        1.0,
        2.0
    ]
}""",
    ),
    "column-of-rows": (
        f'{{"inputs": {MATRIX}}}',
        """{
    "outputs": [
        [
            1.0,
            2.0
        ],
        [
            3.0,
            4.0
        ]
    ]
}""",
    ),
    "column-of-nothing": (
        '{"inputs": []}',
        """{
    "outputs": []
}""",
    ),
    "column-of-empty-rows": (
        '{"inputs": [[], []]}',
        """{
    "outputs": [
        [],
        []
    ]
}""",
    ),
}

ONE = (
    *(
        RestCase(
            f"one-output/{name}",
            "One output stands without its name; rows take one line each, columns one line a number.",
            predict("echo", body),
            ok(document),
            facts=("5.8.1", "5.8.3", "JOUT-01", "JOUT-02"),
        )
        for name, (body, document) in ONE_OUTPUT.items()
    ),
    RestCase(
        "one-output/no-rows",
        "No rows at all close on the same line.",
        predict("forms", '{"instances": [-1, -2]}', "positive"),
        ok('{\n    "predictions": []\n}'),
        facts=("5.8.3", "JOUT-03"),
    ),
    RestCase(
        "one-output/no-rows-in-a-column",
        "So does an empty column.",
        predict("forms", '{"inputs": [-1, -2]}', "positive"),
        ok('{\n    "outputs": []\n}'),
        facts=("5.8.3", "JOUT-03"),
    ),
    RestCase(
        "one-output/other-batch-size",
        "The model alone decides how many rows come back.",
        predict("forms", '{"instances": [-1, 2, 3]}', "positive"),
        rows("2.0", "3.0"),
        facts=("5.8.2",),
        level=Level.SHOULD,
    ),
)


def either(document: str, first: str, second: str) -> AnyOf[str]:
    """A document with two members in any order, which stand for ``<1>`` and ``<2>``."""
    return AnyOf(
        *(
            document.replace("<1>", one).replace("<2>", other)
            for one, other in ((first, second), (second, first))
        )
    )


SEVERAL = (
    RestCase(
        "several-outputs/row",
        "Several outputs of a row make an object, one output a line; their order is not fixed.",
        predict("two", '{"instances": [{"a": 1, "b": 2}]}'),
        ok(
            either(
                """{
    "predictions": [
        {
            <1>,
            <2>
        }
    ]
}""",
                '"a": 3.0',
                '"b": 998',
            )
        ),
        facts=("5.8.1", "5.8.3", "JOUT-01", "JOUT-02"),
    ),
    RestCase(
        "several-outputs/rows",
        "Each row has all outputs, lists on one line.",
        predict("two", '{"instances": [{"a": [1, 2], "b": 2}, {"a": [3, 4], "b": 3}]}'),
        ok(Json({"predictions": [{"a": [3.0, 5.0], "b": 998}, {"a": [7.0, 9.0], "b": 997}]})),
        facts=("5.8.1", "JOUT-01"),
    ),
    RestCase(
        "several-outputs/lists-in-a-row",
        "A list within such an object stands on one line.",
        predict("two", '{"instances": [{"a": [[1], [2]], "b": []}]}'),
        ok(
            either(
                """{
    "predictions": [
        {
            <1>,
            <2>
        }
    ]
}""",
                '"a": [[3.0], [5.0]]',
                '"b": []',
            )
        ),
        facts=("5.8.3", "JOUT-02"),
        level=Level.SHOULD,
    ),
    RestCase(
        "several-outputs/columns",
        "Columns of several outputs are an object of columns.",
        predict("two", '{"inputs": {"a": [1, 2], "b": [2]}}'),
        ok(
            either(
                """{
    "outputs": {
        <1>,
        <2>
    }
}""",
                """"a": [
            3.0,
            5.0
        ]""",
                """"b": [
            998
        ]""",
            )
        ),
        facts=("5.8.1", "5.8.3", "JOUT-01", "JOUT-02"),
    ),
    RestCase(
        "several-outputs/scalar-and-nothing",
        "Columns may be scalars and empty.",
        predict("two", '{"inputs": {"a": [], "b": 2}}'),
        ok(either('{\n    "outputs": {\n        <1>,\n        <2>\n    }\n}', '"a": []', '"b": 998')),
        facts=("5.8.3", "JOUT-02"),
        level=Level.SHOULD,
    ),
)

FORMS = (
    *(
        RestCase(
            f"no-rows-in-it/{name}",
            "An output without dimensions has no rows, and so cannot be a prediction.",
            predict("forms", '{"instances": [1, 2]}', signature),
            error(400, "Tensor name: sum has no shape information "),
            facts=("5.8.2", "JOUT-04"),
            level=Level.SHOULD,
        )
        for name, signature in (("alone", "scalar"), ("beside-another", "mixed"))
    ),
    RestCase(
        "no-rows-in-it/column",
        "It can be an output in a column.",
        predict("forms", '{"inputs": [1, 2]}', "scalar"),
        ok('{\n    "outputs": 4.0\n}'),
        facts=("5.8.2", "JOUT-04"),
    ),
    RestCase(
        "no-rows-in-it/column-beside-another",
        "It can be an output in a column.",
        predict("forms", '{"inputs": [1, 2]}', "mixed"),
        ok(Json({"outputs": {"all": [1.0, 2.0], "sum": 4.0}})),
        facts=("5.8.2", "JOUT-04"),
    ),
    RestCase(
        "batch-sizes/rows",
        "Outputs with different numbers of rows cannot be put together; any of them may be blamed.",
        predict("forms", '{"instances": [1, 2, 3]}'),
        AnyOf(
            error(400, "Tensor name: all has inconsistent batch size: 3 expecting: 1"),
            error(400, "Tensor name: first has inconsistent batch size: 1 expecting: 3"),
        ),
        facts=("5.8.2", "JOUT-04"),
        level=Level.SHOULD,
    ),
    RestCase(
        "batch-sizes/one-row",
        "One row happens to fit.",
        predict("forms", '{"instances": [4]}'),
        ok(Json({"predictions": [{"all": 4.0, "first": 4.0}]})),
        facts=("5.8.2", "JOUT-04"),
    ),
    RestCase(
        "batch-sizes/columns",
        "Columns may differ.",
        predict("forms", '{"inputs": [1, 2, 3]}'),
        ok(Json({"outputs": {"all": [1.0, 2.0, 3.0], "first": [1.0]}})),
        facts=("5.8.2", "JOUT-04"),
    ),
    *(
        RestCase(
            f"not-in-json/{dtype}/{form}",
            "An output of a dtype that JSON cannot carry is a bad request, in either form.",
            predict("forms", f'{{"{form}": [1]}}', f"as_{dtype}"),
            error(400, f"Failed to write JSON value for tensor type: {dtype}"),
            facts=("5.8.8", "JOUT-10"),
            level=Level.SHOULD,
        )
        for dtype in ("half", "bfloat16", "uint16", "complex64", "complex128")
        for form in ("instances", "inputs")
    ),
)

#: Enough numbers to fill many packets.
MANY = 50_000

LARGE = (
    RestCase(
        "large/in",
        "A long column is read as a whole.",
        predict("forms", f'{{"inputs": [{", ".join(["0.5"] * MANY)}]}}', "scalar"),
        ok(Json({"outputs": MANY / 2 + 1})),
        facts=("5.4.1", "4.9.3"),
    ),
    RestCase(
        "large/both-ways",
        "A long row comes back in its order.",
        predict("echo", f'{{"instances": [{", ".join(map(str, range(4096)))}]}}', "int32"),
        rows(*map(str, range(4096))),
        facts=("5.3.1", "5.8.3", "5.8.5"),
    ),
    RestCase(
        "large/column",
        "A long column comes back one number a line.",
        predict("echo", f'{{"inputs": [{", ".join(map(str, range(4096)))}]}}', "int64"),
        column(*map(str, range(4096))),
        facts=("5.4.1", "5.8.3", "5.8.5"),
    ),
)


@pytest.mark.cases((*ONE, *SEVERAL, *FORMS, *LARGE))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
