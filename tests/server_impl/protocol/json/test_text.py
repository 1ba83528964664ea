"""JSON syntax: what RapidJSON reads, and where and how it complains."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_impl.errors import ServingError
from server_impl.protocol.json.decode import parse_examples, parse_predict
from server_impl.protocol.json.message import embed, format_double
from server_impl.protocol.json.number import to_float32
from server_impl.protocol.json.strings import decode_base64, encode_base64, quote
from server_impl.protocol.json.text import Json, parse
from tests.server_impl.protocol.json.recordings import load

PROFILE = settings(derandomize=True, deadline=None, max_examples=300)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b" [1 , 2]x", [1, 2]),
        (b'{"a":1,"a":{}}', ((b"a", 1), (b"a", ()))),
        (b"-0", 0),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", 18446744073709551616.0),
        (b"-9223372036854775808", -(2**63)),
        (b"-9223372036854775809", -9223372036854775809.0),
        (b"1e5", 100000.0),
        (b"1E+2", 100.0),
        (b"2.2250738585072009e-308", 0.0),
        (b"0." + b"0" * 5000 + b"1e5000", 0.1),
        (b"1.7976931348623158e308", math.inf),
        (b"0e308", 0.0),
        (b"1e-999999999999999999999999", 0.0),
        (b"\xef\xbb\xbf3", 3),
        (b"\xbb3", 3),
        (b'"\xff\x7f"', b"\xff\x7f"),
        (b'"\\u00e9\\ud83d\\ude00\\udc00\\u0000"', b"\xc3\xa9\xf0\x9f\x98\x80\xed\xb0\x80\0"),
        (b'"\\/\\b\\f\\n\\r\\t\\"\\\\"', b'/\b\f\n\r\t"\\'),
        (b'"' + b"x" * 600 + b'"', b"x" * 600),
        (b'"' + b"x" * 600 + b'\\n"', b"x" * 600 + b"\n"),
        (b"NInf", math.inf),
        (b"-Infinity", -math.inf),
        (b"NaN.5", 0.5),
        (b"-Infe3", -0.0),
    ],
)
def test_values(text: bytes, value: Json) -> None:
    parsed = parse(text)
    assert parsed == value
    assert type(parsed) is type(value)
    if isinstance(value, float) and isinstance(parsed, float):
        assert math.copysign(1, parsed) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b",", "The document is empty. at offset: 0"),
        (b"[1:", "Missing a comma or ']' after an array element. at offset: 2"),
        (b'{"a":1 "b"', "Missing a comma or '}' after an object member. at offset: 7"),
        (b'{"a":]', "Invalid value. at offset: 5"),
        (b"trux", "Invalid value. at offset: 3"),
        (b"NaI3", "Invalid value. at offset: 3"),
        (b"-Infinitx", "Invalid value. at offset: 8"),
        (b"Inf.", "Miss fraction part in number. at offset: 4"),
        (b"1.5e-", "Miss exponent in number. at offset: 5"),
        (b"9" * 400 + b".", "Number too big to be stored in double. at offset: 0"),
        (b"1e309", "Number too big to be stored in double. at offset: 0"),
        (b"0.0e310", "Number too big to be stored in double. at offset: 0"),
        (b'["\\ud800x', "The surrogate pair in string is invalid. at offset: 2"),
        (b'["\\ud800\\u12', "Incorrect hex digit after \\u escape in string. at offset: 2"),
        (b'"a\0"', "Missing a closing quotation mark in string. at offset: 2"),
        (b'"' + b"x" * 600 + b'\x01"', "Invalid escape character in string. at offset: 601"),
        (b'"\\', "Invalid escape character in string. at offset: 1"),
    ],
)
def test_errors(text: bytes, complaint: str) -> None:
    with pytest.raises(ServingError) as caught:
        parse(text)
    assert caught.value.message == f"JSON Parse error: {complaint}"


def test_depth_has_no_limit() -> None:
    depth = 30_000
    value: Any = parse(b"[" * depth + b"]" * depth)
    levels = 0
    while value:
        (value,) = value
        levels += 1
    assert levels == depth - 1
    for body in (b'{"inputs":%b1%b}', b'{"instances":[%b1%b]}', b'{"x":%b1%b,"inputs":1,"instances":2}'):
        with pytest.raises(ServingError):
            parse_predict(body % (b"[" * depth, b"]" * depth)).tensors({"x": _Float()})
    with pytest.raises(ServingError, match="Missing a comma"):
        parse_predict(b'{"inputs":' + b'{"a":[' * depth + b"1")


def dumped(value: Json) -> str:
    """A document on one line: doubles as their bits and those of the float32 they become."""
    if isinstance(value, tuple):
        return "{" + "".join(dumped(name) + dumped(item) for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + "".join(map(dumped, value)) + "]"
    if isinstance(value, bytes):
        return f"s{value.hex()};"
    if value is None or isinstance(value, bool):
        return {None: "n", True: "t", False: "f"}[value]
    if isinstance(value, int):
        return f"i{value};"
    if math.isnan(value):
        return "d7ff8000000000000/00000000;"
    double = np.array([value])
    return f"d{double.view(np.uint64)[0]:016x}/{to_float32(double).view(np.uint32)[0]:08x};"


def test_agrees_with_rapidjson() -> None:
    """Random texts, most of them odd, as RapidJSON 1.1.0 itself reads and shows them."""
    for record in load("rapidjson"):
        text = record["text"].encode("latin-1")
        try:
            value = parse(text)
        except ServingError as error:
            shown = {"error": error.message.removeprefix("JSON Parse error: ")}
        else:
            message = embed(value).encode("utf-8", "surrogateescape").decode("latin-1")
            shown = {"value": dumped(value), "shown": message}
        assert {"text": record["text"]} | shown == record


class _Float:
    dtype = 1


def plain(value: Json) -> Any:
    """As the standard library would have read it."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return {name.decode(): plain(item) for name, item in value}
    return value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-(10**15), 10**15).map(lambda number: number / 1000)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@PROFILE
@given(json_values, st.booleans(), st.sampled_from([None, 1]))
def test_reads_what_the_standard_library_writes(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert plain(parse(text.encode())) == value


@PROFILE
@given(st.binary(max_size=30) | st.text('{}[]",:0123.eE-+ntfNaIif\\u\0 ', max_size=30).map(str.encode))
def test_garbage_gives_errors_only(text: bytes) -> None:
    for body in (
        text,
        b'{"instances":' + text,
        b'{"inputs":[' + text + b"]}",
        b'{"examples":[{"a":' + text + b"}]}",
    ):
        for read in (parse_predict, parse_examples):
            with contextlib.suppress(ServingError):
                read(body)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, b"0.0"),
        (-0.0, b"-0.0"),
        (1.5, b"1.5"),
        (1e20, b"100000000000000000000.0"),
        (1e21, b"1e21"),
        (1.25e25, b"1.25e25"),
        (0.000001, b"0.000001"),
        (-1.5e-7, b"-1.5e-7"),
        (1e-300, b"1e-300"),
        (0.1 + 0.2, b"0.30000000000000007"),  # not the nearest text, but that is what is printed
        (1.7976931348623157e308, b"1.7976931348623157e308"),
        (2.0**-44, b"5.684341886080802e-14"),
    ],
)
def test_doubles_in_messages(value: float, text: bytes) -> None:
    assert format_double(value) == text


@PROFILE
@given(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_doubles_in_messages_parse_back(value: float) -> None:
    assert float(format_double(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            ((b"a", [1, ()]), (b"b", ((b"c", None),))),
            '{\n    "a": [1, {}],\n    "b": {\n        "c": null\n    }\n}',
        ),
        ([((b"k", True),)], '[{\n        "k": true\n    }]'),
        ([1, math.nan, 2], "[1, "),
        ([b"\xff\n"], '["\udcff\\n"]'),
        ([b"x" * 300, 1], '["' + "x" * 300 + '"'),
        (((b"x" * 300, 1),), '{\n    "' + "x" * 300 + '"'),
        ([[[]] * 200], "[[" + ", ".join(["[]"] * 64)),
    ],
)
def test_values_in_messages(value: Json, text: str) -> None:
    """Once 256 bytes are exceeded nothing follows; a number that is not finite ends the text as well."""
    assert embed(value) == text


@PROFILE
@given(st.binary(max_size=20), st.sampled_from(["", " ", "\n"]))
def test_base64_round_trip(raw: bytes, blank: str) -> None:
    encoded = encode_base64(raw)
    assert decode_base64(blank.join(encoded.decode()).encode()) == raw
    assert decode_base64(encoded.rstrip(b"=")) == raw
    assert decode_base64(encoded.replace(b"=", b".")) == raw


@pytest.mark.parametrize("text", [b"a", b"aaaaa", b"aGk==", b"aGk=x", b"aaaa=", b"=", b"-_-_", b"aG\0k"])
def test_base64_refusals(text: bytes) -> None:
    assert decode_base64(text) is None


def test_quote() -> None:
    assert (
        quote(b'a"b\\c/\x00\x1f\x7f\xff\b\f\n\r\t') == b'"a\\"b\\\\c/\\u0000\\u001F\x7f\xff\\b\\f\\n\\r\\t"'
    )
