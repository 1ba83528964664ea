from __future__ import annotations

import json
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.client import json_form
from harness.client.outcome import UNNAMED, BadReply
from harness.terms import Array, Tensors

F = np.float32


def strings(*values: bytes) -> Array:
    return np.array(values, object)


@pytest.mark.parametrize(
    ("inputs", "form", "expected"),
    [
        ({"x": np.array([1, 2.5], F)}, "row", {"instances": [1.0, 2.5]}),
        ({"x": np.array([1, 2.5], F)}, "column", {"inputs": [1.0, 2.5]}),
        ({"x": np.array(3.5, F)}, "column", {"inputs": 3.5}),
        ({"x": np.array([2**63], np.uint64)}, "row", {"instances": [2**63]}),
        ({"x": np.array([True])}, "row", {"instances": [True]}),
        ({"x": np.array([1.5], ml_dtypes.bfloat16)}, "row", {"instances": [1.5]}),
        ({"x": strings(b"a", b"\xff")}, "row", {"instances": ["a", {"b64": "/w=="}]}),
        (
            {"a": np.array([[1], [2]], F), "b": np.array([3, 4])},
            "row",
            {"instances": [{"a": [1.0], "b": 3}, {"a": [2.0], "b": 4}]},
        ),
        (
            {"a": np.array([1], F), "b": strings(b"x", b"y")},
            "column",
            {"inputs": {"a": [1.0], "b": ["x", "y"]}},
        ),
    ],
)
def test_requests(inputs: Tensors, form: json_form.Form, expected: Any) -> None:
    assert json.loads(json_form.predict_body(inputs, form=form)) == expected


def test_non_finite_numbers_are_written_as_the_server_reads_them() -> None:
    body = json_form.predict_body({"x": np.array([np.nan, np.inf, -np.inf], F)})
    assert body == b'{"instances": [NaN, Infinity, -Infinity]}'
    body = json_form.predict_body({"x": np.array([np.nan], F), "y": np.array([1])})
    assert body == b'{"instances": [{"x": NaN, "y": 1}]}'


def test_signature_is_named_if_given() -> None:
    body = json.loads(json_form.predict_body({"x": np.array([1])}, signature="s"))
    assert body == {"signature_name": "s", "instances": [1]}


def test_rows_of_different_number_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        json_form.predict_body({"a": np.zeros(2), "b": np.zeros(3)})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"predictions": [1, 2]}', {UNNAMED: [1, 2]}),
        ('{"predictions": []}', {UNNAMED: []}),
        ('{"predictions": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}', {"a": [1, 2], "b": [b"x", b"y"]}),
        ('{"predictions": [{"b64": "YQ=="}]}', {UNNAMED: [b"a"]}),
        ('{"outputs": 2.5}', {UNNAMED: 2.5}),
        ('{"outputs": {"b64": "YQ=="}}', {UNNAMED: b"a"}),
        ('{"outputs": {"y": [["a"], ["b"]]}}', {"y": [[b"a"], [b"b"]]}),
        ('{"predictions": [[true], [false]]}', {UNNAMED: [[True], [False]]}),
        ('{"predictions": [Infinity, 1]}', {UNNAMED: [float("inf"), 1]}),
    ],
)
def test_replies(body: str, expected: dict[str, Any]) -> None:
    outputs = json_form.prediction(body.encode()).outputs
    assert {alias: array.tolist() for alias, array in outputs.items()} == expected


def test_reply_bytes_that_are_not_utf8_survive() -> None:
    assert json_form.prediction(b'{"predictions": ["\xff"]}').outputs[UNNAMED].tolist() == [b"\xff"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"error": "x"}', "neither 'predictions' nor 'outputs'"),
        ('{"predictions": 1}', "not a list"),
        ('{"predictions": [[1], [1, 2]]}', "not a tensor"),
        ('{"predictions": [["a"], ["b", "c"]]}', "not a tensor"),
        ('{"predictions": ["a", 1]}', "not a tensor"),
        ('{"predictions": [{"a": 1}, {"b": 1}]}', "a row has other outputs"),
        ('{"predictions": [{"a": 1}, 2]}', "a row has other outputs"),
    ],
)
def test_replies_that_make_no_sense(body: str, text: str) -> None:
    with pytest.raises(BadReply, match=text):
        json_form.prediction(body.encode())


@given(hnp.arrays(np.float32, hnp.array_shapes(max_side=4), elements=st.floats(width=32)))
def test_floats_keep_every_bit_on_the_way(array: Array) -> None:
    sent = json.loads(json_form.predict_body({"x": array}))["instances"]
    np.testing.assert_array_equal(np.array(sent, np.float32), array)
