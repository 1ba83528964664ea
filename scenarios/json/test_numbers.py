"""How numbers are printed, digit by digit, and how decimals are read [5.8.4, 5.8.5, 5.1.7].

The model ``bits`` makes floats of bit patterns, so that each check says exactly which number it means.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from harness.cases import AnyOf, RestCase
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, column, predict, rows

pytestmark = pytest.mark.scenario(SCENARIO)

#: Floats of 32 bits: what they show, then pattern and text.
FLOATS = {
    "zeros": {0x00000000: "0.0", 0x80000000: "-0.0"},
    "six digits are enough": {
        0x3F800000: "1.0",
        0xBF800000: "-1.0",
        0x3F000000: "0.5",
        0x3DCCCCCD: "0.1",
        0xBDCCCCCD: "-0.1",
        0x3E4CCCCD: "0.2",
        0x447A0666: "1000.1",
        0x449A5000: "1234.5",
        0x3D800000: "0.0625",
        0x3C800000: "0.015625",
    },
    "nine digits where six do not tell the number": {
        0x3EAAAAAB: "0.333333343",
        0x3F2AAAAB: "0.666666687",
        0x40490FDB: "3.14159274",
        0x3F800001: "1.00000012",
        0x3F7FFFFF: "0.99999994",
        0xC7F1205A: "-123456.703",
        0x47C3500D: "100000.102",
        0x4CEB79A3: "123456792.0",
        0x51E5F4C9: "1.23456791e+11",
    },
    "a point and a zero after whole numbers": {
        0x47C35000: "100000.0",
        0x497423F0: "999999.0",
        0x49742410: "1000001.0",
        0x4996B438: "1234567.0",
        0x4B7FFFFF: "16777215.0",
        0x4B800000: "16777216.0",
    },
    "an exponent from a million, where six digits are enough": {
        0x49742400: "1e+06",
        0x4B189680: "1e+07",
        0x505F8476: "1.5e+10",
        0x60AD78EC: "1e+20",
        0x4C5FAEFD: "5.86373e+07",
    },
    "an exponent below a ten thousandth": {
        0x38D1B717: "0.0001",
        0x3901725B: "0.00012345",
        0x3727C5AC: "1e-05",
        0x37FBA882: "3e-05",
        0x1E3CE508: "1e-20",
        0x2F000001: "1.16415336e-10",
    },
    "the limits": {
        0x7F7FFFFF: "3.40282347e+38",
        0xFF7FFFFF: "-3.40282347e+38",
        0x00800000: "1.17549435e-38",
        0x4F000000: "2.14748365e+09",
        0x5F000000: "9.22337204e+18",
    },
}
#: The same for 64 bits, with seventeen digits in place of nine.
DOUBLES = {
    "zeros": {0x0000000000000000: "0.0", 0x8000000000000000: "-0.0"},
    "six digits are enough": {
        0x3FF0000000000000: "1.0",
        0x3FB999999999999A: "0.1",
        0x3FD3333333333333: "0.3",
        0x40934A0000000000: "1234.5",
        0xC0FE240B33333333: "-123456.7",
    },
    "seventeen digits where six do not tell the number": {
        0x3FD5555555555555: "0.33333333333333331",
        0x3FD3333333333334: "0.30000000000000004",
        0x3FF0000000000001: "1.0000000000000002",
        0x3FEFFFFFFFFFFFFF: "0.99999999999999989",
        0x40F86A019999999A: "100000.10000000001",
        0x3F202E85BE111841: "0.000123456789",
        0x3FF6A09E55C0FCB5: "1.4142135",
        0x419D6F34547DF3B6: "123456789.123",
    },
    "a point and a zero after whole numbers": {
        0x40F86A0000000000: "100000.0",
        0x4132D68700000000: "1234567.0",
        0x423CBE991A140000: "123456789012.0",
        0x4340000000000000: "9007199254740992.0",
        0x430C6BF526340004: "1000000000000000.5",
    },
    "an exponent from a million, where six digits are enough": {
        0x412E848000000000: "1e+06",
        0x430C6BF526340000: "1e+15",
        0x44B52D02C7E14AF6: "1e+23",
        0x54B249AD2594C37D: "1e+100",
    },
    "an exponent below a ten thousandth": {
        0x3F1A36E2EB1C432D: "0.0001",
        0x3EE4F8B588E368F1: "1e-05",
        0x3E92CD36B10AAA75: "2.8016590739957745e-07",
    },
    "the limits": {
        0x7FEFFFFFFFFFFFFF: "1.7976931348623157e+308",
        0x0010000000000000: "2.2250738585072014e-308",
        0x43E0000000000000: "9.2233720368547758e+18",
    },
}
#: Patterns of numbers that are not finite, or not normal.
SPECIAL = {
    "float": {
        0x7F800000: "Infinity",
        0xFF800000: "-Infinity",
        0x7FC00000: "NaN",
        0xFFC00000: "NaN",
        0x7F800001: "NaN",
    },
    "double": {
        0x7FF0000000000000: "Infinity",
        0xFFF0000000000000: "-Infinity",
        0x7FF8000000000000: "NaN",
        0xFFF8000000000000: "NaN",
    },
}
DENORMAL = {
    "float": {0x00000001: "0.0", 0x007FFFFF: "0.0", 0x80000001: "-0.0"},
    "double": {0x0000000000000001: "0.0", 0x000FFFFFFFFFFFFF: "0.0", 0x8000000000000001: "-0.0"},
}
#: Floats all over the range, few of which six digits tell apart from others.
SPREAD = range(0x00800001, 0x7F800000, 0x05555555)
BITS = {"float": 32, "double": 64}


def signed(pattern: int, dtype: str) -> str:
    """A pattern as the integer that the model takes."""
    bits = BITS[dtype]
    return str(pattern - (1 << bits) if pattern >> (bits - 1) else pattern)


def text(pattern: int) -> str:
    """What the rule says of a finite float: six digits if they read as the same number, else nine."""
    (number,) = struct.unpack("f", struct.pack("I", pattern))
    six, nine = f"{number:.6g}", f"{number:.9g}"
    printed = six if struct.pack("f", float(six)) == struct.pack("f", number) else nine
    return printed if "." in printed or "e" in printed else f"{printed}.0"


def printing(
    name: str, rule: str, dtype: str, numbers: dict[int, str], level: Level, *facts: str
) -> RestCase:
    patterns = ", ".join(signed(pattern, dtype) for pattern in numbers)
    return RestCase(
        name,
        rule,
        predict("bits", f'{{"instances": [{patterns}]}}', dtype),
        rows(*numbers.values()),
        facts=facts,
        level=level,
    )


PRINTED = (
    *(
        printing(
            f"{dtype}/{topic.replace(' ', '-').replace(',', '')}",
            f"A number has six digits, or as many as tell it apart from all others. Here: {topic}.",
            dtype,
            numbers,
            Level.MUST,
            "5.8.4",
            "JOUT-05",
        )
        for dtype, topics in (("float", FLOATS), ("double", DOUBLES))
        for topic, numbers in topics.items()
    ),
    *(
        RestCase(
            f"{dtype}/column",
            "Columns print numbers as rows do.",
            predict(
                "bits", f'{{"inputs": [{", ".join(signed(pattern, dtype) for pattern in numbers)}]}}', dtype
            ),
            column(*numbers.values()),
            facts=("5.8.4", "JOUT-05"),
        )
        for dtype, topics in (("float", FLOATS), ("double", DOUBLES))
        for numbers in ({bits: text for topic in topics.values() for bits, text in topic.items()},)
    ),
    printing(
        "float/whole-range",
        "Six digits that read as the same number are enough; else it takes nine.",
        "float",
        {pattern: text(pattern) for pattern in SPREAD},
        Level.MUST,
        "5.8.4",
        "JOUT-05",
    ),
    *(
        printing(
            f"{dtype}/not-finite",
            "Numbers that are not finite are the bare words NaN, Infinity and -Infinity, which JSON has not.",
            dtype,
            numbers,
            Level.MUST,
            "5.8.4",
            "JOUT-06",
        )
        for dtype, numbers in SPECIAL.items()
    ),
    *(
        printing(
            f"{dtype}/denormal",
            "Numbers too small to be normal are printed as zero, with their sign.",
            dtype,
            numbers,
            Level.QUIRK,
            "5.8.4",
            "JOUT-05",
        )
        for dtype, numbers in DENORMAL.items()
    ),
    *(
        RestCase(
            f"integers/{dtype}",
            "Integers are printed in full, as numbers.",
            predict("echo", f'{{"instances": [{", ".join(values)}]}}', dtype),
            rows(*values),
            facts=("5.8.5", "JOUT-07"),
        )
        for dtype, values in {
            "int32": ("-2147483648", "2147483647"),
            "int64": ("-9223372036854775808", "9007199254740993", "9223372036854775807"),
            "uint64": ("0", "18446744073709551615"),
        }.items()
    ),
    RestCase(
        "bools",
        "Bools are true and false.",
        predict("echo", '{"inputs": [true, false]}', "bool"),
        column("true", "false"),
        facts=("5.8.5", "JOUT-07"),
    ),
)

READ = (
    *(
        RestCase(
            f"read/{dtype}/{text}",
            "A short decimal becomes the nearest number.",
            predict("bits", f'{{"instances": [{text}]}}', f"{dtype}_bits"),
            rows(signed(pattern, dtype)),
            facts=("5.1.7", "5.6"),
        )
        for dtype, numbers in (
            (
                "float",
                {
                    "0.1": 0x3DCCCCCD,
                    "0.2": 0x3E4CCCCD,
                    "1.5": 0x3FC00000,
                    "-0.0": 0x80000000,
                    "3e8": 0x4D8F0D18,
                },
            ),
            ("double", {"0.1": 0x3FB999999999999A, "2.675": 0x4005666666666666, "1e22": 0x4480F0CF064DD592}),
        )
        for text, pattern in numbers.items()
    ),
    RestCase(
        "read/long-decimal",
        "A decimal of seventeen digits may be read a few units of its last place off.",
        predict("bits", '{"instances": [0.33333333333333331]}', "double_bits"),
        AnyOf(*(rows(str(0x3FD5555555555555 + off)) for off in (0, -1, 1, -2, 2))),
        facts=("5.1.7",),
        level=Level.SHOULD,
    ),
)


@pytest.mark.cases((*PRINTED, *READ))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
