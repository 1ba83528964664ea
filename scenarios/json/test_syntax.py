"""What counts as a document: JSON with a few liberties [5.1]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import Reply, RestCase
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, in_row, predict, refused, rows, wrong

pytestmark = pytest.mark.scenario(SCENARIO)


def parse_error(text: str, offset: int) -> Reply:
    return refused(f"JSON Parse error: {text} at offset: {offset}")


NO_COMMA = "Missing a comma or ']' after an array element."
NO_COMMA_OBJECT = "Missing a comma or '}' after an object member."
NO_NAME = "Missing a name for object member."
NO_COLON = "Missing a colon after a name of object member."
INVALID = "Invalid value."
ESCAPE = "Invalid escape character in string."
SURROGATE = "The surrogate pair in string is invalid."
TOO_BIG = "Number too big to be stored in double."
FRACTION = "Miss fraction part in number."
EXPONENT = "Miss exponent in number."

EMPTY = (
    RestCase(
        "empty/nothing",
        "An empty body is an empty document, and the text tells no offset.",
        predict("m", ""),
        refused("JSON Parse error: The document is empty"),
        facts=("5.1.1", "JIN-01"),
    ),
    *(
        RestCase(
            f"empty/{name}",
            "A body of white space is an empty document too, and the text tells where it ended.",
            predict("m", body),
            parse_error("The document is empty.", offset),
            facts=("5.1.1", "JIN-01"),
            level=Level.SHOULD,
        )
        for name, body, offset in (("blank", " ", 1), ("white-space", "\n\t \n", 4), ("brace", "}", 0))
    ),
)

#: Broken documents: the text of the parser, and the offset at which it gave up.
BROKEN: dict[str, tuple[str | bytes, str, int]] = {
    "open-object": ("{", NO_NAME, 1),
    "single-quotes": ("{'instances': [1]}", NO_NAME, 1),
    "bare-key": ("{instances: [1]}", NO_NAME, 1),
    "number-as-key": ('{"instances": [1], 1: 2}', NO_NAME, 19),
    "comma-before-brace": ('{"instances": [1],}', NO_NAME, 18),
    "no-colon": ('{"instances"}', NO_COLON, 12),
    "value-without-colon": ('{"instances" [1]}', NO_COLON, 13),
    "no-value": ('{"instances":}', INVALID, 13),
    "cut-word": ('{"instances": [tru', INVALID, 18),
    "comma-before-bracket": ('{"instances": [1,]}', INVALID, 17),
    "comma-first": ('{"instances": [,1]}', INVALID, 15),
    "no-comma": ('{"instances": [1 2]}', NO_COMMA, 17),
    "wrong-bracket": ('{"instances": [1}', NO_COMMA, 16),
    "cut-array": ('{"instances": [1', NO_COMMA, 16),
    "cut-object": ('{"instances": [1]', NO_COMMA_OBJECT, 17),
    "zero-byte": ('{"instances": [1\x00]}', NO_COMMA, 16),
    "line-comment": ('// c\n{"instances": [1]}', INVALID, 0),
    "block-comment": ('{"instances": /*c*/ [1]}', INVALID, 14),
    "form-feed": ('{"instances": [1]\f}', NO_COMMA_OBJECT, 17),
    "no-break-space": ('{"instances": [1]\xa0}', NO_COMMA_OBJECT, 17),
    "utf-16": (b'\xff\xfe{\x00"\x00', INVALID, 0),
    "open-string": ('{"x": "open', "Missing a closing quotation mark in string.", 11),
    "unknown-escape": ('{"x": "\\q"}', ESCAPE, 7),
    "short-unicode-escape": ('{"x": "\\u12"}', "Incorrect hex digit after \\u escape in string.", 7),
    "lone-high-surrogate": ('{"x": "\\ud800"}', SURROGATE, 7),
    "high-surrogate-and-letter": ('{"x": "\\ud800\\u0041"}', SURROGATE, 7),
}
#: Numbers that are none.
NO_NUMBERS = {
    "leading-zero": ("01", NO_COMMA, 16),
    "hexadecimal": ("0x10", NO_COMMA, 16),
    "underscore": ("1_000", NO_COMMA, 16),
    "plus": ("+1", INVALID, 15),
    "no-integer-part": (".5", INVALID, 15),
    "lone-minus": ("-", INVALID, 16),
    "two-minuses": ("--1", INVALID, 16),
    "no-fraction": ("5.", FRACTION, 17),
    "no-exponent": ("1e", EXPONENT, 17),
    "no-exponent-digits": ("1e+", EXPONENT, 18),
}

SYNTAX = (
    *(
        RestCase(
            f"broken/{name}",
            "What is not JSON is a bad request that names the mistake and its offset in bytes.",
            predict("m", body),
            parse_error(text, offset),
            facts=("5.1.2", "JIN-01"),
            level=Level.SHOULD,
        )
        for name, (body, text, offset) in BROKEN.items()
    ),
    *(
        RestCase(
            f"no-number/{name}",
            "Numbers are written as in JSON: no plus, no leading zeros, digits around the point.",
            predict("m", f'{{"instances": [{number}]}}'),
            parse_error(text, offset),
            facts=("5.1.2", "5.1.5", "JIN-01"),
            level=Level.SHOULD,
        )
        for name, (number, text, offset) in NO_NUMBERS.items()
    ),
    *(
        RestCase(
            f"control-character/{name}",
            "Control characters in a string must be escaped.",
            predict("m", f'{{"x": "a{character}b"}}'),
            parse_error(ESCAPE, 8),
            facts=("5.1.5", "X-44"),
            level=Level.SHOULD,
        )
        for name, character in (("line-feed", "\n"), ("tab", "\t"))
    ),
)

#: Documents with liberties that are taken.
LIBERTIES = {
    "text-after": '{"instances": [1]} and more',
    "document-after": '{"instances": [1]}{"instances": [2]}',
    "bracket-after": '{"instances": [1]}]',
    "zero-byte-after": '{"instances": [1]}\x00',
}

ACCEPTED = (
    *(
        RestCase(
            f"trailing/{name}",
            "What follows the document is not read.",
            predict("m", body),
            rows("2.5"),
            facts=("5.1.4", "JIN-03"),
            level=Level.QUIRK,
        )
        for name, body in LIBERTIES.items()
    ),
    RestCase(
        "byte-order-mark",
        "A byte order mark of UTF-8 in front is skipped.",
        predict("m", b'\xef\xbb\xbf{"instances": [1]}'),
        rows("2.5"),
        facts=("5.1.5", "X-44"),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"white-space/{name}",
            "Blank, tab, line feed and carriage return may stand between any two tokens.",
            predict("m", body),
            rows("2.5"),
            facts=("5.1",),
        )
        for name, body in (
            ("blanks", '  {  "instances"  :  [  1  ]  }  '),
            ("lines", '\r\n{\r\n\t"instances"\r\n:[1]}'),
        )
    ),
    *(
        RestCase(
            f"ignored-text/{name}",
            "Strings are not checked for UTF-8, not even in members that do not matter.",
            predict("m", b'{"instances": [1], "x": "' + text + b'"}'),
            rows("2.5"),
            facts=("5.1.5", "X-46"),
            level=Level.QUIRK,
        )
        for name, text in (
            ("not-utf8", b"\xff\xfe"),
            ("delete", b"\x7f"),
            ("lone-low-surrogate", b"\\udc00"),
        )
    ),
    RestCase(
        "escaped-key",
        "A key may be written with escapes.",
        predict("m", '{"\\u0069nstances": [4]}'),
        rows("4.0"),
        facts=("5.1",),
        level=Level.SHOULD,
    ),
)

TOP_LEVEL = tuple(
    RestCase(
        f"top-level/{name}",
        "The document must be an object; another one is shown.",
        predict("m", body),
        refused(f"JSON Value: {shown} Is not object"),
        facts=("5.1.3", "JIN-02"),
        level=Level.SHOULD,
    )
    for name, body, shown in (
        ("array", "[]", "[]"),
        ("numbers", "[1,2]", "[1, 2]"),
        ("number", "1", "1"),
        ("decimal", "-1.5", "-1.5"),
        ("string", '"s"', '"s"'),
        ("null", "null", "null"),
        ("true", "true", "true"),
        ("not-a-number", "NaN", ""),
    )
)

NUMBERS = (
    *(
        RestCase(
            f"number/{name}",
            "NaN, Inf and Infinity, with a minus or without, are numbers.",
            predict("m", f'{{"instances": [{text}]}}'),
            rows(printed),
            facts=("5.1.6", "JIN-04"),
        )
        for name, text, printed in (
            ("nan", "NaN", "NaN"),
            ("negative-nan", "-NaN", "NaN"),
            ("infinity", "Infinity", "Infinity"),
            ("negative-infinity", "-Infinity", "-Infinity"),
            ("inf", "Inf", "Infinity"),
            ("negative-inf", "-Inf", "-Infinity"),
        )
    ),
    *(
        RestCase(
            f"no-number/{name}",
            "Other spellings are not.",
            predict("m", f'{{"instances": [{text}]}}'),
            parse_error(mistake, offset),
            facts=("5.1.6", "JIN-04"),
            level=Level.SHOULD,
        )
        for name, text, mistake, offset in (
            ("lower-case-nan", "nan", INVALID, 16),
            ("lower-case-inf", "inf", INVALID, 15),
            ("lower-case-infinity", "infinity", INVALID, 15),
            ("positive-infinity", "+Infinity", INVALID, 15),
            ("cut-infinity", "Infinit", INVALID, 22),
            ("nan-and-digit", "NaN1", NO_COMMA, 18),
        )
    ),
    RestCase(
        "number/nan-as-text",
        "A quoted NaN is a string.",
        predict("m", '{"instances": ["NaN"]}'),
        in_row(wrong('"NaN"', "String", "float")),
        facts=("5.1.6", "5.6.1", "JIN-04"),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"range/{name}",
            "A number too large for a double is a mistake in the document, not infinity.",
            predict("m", f'{{"instances": [{text}]}}'),
            parse_error(TOO_BIG, 15),
            facts=("5.1.7", "JIN-05"),
            level=Level.SHOULD,
        )
        for name, text in (
            ("large", "1e400"),
            ("large-negative", "-1e400"),
            ("huge", "1e99999999999"),
        )
    ),
    *(
        RestCase(
            f"range/{name}",
            "A number too small for a normal double is zero.",
            predict("echo", f'{{"instances": [{text}]}}', "double"),
            rows("0.0"),
            facts=("5.1.7", "JIN-05"),
            level=Level.QUIRK,
        )
        for name, text in (("small", "1e-400"), ("denormal", "5e-324"), ("large-denormal", "1e-310"))
    ),
    *(
        RestCase(
            f"integer/{name}",
            "Digits alone are an integer, of up to 64 bits, and are not rounded on their way.",
            predict("echo", f'{{"instances": [{text}]}}', dtype),
            rows(text),
            facts=("5.1.8", "JIN-24"),
        )
        for name, text, dtype in (
            ("beyond-double", str(2**53 + 1), "int64"),
            ("smallest", str(-(2**63)), "int64"),
            ("largest", str(2**63 - 1), "int64"),
            ("largest-unsigned", str(2**64 - 1), "uint64"),
        )
    ),
    *(
        RestCase(
            f"integer/beyond-64-bits/{name}",
            "An integer of more than 64 bits is a decimal number.",
            predict("echo", f'{{"instances": [{text}]}}', "double"),
            rows(printed),
            facts=("5.1.8",),
            level=Level.SHOULD,
        )
        for name, text, printed in (
            ("above", str(2**64), "1.8446744073709552e+19"),
            ("far-above", "99999999999999999999999", "1e+23"),
        )
    ),
    *(
        RestCase(
            f"zero/{name}",
            "Minus zero keeps its sign as a decimal number and loses it as an integer.",
            predict("echo", f'{{"instances": [{text}]}}', dtype),
            rows(printed),
            facts=("5.1.8",),
            level=Level.SHOULD,
        )
        for name, text, dtype, printed in (
            ("decimal", "-0.0", "double", "-0.0"),
            ("integer", "-0", "double", "0.0"),
            ("integer-as-integer", "-0", "int32", "0"),
        )
    ),
    *(
        RestCase(
            f"exponent/{name}",
            "An exponent may have a capital E, a sign, and stand without a fraction.",
            predict("m", f'{{"instances": [{text}]}}'),
            rows("50002.0"),
            facts=("5.1",),
        )
        for name, text in (("small", "1e5"), ("capital", "1E5"), ("sign", "1e+5"), ("fraction", "1.0e5"))
    ),
)

DEPTH = (
    RestCase(
        "depth/ignored",
        "Depth does not matter in members that are not read: 3000 arrays here.",
        predict("m", f'{{"instances": [1], "deep": {"[" * 3000}{"]" * 3000}}}'),
        rows("2.5"),
        facts=("5.1.10",),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"depth/{name}",
            "A tensor has at most 254 dimensions.",
            predict("echo", f'{{"inputs": {"[" * rank}1{"]" * rank}}}'),
            refused("tensor parsing error: x"),
            facts=("5.5",),
            level=Level.QUIRK,
        )
        for name, rank in (("rank-255", 255), ("rank-400", 400))
    ),
    RestCase(
        "depth/rank-254",
        "A tensor may have 254 dimensions.",
        predict("echo", f'{{"instances": {"[" * 254}1{"]" * 254}}}'),
        rows("[" * 253 + "1.0" + "]" * 253),
        facts=("5.5",),
    ),
)


@pytest.mark.cases((*EMPTY, *SYNTAX, *ACCEPTED, *TOP_LEVEL, *NUMBERS, *DEPTH))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
