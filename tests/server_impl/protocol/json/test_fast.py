"""The fast readers answer exactly as the exact reader, or leave the answer to it."""

from __future__ import annotations

import json
import math
import re
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.wire import messages as wire
from server_impl.errors import ServingError
from server_impl.protocol.json import bulk as bulk_reader
from server_impl.protocol.json import fast
from server_impl.protocol.json.decode import InputSpec, ParsedPredict, parse_predict, read_exactly
from server_impl.protocol.json.number import read_number
from tests.server_impl.protocol.json.recordings import Spec

DTYPES = [
    wire.DT_FLOAT,
    wire.DT_DOUBLE,
    wire.DT_INT32,
    wire.DT_UINT8,
    wire.DT_INT64,
    wire.DT_UINT32,
    wire.DT_UINT64,
    wire.DT_BOOL,
    wire.DT_STRING,
    wire.DT_HALF,
]
settings.register_profile("json", derandomize=True, deadline=None)
PROFILE = settings.get_profile("json")


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Without its compiled code the bulk reader reads nothing."""
    assert bulk_reader.KERNEL.get(60) is not None


def answer(
    read: Callable[[bytes], ParsedPredict | None], body: bytes, inputs: dict[str, Spec]
) -> tuple[Any, ...]:
    """All that a caller can see: signature name and tensors, or the error and its stage."""
    stage = 1
    try:
        parsed = read(body)
        assert parsed is not None
        stage = 2
        tensors, request_format = parsed.tensors(inputs)
    except ServingError as error:
        return stage, error.code, error.message
    shown = {
        name: (
            tensor.dtype,
            tensor.array.dtype.str,
            tensor.array.shape,
            tensor.array.tolist() if tensor.dtype == wire.DT_STRING else tensor.array.tobytes(),
        )
        for name, tensor in tensors.items()
    }
    return parsed.signature_name, request_format, shown


def bulk(body: bytes) -> ParsedPredict | None:
    """The bulk reader whatever the size of the body, then the exact one."""
    source = bulk_reader.read(body)
    return read_exactly(body) if source is None else ParsedPredict(source.signature_name, body, source)


def assert_same(body: bytes, inputs: dict[str, Spec]) -> None:
    expected = answer(read_exactly, body, inputs)
    assert answer(parse_predict, body, inputs) == expected
    assert answer(bulk, body, inputs) == expected


def float32_text(bits: int) -> str:
    return repr(struct.unpack("f", struct.pack("I", bits))[0])


def tie_text(bits: int) -> str:
    """The exact middle between two float32 values, to 17 digits, which may or may not be a tie again."""
    value = struct.unpack("d", struct.pack("Q", bits & ~(2**29 - 1) | 2**28))[0]
    return "0" if not math.isfinite(value) else f"{value:.17g}"


tokens = st.one_of(
    st.integers(-(2**65), 2**65).map(str),
    st.integers(-300, 300).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1000, 1000).map(lambda value: f"{value:.17f}"),
    st.integers(0, 2**32 - 1).map(float32_text),
    st.integers(0, 2**64 - 1).map(tie_text),
    st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        (
            *("-0", "-0.0", "1.0", "16777217", "NaN", "-Infinity", "1e400", "0e400", "0.0E+0400", "1e-400"),
            *("1e39", "1e-45", "1.1754943e-38", "1.17549429e-38", "2147483648", "300", "9" * 320 + "e-320"),
            *("true", "null", '"a"', '"\\u00e9"', '"é"', '{"b64":"aGk="}', '{"b64":"%"}', '{"b64":1}'),
            *("{}", "[]", "01", "1."),
        )
    ),
)
rows_of_tokens = st.lists(tokens, max_size=4).map(lambda items: f"[{', '.join(items)}]")
arrays = st.one_of(
    tokens,
    rows_of_tokens,
    st.lists(rows_of_tokens, max_size=4).map(lambda items: f"[{','.join(items)}]"),
)


@st.composite
def regular_arrays(draw: st.DrawFn) -> str:
    """Nested lists of equal shape around numbers of one kind."""
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    kind = draw(st.sampled_from([st.integers(-3, 300).map(str), st.floats(-9, 9).map(repr), tokens]))
    comma = draw(st.sampled_from([",", ", ", " ,\n"]))

    def nest(position: int) -> str:
        if position == len(shape):
            return str(draw(kind))
        return "[" + comma.join(nest(position + 1) for _ in range(shape[position])) + "]"

    return nest(0)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    value = st.one_of(arrays, regular_arrays())
    name = st.sampled_from(["a", "a", "a", "b", "b64", "c", "\\u0061", "é"])
    objects = st.lists(st.tuples(name, value), min_size=1, max_size=2).map(
        lambda members: "{" + ",".join(f'"{key}":{item}' for key, item in members) + "}"
    )
    rows = st.lists(st.one_of(value, objects), max_size=3).map(lambda items: f"[{','.join(items)}]")
    content = draw(st.one_of(value, objects, rows))
    members = [f'"{draw(st.sampled_from(["instances", "inputs"]))}":{content}']
    extra = [
        '"signature_name":"s"',
        '"signature_name":""',
        '"signature_name":"t"',
        '"x":"y"',
        '"x":[{"x":1}]',
    ]
    extra += ['"signature_name":3', f'"instances":{content}', '"inputs":[1]', '"x":1', '"x":1e400']
    for _ in range(draw(st.integers(0, 2))):
        members.insert(draw(st.integers(0, len(members))), draw(st.sampled_from(extra)))
    text = draw(st.sampled_from(["", "", " ", "\ufeff"])) + "{" + ",".join(members) + "}"
    return (text + draw(st.sampled_from(["", "", "\n", " x", "\0"]))).encode()


inputs = st.one_of(
    st.sampled_from(DTYPES).map(lambda dtype: {"a": Spec(dtype)}),
    st.sampled_from(DTYPES).map(lambda dtype: {"b64": Spec(dtype)}),
    st.tuples(st.sampled_from(DTYPES), st.sampled_from(DTYPES)).map(
        lambda dtypes: {"a": Spec(dtypes[0]), "b": Spec(dtypes[1])}
    ),
)


@settings(PROFILE, max_examples=800)
@given(bodies(), inputs)
def test_generated_bodies(body: bytes, inputs: dict[str, Spec]) -> None:
    assert_same(body, inputs)


@settings(PROFILE, max_examples=400)
@given(bodies(), inputs, st.data())
def test_damaged_bodies(body: bytes, inputs: dict[str, Spec], data: st.DataObject) -> None:
    """A byte removed, replaced or put in."""
    where = data.draw(st.integers(0, len(body)))
    piece = data.draw(st.sampled_from([b"", b",", b"]", b'"', b"0", b"e9", b"\xff", b"[", b"}", b".", b"\\"]))
    assert_same(body[:where] + piece + body[where + data.draw(st.integers(0, 1)) :], inputs)


@settings(PROFILE, max_examples=150)
@given(st.lists(tokens, min_size=1, max_size=300), st.sampled_from(DTYPES))
def test_many_numbers(items: list[str], dtype: int) -> None:
    assert_same(b'{"inputs":[%b]}' % ",".join(items).encode(), {"a": Spec(dtype)})


def test_numbers_at_the_middle_of_two_floats() -> None:
    """Texts around ties are where two conversions differ."""
    rng = np.random.default_rng(5)
    ties = (rng.integers(2**62, 2**62 + 2**55, 3000) & ~np.int64(2**29 - 1)) | 2**28
    values = (ties + rng.integers(-3, 4, len(ties))).view(np.float64).tolist()
    body = json.dumps({"instances": [values[i : i + 30] for i in range(0, 3000, 30)]}).encode()
    inputs: dict[str, Spec] = {"a": Spec(wire.DT_FLOAT)}
    assert bulk_reader.read(body) is not None
    assert_same(body, inputs)


IMAGE = np.random.default_rng(3).random((2, 8, 9, 3)).tolist()


@pytest.mark.parametrize(
    ("request_", "dtype"),
    [
        ({"instances": IMAGE}, wire.DT_FLOAT),
        ({"signature_name": "s", "instances": IMAGE}, wire.DT_FLOAT),
        ({"instances": IMAGE, "signature_name": "s"}, wire.DT_FLOAT),
        ({"instances": [{"a": IMAGE}]}, wire.DT_FLOAT),
        ({"inputs": IMAGE}, wire.DT_FLOAT),
        ({"inputs": {"a": IMAGE}, "signature_name": "s"}, wire.DT_FLOAT),
        ({"instances": [[[1, 2, 3]] * 90] * 5}, wire.DT_UINT8),
        ({"instances": [[[1, 2, 3]] * 90] * 5}, wire.DT_FLOAT),
        ({"instances": [[0.25, -1.5]] * 90}, wire.DT_DOUBLE),
        ({"inputs": {"a": [2**53 - 1, 5]}}, wire.DT_UINT64),
        ({"instances": [[-0.0, -1e-7, 1e15, 123456789012345.678]] * 9}, wire.DT_DOUBLE),
    ],
)
def test_bulk_takes_one_array(request_: dict[str, Any], dtype: int) -> None:
    """The bodies that the bulk reader is for do not end up with the exact reader."""
    body = json.dumps(request_).encode()
    inputs: dict[str, InputSpec] = {"a": Spec(dtype)}
    request = bulk_reader.read(body)
    assert request is not None
    assert request.tensors(inputs) is not None
    assert_same(body, {"a": Spec(dtype)})


@pytest.mark.parametrize(
    "array",
    [
        [[1, 2], [3]],
        [[1], [2, 3]],
        [[1, 2], [3, 4], [5]],
        [[[1, 2]], [[3], [4]]],
        [1, [2]],
        [[2], 1],
        [[], [1]],
        [[], []],
        [[[1], []]],
        [[], [16777217]],
        [],
    ],
)
def test_bulk_sees_ragged_lists(array: list[Any]) -> None:
    for key in ("instances", "inputs"):
        assert_same(json.dumps({key: array}).encode(), {"a": Spec(wire.DT_FLOAT)})


@settings(PROFILE, max_examples=200)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.sampled_from([",", ", "]), st.data())
def test_bulk_sees_a_bracket_at_another_place(shape: list[int], comma: str, data: st.DataObject) -> None:
    """As many numbers, commas and brackets as in a regular array, and only their order is another one."""
    count = math.prod(shape)
    assume(count > 1)
    text = json.dumps(np.arange(count).reshape(shape).tolist(), separators=(comma, ":"))
    pieces = re.findall(r"[0-9]+(?:, ?)?|[\[\]](?:, ?)?", text)
    before, after = sorted(data.draw(st.integers(1, len(pieces) - 2)) for _ in range(2))
    pieces.insert(after, pieces.pop(before))
    assert_same(b'{"instances":%b}' % "".join(pieces).encode(), {"a": Spec(wire.DT_FLOAT)})


@settings(PROFILE, max_examples=1000)
@given(
    st.sampled_from(["", "-"]),
    st.from_regex(r"0|[1-9][0-9]{0,17}", fullmatch=True),
    st.from_regex(r"|(0{0,40}|0{290})[0-9]{1,30}", fullmatch=True),
    st.from_regex(r"|[+-]?0{0,2}[0-9]{1,3}", fullmatch=True),
)
@example("", "10000000000000000", "0", "")
@example("-", "90071992547409919", "95", "3")
def test_numbers_are_the_exact_readers(sign: str, whole: str, fraction: str, exponent: str) -> None:
    """To the last bit, or given up."""
    text = sign + whole + (f".{fraction}" if fraction else "") + (f"e{exponent}" if exponent else "")
    request = bulk_reader.read(f'{{"inputs":[0,{text} ]}}'.encode())
    if request is None:
        too_large = not fraction and not exponent and int(whole) >= 2**53
        assert too_large or len(whole) > 17 or len(fraction) > 190 or abs(int(exponent or 0)) > 99
    else:
        number, _ = read_number(text.encode() + b"\0", 0)
        assert request.numbers.tobytes() == np.array([0.0, number]).tobytes()


@pytest.mark.parametrize(
    "noise", [b" ", b"\n\t\r ", b"\v", b"\f", b"\0", b"\xa0", b"x", b"]", b",", b"-", b"."]
)
def test_blanks_and_what_looks_like_them(noise: bytes) -> None:
    body = b'{"instances":[[1,2.5],[3,4]]}'
    for place in range(len(body) + 1):
        assert_same(body[:place] + noise + body[place:], {"a": Spec(wire.DT_FLOAT)})


@pytest.mark.parametrize(
    "text", [b"[1", b"[1,", b"[[1],", b"[1.", b"[-", b"[1e", b"[[", b"[0.1234567", b"[12345678"]
)
@pytest.mark.parametrize(
    "around", [b'{"inputs":%b', b'{"inputs":{"}":%b', b'{"inputs":%b}', b'{"inputs":{"a}":%b}']
)
def test_bodies_that_break_off(around: bytes, text: bytes) -> None:
    assert_same(around % text, {"a": Spec(wire.DT_FLOAT)})


def test_deeply_nested_lists() -> None:
    for depth in (31, 32, 33, 300):
        body = b'{"inputs":%b1%b}' % (b"[" * depth, b"]" * depth)
        assert (bulk_reader.read(body) is not None) == (depth <= 32)
        assert_same(body, {"a": Spec(wire.DT_FLOAT)})


def test_other_readers_step_in_for_the_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is there, and where there is no numba. Only large bodies wait for it."""
    body = json.dumps({"instances": IMAGE}).encode()
    large = json.dumps({"instances": IMAGE * 9}).encode()
    monkeypatch.setattr(bulk_reader, "_PATIENCE_S", 60)
    monkeypatch.setattr(bulk_reader, "KERNEL", bulk_reader.Kernel())
    assert bulk_reader.read(large) is not None
    blocked = threading.Event()
    monkeypatch.setattr(bulk_reader.Kernel, "_make", lambda _: blocked.wait(60))
    monkeypatch.setattr(bulk_reader, "KERNEL", bulk_reader.Kernel())
    assert bulk_reader.read(body) is None
    assert_same(body, {"a": Spec(wire.DT_FLOAT)})
    blocked.set()
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "server_impl.protocol.json.kernel", None)
    monkeypatch.setattr(bulk_reader, "KERNEL", bulk_reader.Kernel())
    assert bulk_reader.KERNEL.get(60) is None
    assert_same(large, {"a": Spec(wire.DT_FLOAT)})


@pytest.mark.parametrize(
    ("body", "dtypes"),
    [
        (b'{"instances":[1.0,2.0,5.0]}', {"a": wire.DT_FLOAT}),
        (b'{"signature_name":"s","instances":[[1],[2]]}', {"a": wire.DT_INT32}),
        (
            b'{"instances":[{"a":1.5,"b":"x"},{"b":{"b64":"aGk="},"a":2}]}',
            {"a": wire.DT_FLOAT, "b": wire.DT_STRING},
        ),
        (b'{"instances":[{"b64":"aGk="}]}', {"a": wire.DT_STRING}),
        (b'{"inputs":{"a":[true],"b":[1e-7, 0.12345678901234567]}}', {"a": wire.DT_BOOL, "b": wire.DT_FLOAT}),
        (b'{"inputs":3}', {"a": wire.DT_INT64}),
        (b'{"inputs":{"a":[18446744073709551615, 5]}}', {"a": wire.DT_UINT64}),
        (b'{"instances":[-9223372036854775808, 9223372036854775807]}', {"a": wire.DT_INT64}),
    ],
)
def test_fast_takes_usual_bodies(body: bytes, dtypes: dict[str, int]) -> None:
    inputs: dict[str, InputSpec] = {name: Spec(dtype) for name, dtype in dtypes.items()}
    request = fast.read(body)
    assert request is not None
    assert request.tensors(inputs) is not None
