from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.client import Prediction
from harness.client.outcome import UNNAMED
from harness.models import BUILDERS
from harness.verdict import answering, difference

HALF, GRID, TWO, STRINGS = (BUILDERS[name] for name in ("half_plus_two", "grid", "two_in_two_out", "strings"))
X = {"x": np.array([2.0, 4.0], np.float32)}


def half(outputs: dict[str, Any], version: int | None = None) -> str | None:
    return difference(HALF, None, 1, X, Prediction(outputs, version))


@pytest.mark.parametrize(
    ("outputs", "version", "expected"),
    [
        ({"y": np.array([3.0, 4.0], np.float32)}, 1, None),
        ({"y": np.array([3.0, 4.0])}, None, None),
        ({UNNAMED: np.array([3.0, 4.0])}, None, None),
        ({UNNAMED: np.array([3, 4])}, None, None),
        ({"y": np.array([3.0, 4.0])}, 1, "output 'y': dtype float64 instead of float32"),
        ({"z": np.array([3.0, 4.0])}, None, "outputs 'z' instead of 'y'"),
        ({}, None, "outputs none instead of 'y'"),
        ({"y": np.array([3.0, 4.0]), "z": np.array([1])}, None, "outputs 'y', 'z' instead of 'y'"),
        ({UNNAMED: np.array([3.0])}, None, r"output 'y': shape [1] instead of [2]"),
        ({UNNAMED: np.array([b"3", b"4"], object)}, None, "output 'y': values like b'3' instead of"),
        ({UNNAMED: np.array([True, True])}, None, "output 'y': values like np.True_ instead of"),
        ({UNNAMED: np.array([3.0, 4.001])}, None, "at [1], 1 of 2 elements differ"),
        ({UNNAMED: np.array([3.0, np.nan])}, None, "at [1], 1 of 2 elements differ"),
    ],
)
def test_floats(outputs: dict[str, Any], version: int | None, expected: str | None) -> None:
    found = half(outputs, version)
    assert found is None if expected is None else found is not None and expected in found


def test_rounding_within_the_tolerance_is_right() -> None:
    assert half({"y": np.array([3.0000002, 4.0], np.float32)}, 1) is None


def test_integers_are_exact_and_must_look_like_integers() -> None:
    inputs = TWO.signature(None).sample(3)
    right = TWO.signature(None).expected(1, inputs)
    assert difference(TWO, None, 1, inputs, Prediction(right)) is None
    off_by_one = {**right, "b": right["b"] + 1}
    assert "2 of 2 elements differ" in str(difference(TWO, None, 1, inputs, Prediction(off_by_one)))
    as_float = {**right, "b": right["b"].astype(np.float64)}
    assert "values like" in str(difference(TWO, None, 1, inputs, Prediction(as_float)))


@pytest.mark.parametrize("name", ["dense", "grid", "half_plus_two", "slow", "strings", "two_in_two_out"])
def test_every_builder_tells_its_contents(name: str) -> None:
    builder = BUILDERS[name]
    for alias, signature in builder.signatures.items():
        inputs = signature.sample(5)
        assert {key: array.shape[1:] for key, array in inputs.items()} == {
            key: spec.shape[1:] for key, spec in signature.inputs.items() if spec.shape is not None
        }
        for contents in (1, 2, 40):
            answer = Prediction(signature.expected(contents, inputs), version=contents)
            assert difference(builder, alias, contents, inputs, answer) is None
            assert answering(builder, alias, inputs, answer, (3, 40, 2, 1)) == contents
            assert answering(builder, alias, inputs, answer, (3, 4)) is None


def test_samples_are_always_the_same_and_differ_by_number() -> None:
    for builder in BUILDERS.values():
        for signature in builder.signatures.values():
            first, again, other = signature.sample(1), signature.sample(1), signature.sample(2)
            assert all(first[alias].tolist() == again[alias].tolist() for alias in first)
            assert not first or any(first[alias].tolist() != other[alias].tolist() for alias in first)
