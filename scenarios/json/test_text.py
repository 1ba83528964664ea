"""How strings are printed [5.8.6, 5.8.7], and that they pass unchanged [5.1.5]."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from harness.cases import AnyOf, Json, RestCase, ok
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, column, predict, rows

pytestmark = pytest.mark.scenario(SCENARIO)

#: Text in the request and in the reply, both between quotes.
TEXTS = {
    "plain": ("plain", "plain"),
    "empty": ("", ""),
    "quote": (r"a\"b", r"a\"b"),
    "backslash": (r"a\\b", r"a\\b"),
    "slash": ("a/b", "a/b"),
    "escaped-slash": (r"a\/b", "a/b"),
    "short-escapes": (r"\b\f\n\r\t", r"\b\f\n\r\t"),
    "other-control-characters": (r"\u0000\u0001\u001b\u001f", r"\u0000\u0001\u001B\u001F"),
    "delete": (r"\u007f", "\x7f"),
    "two-bytes": ("é", "é"),
    "escaped": (r"\u00e9", "é"),
    "three-bytes": ("€", "€"),
    "four-bytes": ("😀", "😀"),
    "surrogate-pair": (r"\ud83d\ude00", "😀"),
    "line-separators": ("\u2028\u2029", "\u2028\u2029"),
    "angle-brackets": ("<>&'", "<>&'"),
    "c1-controls": (r"\u0080\u009f", "\x80\x9f"),
    "byte-order-mark": ("\ufeff", "\ufeff"),
    "non-characters": (r"\ufffe\uffff", "\ufffe\uffff"),
}
#: Bytes that are not UTF-8.
NOT_UTF8 = {
    "lone-byte": b"\xff",
    "cut-sequence": b"\xc3",
    "encoded-surrogate": b"\xed\xa0\x80",
    "overlong-zero": b"\xc0\x80",
}


def raw(data: bytes) -> str:
    """Bytes as text that the comparison turns back into them."""
    return data.decode("utf-8", "surrogateescape")


TEXT = (
    *(
        RestCase(
            f"text/{name}",
            "Escaped are quote, backslash and control characters, in their shortest form and in capitals.",
            predict("echo", f'{{"instances": ["{given}"]}}', "string"),
            rows(f'"{printed}"'),
            facts=("5.8.6", "JOUT-08"),
        )
        for name, (given, printed) in TEXTS.items()
    ),
    *(
        RestCase(
            f"not-utf8/{name}/{how}",
            "Bytes that are not UTF-8 pass as they are, given raw or as base64; then the reply is not UTF-8.",
            predict("echo", b'{"instances": [' + given + b"]}", "string"),
            rows(f'"{raw(data)}"'),
            facts=("5.1.5", "5.8.6", "JOUT-08", "X-46"),
            level=Level.QUIRK,
        )
        for name, data in NOT_UTF8.items()
        for how, given in (
            ("raw", b'"' + data + b'"'),
            ("base64", b'{"b64": "' + base64.b64encode(data) + b'"}'),
        )
    ),
    RestCase(
        "text/column",
        "Columns print strings as rows do.",
        predict("echo", r'{"inputs": ["a\"b", "é", "\u001f/"]}', "string"),
        column(r'"a\"b"', '"é"', r'"\u001F/"'),
        facts=("5.8.6", "JOUT-08"),
    ),
    RestCase(
        "text/matrix",
        "Strings may have any number of dimensions.",
        predict("echo", '{"instances": [["a", "b"], ["c", "d"]]}', "string"),
        rows('["a", "b"]', '["c", "d"]'),
        facts=("5.8.3", "5.8.6"),
    ),
)

#: Bytes as base64, in the places that JSON has for them.
BYTES = {
    "rows": (
        '{"instances": ["hi", "yo"]}',
        """{
    "predictions": [{
            "b64": "aGk="
        }, {
            "b64": "eW8="
        }
    ]
}""",
    ),
    "rows-of-lists": (
        '{"instances": [["hi", "yo"]]}',
        """{
    "predictions": [[{
                "b64": "aGk="
            }, {
                "b64": "eW8="
            }]
    ]
}""",
    ),
    "column": (
        '{"inputs": ["hi"]}',
        """{
    "outputs": [
        {
            "b64": "aGk="
        }
    ]
}""",
    ),
    "scalar": (
        '{"inputs": "hi"}',
        """{
    "outputs": {
        "b64": "aGk="
    }
}""",
    ),
}

#: A row of two outputs, which may come in any order.
OBJECT = """{
    "predictions": [
        {
            %s,
            %s
        }
    ]
}"""
AS_TEXT = '"s": "hi#1"'
AS_BYTES = """"s_bytes": {
                "b64": "aGkjMQ=="
            }"""

BASE64 = (
    *(
        RestCase(
            f"bytes/{name}",
            "An output whose name ends in _bytes is printed as base64, standard and padded.",
            predict("echo", body, "string_bytes"),
            ok(document),
            facts=("5.8.3", "5.8.7", "JOUT-09"),
        )
        for name, (body, document) in BYTES.items()
    ),
    *(
        RestCase(
            f"bytes/{name}",
            "Base64 carries every byte.",
            predict("echo", b'{"instances": [{"b64": "' + base64.b64encode(data) + b'"}]}', "string_bytes"),
            rows(f'{{\n            "b64": "{base64.b64encode(data).decode()}"\n        }}'),
            facts=("5.8.7", "JOUT-09"),
        )
        for name, data in {**NOT_UTF8, "zero-bytes": b"\x00\xff\x00", "every-byte": bytes(range(256))}.items()
    ),
    RestCase(
        "bytes/both-names",
        "The name decides: the same bytes are text under a name without _bytes.",
        predict("strings", '{"instances": ["hi"]}'),
        ok(Json({"predictions": [{"s": "hi#1", "s_bytes": {"b64": base64.b64encode(b"hi#1").decode()}}]})),
        facts=("5.8.7", "JOUT-09"),
    ),
    RestCase(
        "bytes/in-objects",
        "Within an object base64 is indented once more.",
        predict("strings", '{"instances": ["hi"]}'),
        ok(AnyOf(*(OBJECT % members for members in ((AS_TEXT, AS_BYTES), (AS_BYTES, AS_TEXT))))),
        facts=("5.8.3", "5.8.7", "JOUT-02", "JOUT-09"),
        level=Level.SHOULD,
    ),
)


@pytest.mark.cases((*TEXT, *BASE64))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
