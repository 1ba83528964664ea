from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from harness.cases import AnyOf, ErrorText, Json, error_body
from harness.matching import body_problem, message_problem, text_fits, value_problem
from harness.wire import messages as wire
from harness.wire import tensors


@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        (None, "anything", True),
        ("text", "text", True),
        ("text", "text ", False),
        (re.compile("t.*"), "text", True),
        (re.compile("t"), "text", False),
        (AnyOf("a", "b"), "b", True),
        (AnyOf("a", re.compile("b+")), "bb", True),
        (AnyOf("a", "b"), "c", False),
    ],
)
def test_texts(expected: Any, actual: str, fits: bool) -> None:
    assert text_fits(expected, actual) is fits


@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        (None, b"\xff", True),
        ("é", "é".encode(), True),
        ("\udcff", b"\xff", True),
        (b"\xff", b"\xff", True),
        ("a", b"b", False),
        (re.compile("a.b", re.DOTALL), b"a\nb", True),
        (re.compile("a"), b"ab", False),
        (AnyOf("a", b"b"), b"b", True),
        (AnyOf("a", b"b"), b"c", False),
        (Json({"a": [1, 2.0]}), b'{"a": [1, 2.0000001]}', True),
        (Json({"a": 1}), b"[]", False),
        (Json({"a": 1}), b"not JSON", False),
        (ErrorText("x"), b'{\n    "error": "x"\n}', True),
        (ErrorText("x"), b'{"error": "x"}', False),
        (ErrorText(re.compile("x+")), b'{"error":"xx"}', True),
        (ErrorText(re.compile("x+")), b'{"error":"y"}', False),
        (ErrorText(re.compile("x+")), b'{"error":"x","more":1}', False),
        (ErrorText(re.compile("x+")), b"<HTML>", False),
    ],
)
def test_bodies(expected: Any, actual: bytes, fits: bool) -> None:
    assert (body_problem(expected, actual) is None) is fits


def test_error_bodies_are_escaped_as_the_server_does() -> None:
    assert error_body('a"b\\c\n\x1f/é\x7f') == '{\n    "error": "a\\"b\\\\c\\n\\u001F/é\x7f"\n}'


@pytest.mark.parametrize(
    ("expected", "actual", "problem"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1}, {"a": 1.0}, "$.a is 1.0 instead of 1"),
        ({"a": 1}, {"a": True}, "$.a is True instead of 1"),
        ({"a": 1}, {"a": 1, "b": 2}, "$ has members ['a', 'b'] instead of ['a']"),
        ([1, [2]], [1, [3]], "$[1][0] is 3 instead of 2"),
        ([1], [1, 2], "$ has 2 elements instead of 1"),
        ([math.nan], [math.nan], None),
        ([math.inf], [math.inf], None),
        ([math.inf], [-math.inf], "$[0] is -inf instead of inf"),
        ([1.0], [1.0000001], None),
        ([1.0], [1.001], "$[0] is 1.001 instead of 1.0"),
        ([0.0], [1e-30], "$[0] is 1e-30 instead of 0.0"),
        ({"a": 1}, [1], "$ is [1] instead of {'a': 1}"),
    ],
)
def test_values(expected: Any, actual: Any, problem: str | None) -> None:
    assert value_problem(expected, actual, 1e-6) == problem


def test_a_part_of_a_document() -> None:
    actual = {"a": {"b": 1, "c": 2}, "d": [{"e": 1, "f": 2}]}
    assert value_problem({"a": {"b": 1}, "d": [{"e": 1}]}, actual, 0, whole=False) is None
    assert value_problem({"a": {"x": 1}}, actual, 0, whole=False) is not None


def reply(name: str, value: float, **outputs: list[float]) -> wire.PredictResponse:
    message = wire.PredictResponse()
    message.model_spec.name = name
    message.model_spec.version.value = 1
    message.outputs["y"].CopyFrom(tensors.to_proto(np.array([value], np.float32), content=False))
    for alias, numbers in outputs.items():
        message.outputs[alias].CopyFrom(tensors.to_proto(np.array(numbers, np.float32)))
    return message


def test_whole_messages() -> None:
    def problem(actual: wire.PredictResponse) -> str | None:
        return message_problem(reply("m", 1.5), actual, whole=True, tolerance=1e-6)

    assert problem(reply("m", 1.5000001)) is None
    assert "1.6" in str(problem(reply("m", 1.6)))
    assert problem(reply("n", 1.5)) == "PredictResponse.model_spec.name is 'n' instead of 'm'"
    assert "has members" in str(problem(reply("m", 1.5, z=[1])))


def test_parts_of_messages() -> None:
    asked = wire.PredictResponse()
    asked.outputs["y"].float_val.append(1.5)

    def problem(actual: wire.PredictResponse) -> str | None:
        return message_problem(asked, actual, whole=False, tolerance=1e-6)

    assert problem(reply("any", 1.5, z=[1])) is None
    assert problem(reply("any", 2)) is not None
    assert problem(wire.PredictResponse()) is not None


def test_what_is_packed_in_an_any() -> None:
    def metadata(*names: str) -> wire.GetModelMetadataResponse:
        signatures = wire.SignatureDefMap()
        for name in names:
            signatures.signature_def[name].method_name = "predict"
        message = wire.GetModelMetadataResponse()
        message.metadata["signature_def"].Pack(signatures)
        return message

    def problem(expected: Any, actual: Any, *, whole: bool) -> str | None:
        return message_problem(expected, actual, whole=whole, tolerance=0)

    assert problem(metadata("a", "b"), metadata("b", "a"), whole=True) is None
    assert problem(metadata("a"), metadata("a", "b"), whole=True) is not None
    assert problem(metadata("a"), metadata("a", "b"), whole=False) is None
    assert problem(metadata("c"), metadata("a", "b"), whole=False) is not None
