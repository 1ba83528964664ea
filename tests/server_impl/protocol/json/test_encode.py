"""Replies: layout to the byte, and the errors of tensors that JSON cannot carry."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.protocol.json.encode import (
    RequestFormat,
    classify_body,
    error_body,
    predict_body,
    regress_body,
)
from server_impl.tensor import Tensor

ROW, COLUMN = RequestFormat.ROW, RequestFormat.COLUMN


def floats(*values: object) -> Tensor:
    return Tensor(wire.DT_FLOAT, np.array([*values], np.float32))


def strings(*values: bytes) -> Tensor:
    return Tensor(wire.DT_STRING, np.array(values, object))


@pytest.mark.parametrize(
    ("outputs", "request_format", "body"),
    [
        ({"y": floats(2.5, 3)}, ROW, b'{\n    "predictions": [2.5, 3.0\n    ]\n}'),
        ({"y": floats([1, 2], [3, 4])}, ROW, b'{\n    "predictions": [[1.0, 2.0], [3.0, 4.0]\n    ]\n}'),
        ({"y": floats()}, ROW, b'{\n    "predictions": []\n}'),
        ({"y": floats([], [])}, ROW, b'{\n    "predictions": [[], []\n    ]\n}'),
        (
            {"b": floats([0, 1]), "a": floats(1)},
            ROW,
            b'{\n    "predictions": [\n        {\n            "b": [0.0, 1.0],\n'
            b'            "a": 1.0\n        }\n    ]\n}',
        ),
        (
            {"x_bytes": strings(b"\xff\xfe\xc3\xa9")},
            ROW,
            b'{\n    "predictions": [{\n            "b64": "//7DqQ=="\n        }\n    ]\n}',
        ),
        (
            {"x_bytes": strings(b"a"), "x": strings(b'"\xff')},
            ROW,
            b'{\n    "predictions": [\n        {\n            "x_bytes": {\n                "b64": "YQ=="\n'
            b'            },\n            "x": "\\"\xff"\n        }\n    ]\n}',
        ),
        (
            {"y": floats([1, 2])},
            COLUMN,
            b'{\n    "outputs": [\n        [\n            1.0,\n            2.0\n        ]\n    ]\n}',
        ),
        ({"y": Tensor(wire.DT_FLOAT, np.array(7, np.float32))}, COLUMN, b'{\n    "outputs": 7.0\n}'),
        ({"y": floats([])}, COLUMN, b'{\n    "outputs": [\n        []\n    ]\n}'),
        (
            {"y": floats(1), "ok": Tensor(wire.DT_BOOL, np.array([[True, False]]))},
            COLUMN,
            b'{\n    "outputs": {\n        "y": [\n            1.0\n        ],\n        "ok": [\n'
            b"            [\n                true,\n                false\n"
            b"            ]\n        ]\n    }\n}",
        ),
        (
            {"n": Tensor(wire.DT_UINT64, np.array([2**64 - 1], np.uint64))},
            ROW,
            b'{\n    "predictions": [18446744073709551615\n    ]\n}',
        ),
        (
            {"h": Tensor(wire.DT_HALF, np.zeros((2, 0), np.float16))},
            ROW,
            b'{\n    "predictions": [[], []\n    ]\n}',
        ),
    ],
)
def test_layout(outputs: dict[str, Tensor], request_format: RequestFormat, body: bytes) -> None:
    assert predict_body(outputs, request_format) == body


@pytest.mark.parametrize(
    ("outputs", "request_format", "message"),
    [
        ({}, ROW, "Cannot convert empty tensor map to JSON"),
        (
            {"y": Tensor(wire.DT_FLOAT, np.array(7, np.float32))},
            ROW,
            "Tensor name: y has no shape information ",
        ),
        (
            {"a": floats(1, 2), "b": floats(1, 2, 3)},
            ROW,
            "Tensor name: b has inconsistent batch size: 3 expecting: 2",
        ),
        (
            {"h": Tensor(wire.DT_HALF, np.zeros(1, np.float16))},
            COLUMN,
            "Failed to write JSON value for tensor type: half",
        ),
        (
            {"h": Tensor(wire.DT_UINT16, np.zeros(1, np.uint16))},
            ROW,
            "Failed to write JSON value for tensor type: uint16",
        ),
    ],
)
def test_errors(outputs: dict[str, Tensor], request_format: RequestFormat, message: str) -> None:
    with pytest.raises(ServingError) as caught:
        predict_body(outputs, request_format)
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=1, max_dims=4, max_side=4),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False),
    )
)
def test_any_shape_reads_back(array: np.ndarray) -> None:
    array[np.abs(array) < np.finfo(np.float32).tiny] = 0
    for request_format, key in ((ROW, "predictions"), (COLUMN, "outputs")):
        body = json.loads(predict_body({"y": Tensor(wire.DT_FLOAT, array)}, request_format))
        read = np.array(body[key], np.float32)
        assert read.shape == array.shape
        assert (read == array).all()


def test_error_body() -> None:
    assert error_body('a "b"\n\udcff') == b'{\n    "error": "a \\"b\\"\\n\xff"\n}'


def test_classify_body() -> None:
    body = classify_body([[(b"x", 0.5), (b"", 1.0)], [(b"z", 0.1)], []])
    assert body == b'{\n    "results": [[["x", 0.5], ["", 1.0]], [["z", 0.1]], []\n    ]\n}'


def test_regress_body() -> None:
    assert regress_body([1.5, 0.1]) == b'{\n    "results": [1.5, 0.1]\n}'
    assert regress_body(np.array([2], np.float32)) == b'{\n    "results": [2.0]\n}'


def test_empty_results() -> None:
    with pytest.raises(ServingError, match="Cannot convert empty ClassificationResults to JSON"):
        classify_body([])
    with pytest.raises(ServingError, match="Cannot convert empty RegressionResults to JSON"):
        regress_body([])
