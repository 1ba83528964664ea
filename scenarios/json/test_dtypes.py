"""Which JSON values each dtype takes, and what becomes of them [5.6]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import RestCase, error
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, column, in_row, predict, refused, rows, wrong

pytestmark = pytest.mark.scenario(SCENARIO)

#: Values that no number input takes: the JSON text, how it is shown, and the word for its kind.
NO_NUMBERS = {
    "string": ('"1"', '"1"', "String"),
    "true": ("true", "true", "True"),
    "false": ("false", "false", "False"),
    "null": ("null", "null", "Null"),
    "base64": ('{"b64": "AQ=="}', '{\n    "b64": "AQ=="\n}', "Object"),
}
#: Numbers that no integer input takes.
NO_INTEGERS = {
    "whole-decimal": ("1.0", "1.0"),
    "decimal": ("1.5", "1.5"),
    "exponent": ("1e2", "100.0"),
    "negative-zero": ("-0.0", "-0.0"),
    "nan": ("NaN", ""),
    "huge": ("1e30", "1e30"),
}
#: Smallest and largest value of each integer dtype that JSON carries.
INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
#: Narrow integers are read as int32 and cut to their bits.
NARROW = {
    "int8": ((128, -128), (-129, 127), (1000, -24)),
    "int16": ((32768, -32768), (-32769, 32767), (70000, 4464)),
    "uint8": ((256, 0), (-1, 255), (300, 44), (-5, 251)),
}
#: Values beyond a dtype that is not cut, and how they are shown.
BEYOND = {
    "int8": {str(2**31): str(2**31), str(-(2**31) - 1): str(-(2**31) - 1)},
    "int16": {str(2**32): str(2**32)},
    "uint8": {str(2**53 + 1): str(2**53 + 1)},
    "int32": {str(2**31): str(2**31), str(-(2**31) - 1): str(-(2**31) - 1)},
    "int64": {str(2**63): str(2**63), str(-(2**63) - 1): "-9223372036854776000.0"},
    "uint32": {str(2**32): str(2**32), "-1": "-1"},
    "uint64": {str(2**64): "18446744073709553000.0", "-1": "-1"},
}
ROWS = {"int8": "JIN-25", "int16": "JIN-25", "uint8": "JIN-25", "int32": "JIN-23"}


def one(value: str) -> str:
    return f'{{"instances": [{value}]}}'


ACCEPTED_INTEGERS = (
    *(
        RestCase(
            f"{dtype}/limits",
            "An integer input takes integers, up to its limits and without rounding.",
            predict("echo", f'{{"instances": [{low}, 0, 1, {high}]}}', dtype),
            rows(str(low), "0", "1", str(high)),
            facts=("5.6", "5.8.5", ROWS.get(dtype, "JIN-24")),
        )
        for dtype, (low, high) in INTEGERS.items()
    ),
    *(
        RestCase(
            f"{dtype}/cut/{value}",
            "A narrow integer input takes whatever fits 32 bits and keeps the lowest bits.",
            predict("echo", one(str(value)), dtype),
            rows(str(kept)),
            facts=("5.6", "JIN-25"),
            level=Level.QUIRK,
        )
        for dtype, pairs in NARROW.items()
        for value, kept in pairs
    ),
    *(
        RestCase(
            f"{dtype}/beyond/{value}",
            "An integer outside of the limits is refused: of 32 bits for narrow dtypes, else of its own.",
            predict("echo", one(value), dtype),
            in_row(wrong(shown, "Number", dtype)),
            facts=("5.6", "5.6.1", ROWS.get(dtype, "JIN-24")),
        )
        for dtype, values in BEYOND.items()
        for value, shown in values.items()
    ),
    *(
        RestCase(
            f"{dtype}/{name}",
            "An integer input takes no number with a point or an exponent.",
            predict("echo", one(value), dtype),
            in_row(wrong(shown, "Number", dtype)),
            facts=("5.6", "5.6.1", "JIN-23"),
        )
        for dtype in INTEGERS
        for name, (value, shown) in NO_INTEGERS.items()
    ),
)

FLOATS = {
    "integer": ("1", "1.0", "1.0"),
    "negative": ("-7", "-7.0", "-7.0"),
    "decimal": ("2.5", "2.5", "2.5"),
    "exponent": ("1e5", "100000.0", "100000.0"),
    "nan": ("NaN", "NaN", "NaN"),
    "infinity": ("-Infinity", "-Infinity", "-Infinity"),
    "beyond-24-bits": ("16777217", "16777216.0", "16777217.0"),
    "beyond-53-bits": ("9007199254740993", "9.00719925e+15", "9007199254740992.0"),
    "unsigned": ("18446744073709551615", "1.84467441e+19", "1.8446744073709552e+19"),
    "beyond-64-bits": ("18446744073709551616", "1.84467441e+19", "1.8446744073709552e+19"),
    "beyond-float": ("1e39", "Infinity", "1e+39"),
    "just-beyond-float": ("-3.5e38", "-Infinity", "-3.5e+38"),
    "below-float": ("1e-46", "0.0", "1e-46"),
}

ACCEPTED_FLOATS = tuple(
    RestCase(
        f"{dtype}/{name}",
        "A float input takes every number and rounds it; what is too large becomes infinite.",
        predict("echo", one(value), dtype),
        rows(printed),
        facts=("5.6", "JIN-22"),
    )
    for name, (value, as_float, as_double) in FLOATS.items()
    for dtype, printed in (("float", as_float), ("double", as_double))
)

OTHER_KINDS = (
    *(
        RestCase(
            f"{dtype}/not-{name}",
            "A number input takes nothing but numbers; text says what came and what was expected.",
            predict("echo", one(value), dtype),
            in_row(wrong(shown, kind, dtype)),
            facts=("5.6.1", "5.6.2", *(("5.6.3", "JIN-29") if name == "base64" else ("JIN-23",))),
        )
        for dtype in ("float", "double", *INTEGERS)
        for name, (value, shown, kind) in NO_NUMBERS.items()
    ),
    RestCase(
        "bool/values",
        "A bool input takes true and false.",
        predict("echo", '{"instances": [true, false]}', "bool"),
        rows("true", "false"),
        facts=("5.6", "5.8.5", "JIN-26", "JOUT-07"),
    ),
    *(
        RestCase(
            f"bool/not-{name}",
            "A bool input takes nothing else.",
            predict("echo", one(value), "bool"),
            in_row(wrong(value, kind, "bool")),
            facts=("5.6", "5.6.1", "5.6.2", "JIN-26"),
        )
        for name, value, kind in (
            ("zero", "0", "Number"),
            ("one", "1", "Number"),
            ("decimal", "1.0", "Number"),
            ("null", "null", "Null"),
            ("string", '"true"', "String"),
        )
    ),
    RestCase(
        "string/values",
        "A string input takes strings.",
        predict("echo", '{"instances": ["a", "", "é"]}', "string"),
        rows('"a"', '""', '"é"'),
        facts=("5.6", "JIN-26"),
    ),
    *(
        RestCase(
            f"string/not-{name}",
            "A string input takes neither numbers nor true, false or null.",
            predict("echo", one(value), "string"),
            in_row(wrong(value, kind, "string")),
            facts=("5.6", "5.6.1", "5.6.2", "JIN-26"),
        )
        for name, value, kind in (
            ("integer", "1", "Number"),
            ("decimal", "1.5", "Number"),
            ("true", "true", "True"),
            ("null", "null", "Null"),
        )
    ),
)

#: Dtypes that no JSON value becomes.
NOT_IN_JSON = ("half", "bfloat16", "uint16", "complex64", "complex128")

NONE = (
    *(
        RestCase(
            f"{dtype}/row",
            "Dtypes that JSON cannot carry are refused as bad requests in rows.",
            predict("echo", '{"instances": [1]}', dtype),
            refused(
                "Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: Conversion of JSON "
                f"Value: 1 to type: {dtype}"
            ),
            facts=("5.6", "JIN-27"),
            level=Level.SHOULD,
        )
        for dtype in NOT_IN_JSON
    ),
    *(
        RestCase(
            f"{dtype}/column",
            "Dtypes that JSON cannot carry are not implemented in columns.",
            predict("echo", '{"inputs": [1]}', dtype),
            error(501, f"Conversion of JSON Value: 1 to type: {dtype}"),
            facts=("5.6", "JIN-27"),
            level=Level.SHOULD,
        )
        for dtype in NOT_IN_JSON
    ),
)

RANKS = tuple(
    RestCase(
        f"ranks/{dtype}/{name}",
        "Every dtype may have any number of dimensions.",
        predict("echo", f'{{"{form}": {value}}}', dtype),
        rows(*printed) if form == "instances" else column(*printed),
        facts=("5.3.1", "5.4.1", "5.6"),
        level=Level.SHOULD,
    )
    for dtype, a, b in (
        ("int8", "-1", "2"),
        ("int64", "-1", str(2**62)),
        ("uint64", "1", str(2**63)),
        ("double", "0.5", "2.0"),
        ("bool", "true", "false"),
        ("string", '"a"', '"b"'),
    )
    for name, form, value, printed in (
        ("rows", "instances", f"[[{a}, {b}], [{b}, {a}]]", (f"[{a}, {b}]", f"[{b}, {a}]")),
        ("column", "inputs", f"[{a}, {b}]", (a, b)),
    )
)

LONG = "a" * 300
#: A hundred objects in one another, as far as they are shown.
DEEP = '{\n    "instances"' + "".join(f': {{\n{" " * 4 * level}"a"' for level in range(2, 11))

SHOWN = (
    RestCase(
        "shown/layout",
        "A value in the text of an error is indented by four blanks; lists stand on one line.",
        predict("m", '{"inputs": {"x": {"a": [1, [2.5, null]], "b": {}}}}'),
        refused(wrong('{\n    "a": [1, [2.5, null]],\n    "b": {}\n}', "Object", "float")),
        facts=("5.1.11",),
        level=Level.SHOULD,
    ),
    RestCase(
        "shown/long-string",
        "A single string is shown as a whole, however long it is.",
        predict("m", f'{{"instances": ["{LONG}"]}}'),
        in_row(wrong(f'"{LONG}"', "String", "float")),
        facts=("5.1.11", "X-47"),
        level=Level.QUIRK,
    ),
    RestCase(
        "shown/cut",
        "A value in the text of an error ends with the token that brings it beyond 256 bytes.",
        predict("m", '{"instances": ' + '{"a": ' * 100 + "1" + "}" * 101),
        refused(f"JSON Value: {DEEP} Expecting 'instances' to be an list/array"),
        facts=("5.1.11", "X-47"),
        level=Level.QUIRK,
    ),
)


@pytest.mark.cases((*ACCEPTED_INTEGERS, *ACCEPTED_FLOATS, *OTHER_KINDS, *NONE, *RANKS, *SHOWN))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
