"""What is made up for unknown models, and whether different answers are noticed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.client import Prediction, Refusal
from harness.client.outcome import UNNAMED, SignatureInfo
from harness.terms import Code, Tensors, TensorSpec
from harness.verdict import Mismatch
from harness.wire import tensors
from scenarios.any_model.asking import Asked, difference, expect_same
from scenarios.any_model.inputs import IN_JSON, fitting, has_rows, is_large, within

DTYPES = (
    *("FLOAT", "DOUBLE", "HALF", "BFLOAT16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32"),
    *("UINT64", "BOOL", "STRING", "COMPLEX64", "COMPLEX128"),
)
PLAYER: Any = SimpleNamespace(evidence=[])


def signature(
    *shapes: tuple[int, ...] | None, dtype: str = "DT_FLOAT", out: str = "DT_FLOAT"
) -> SignatureInfo:
    inputs = {f"x{number}": TensorSpec(dtype, shape) for number, shape in enumerate(shapes)}
    return SignatureInfo("tensorflow/serving/predict", inputs, {"y": TensorSpec(out, (-1,))})


@given(st.data())
def test_inputs_fit_dtype_and_shape(data: st.DataObject) -> None:
    size = st.one_of(st.just(-1), st.integers(0, 4))
    shape = data.draw(st.one_of(st.none(), st.lists(size, max_size=4).map(tuple)))
    name = f"DT_{data.draw(st.sampled_from(DTYPES))}"
    array = data.draw(fitting(signature(shape, dtype=name)))["x0"]
    assert array.dtype == tensors.numpy_dtype(name)
    assert array.ndim == (1 if shape is None else len(shape))
    for wanted, made in zip((-1,) if shape is None else shape, array.shape, strict=True):
        assert made >= 1 if wanted < 0 else made == wanted
    if name == "DT_STRING":
        assert all(isinstance(text, bytes) for text in array.ravel())


@given(st.data())
def test_unknown_sizes_in_the_same_place_are_the_same(data: st.DataObject) -> None:
    made = data.draw(fitting(signature((-1, -1), (-1, 5, -1), (-1, -1, 2))))
    assert made["x0"].shape[0] == made["x1"].shape[0] == made["x2"].shape[0]
    assert made["x0"].shape[1] == made["x2"].shape[1]


def test_which_signatures_can_be_asked() -> None:
    assert within(signature((-1,)))
    assert not within(signature()), "nothing to make up"
    assert not within(signature((-1,), dtype="DT_VARIANT"))
    assert within(signature((-1,), dtype="DT_HALF"))
    assert not within(signature((-1,), dtype="DT_HALF"), IN_JSON)
    assert not within(signature((-1,), out="DT_COMPLEX64"), IN_JSON)
    assert has_rows(signature((-1, 3), (-1,)))
    assert not any(map(has_rows, (signature((3, -1)), signature(()), signature(None))))
    assert is_large(signature((-1, 224, 224, 3)))
    assert not is_large(signature((-1, -1, 100)))


def answer(**outputs: Any) -> Prediction:
    return Prediction({alias: np.array(value) for alias, value in outputs.items()}, 1)


def over_rest(**outputs: Any) -> Prediction:
    return answer(**outputs)._replace(version=None)


HALF = {"y": np.float32(1 / 3)}


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        (answer(y=[1.0]), answer(y=[1.0]), None),
        (answer(y=[1.0]), answer(y=[2.0]), "output 'y'"),
        (answer(y=[1.0, 1.0]), answer(y=[1.0]), "shape"),
        (answer(y=[1.0]), answer(y=[1]), "dtype"),
        (answer(y=[1.0]), answer(z=[1.0]), "outputs"),
        (answer(**HALF), over_rest(y=0.333333), None),
        (over_rest(y=0.333333), answer(**HALF), None),
        (answer(y=[1]), over_rest(y=[1.5]), "output 'y'"),
        (answer(y=[1.0]), Prediction({UNNAMED: np.array([1.0])}), None),
        (answer(y=[1.0], z=[1.0]), Prediction({UNNAMED: np.array([1.0])}), "outputs"),
        (answer(y=[1.0]), Refusal("no", code=Code.INTERNAL), "an answer and INTERNAL: no"),
        (Refusal("no", code=Code.INTERNAL), Refusal("no", http_status=500), None),
        (Refusal("no", code=Code.INTERNAL), Refusal("no", http_status=400), "INTERNAL: no and 400: no"),
        (Refusal("no", code=Code.INTERNAL), Refusal("never", http_status=500), "never"),
    ],
)
def test_differences(first: Any, second: Any, problem: str | None) -> None:
    found = difference(first, second)
    assert found is None if problem is None else problem in str(found)


def doubled(inputs: Tensors) -> Prediction:
    return Prediction({"y": inputs["x0"] * np.float32(2)}, 1)


def test_a_server_that_errs_now_and_then_is_noticed_with_a_small_example() -> None:
    def wrong(inputs: Tensors) -> Prediction:
        right = doubled(inputs)
        return right._replace(outputs={"y": right.outputs["y"] + (inputs["x0"] > 0)}, version=1)

    asked = Asked("serving_default", signature((-1,)))
    expect_same(PLAYER, asked, doubled, doubled)
    with pytest.raises(Mismatch, match=r"signature 'serving_default'.*x0=\[0\.125\]"):
        expect_same(PLAYER, asked, doubled, wrong)


def test_a_model_that_throws_dice_is_skipped() -> None:
    random = np.random.default_rng(1)

    def dice(inputs: Tensors) -> Prediction:
        return Prediction({"y": random.random(inputs["x0"].shape)}, 1)

    with pytest.raises(pytest.skip.Exception, match="differently each time"):
        expect_same(PLAYER, Asked("s", signature((-1,))), dice, dice)
