from __future__ import annotations

import json
import math

import pytest

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.lifecycle.monitor import VersionStatus
from server_impl.lifecycle.states import State
from server_impl.protocol.rest.documents import message_json, status_document


def test_status_document() -> None:
    failure = ServingError(Code.NOT_FOUND, 'no "x" <y>')
    document = status_document(
        [VersionStatus(12, State.LOADING, None), VersionStatus(3, State.END, failure)]
    ).decode()
    assert document == (
        '{\n "model_version_status": [\n  {\n   "version": "12",\n   "state": "LOADING",\n   "status": {\n'
        '    "error_code": "OK",\n    "error_message": ""\n   }\n  },\n  {\n   "version": "3",\n'
        '   "state": "END",\n   "status": {\n    "error_code": "NOT_FOUND",\n'
        '    "error_message": "no \\"x\\" \\u003cy\\u003e"\n   }\n  }\n ]\n}\n'
    )


def test_message_without_anything_set() -> None:
    assert message_json(wire.SignatureDef()) == (
        '{\n "inputs": {},\n "outputs": {},\n "method_name": "",\n "defaults": {}\n}'
    )


def test_members_of_a_oneof_and_messages_only_when_set() -> None:
    assert json.loads(message_json(wire.TensorInfo(dtype=wire.DT_HALF))) == {"dtype": "DT_HALF"}
    info = wire.TensorInfo(name="")
    info.tensor_shape.dim.add(size=-1)
    assert message_json(info) == (
        '{\n "name": "",\n "dtype": "DT_INVALID",\n "tensor_shape": {\n  "dim": [\n   {\n'
        '    "size": "-1",\n    "name": ""\n   }\n  ],\n  "unknown_rank": false\n }\n}'
    )


def test_maps_are_sorted() -> None:
    definition = wire.SignatureDef()
    for key in ("b", "a", "ü", "B"):
        definition.inputs[key].name = key
    assert list(json.loads(message_json(definition))["inputs"]) == ["B", "a", "b", "ü"]


def test_values_of_every_kind() -> None:
    tensor = wire.TensorProto(
        dtype=999,
        tensor_content=b"\xff\0a",
        int_val=[-1],
        int64_val=[-(2**63)],
        uint64_val=[2**64 - 1],
        uint32_val=[7],
        bool_val=[True, False],
        string_val=[b""],
    )
    fields = json.loads(message_json(tensor))
    assert fields["dtype"] == 999
    assert fields["tensor_content"] == "/wBh"
    assert fields["int_val"] == [-1]
    assert fields["int64_val"] == ["-9223372036854775808"]
    assert fields["uint64_val"] == ["18446744073709551615"]
    assert fields["uint32_val"] == [7]
    assert fields["bool_val"] == [True, False]
    assert fields["string_val"] == [""]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("float_val", 100.0, "100"),
        ("float_val", 0.1, "0.1"),
        ("float_val", 1 / 3, "0.333333343"),
        ("float_val", 16777216.0, "16777216"),
        ("float_val", 1e10, "1e+10"),
        ("float_val", -0.0, "-0"),
        ("float_val", 3.4028234663852886e38, "3.40282347e+38"),
        ("float_val", math.nan, '"NaN"'),
        ("float_val", -math.inf, '"-Infinity"'),
        ("double_val", 0.1, "0.1"),
        ("double_val", 1 / 3, "0.33333333333333331"),
        ("double_val", 5e-324, "4.94065645841247e-324"),
        ("double_val", math.inf, '"Infinity"'),
    ],
)
def test_numbers(field: str, value: float, text: str) -> None:
    document = message_json(wire.TensorProto(**{field: [value]}))
    assert f'"{field}": [\n  {text}\n ]' in document


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ('"\\/\b\f\n\r\t', r"\"\\/\b\f\n\r\t"),
        ("\x00\x1f\x7f\x9f", r"\u0000\u001f\u007f\u009f"),
        ("<a href='&'>=", r"\u003ca href='&'\u003e="),
        ("\u2028\ufeff\u00ad", r"\u2028\ufeff\u00ad"),
        ("\U0001d173", r"\ud834\udd73"),
        ("ü😀", "ü😀"),
    ],
)
def test_strings(text: str, escaped: str) -> None:
    assert f'"method_name": "{escaped}"' in message_json(wire.SignatureDef(method_name=text))


def test_error_text_that_is_not_utf8() -> None:
    status = VersionStatus(1, State.END, ServingError(Code.UNKNOWN, "a\udcff"))
    assert '"a�"'.encode() in status_document([status])
