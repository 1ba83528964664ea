"""Predict: the checks before the run, their order, and what is run [6.4]."""

from __future__ import annotations

import numpy as np
import pytest

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.inference import predict
from server_impl.inference.run import Settings
from server_impl.metrics import ServingMetrics
from server_impl.tensor import Tensor
from tests.server_impl.inference.fakes import FakeRunner, servable, signature, tensor

ONE = tensor(wire.DT_FLOAT, [1.0])
LONE = signature("serving_default", {"x": "x:0"}, {"y": "y:0", "b": "b:0", "a": "a:0"})
PAIR = signature("pair", {"p": "p:0", "q": "q:0"}, {"r": "r:0"})
FILLED = signature(
    "filled", {"a": "a:0", "b": "b:0", "c": "c:0"}, {"s": "s:0"}, defaults={"b": ONE, "c": ONE}
)
CONSTANT = signature("constant", {}, {"c": "c:0"})
SILENT = signature("silent", {"x": "x:0"}, {})
ODD = signature("odd", {"x": "x:0"}, {"y": "y:0"}, method="my/method")
CLASSIFIER = signature(
    "classifier", {"inputs": "i:0"}, {"scores": "s:0"}, method="tensorflow/serving/classify"
)
ALL = (LONE, PAIR, FILLED, CONSTANT, SILENT, ODD, CLASSIFIER)


def settings(*, check: bool = False) -> Settings:
    return Settings(ServingMetrics(), check)


def doubling_runner() -> FakeRunner:
    return FakeRunner(
        {
            "y:0": lambda feeds: Tensor(wire.DT_FLOAT, feeds["x:0"].array * 2),
            "a:0": lambda feeds: feeds["x:0"],
            "b:0": lambda feeds: feeds["x:0"],
            "s:0": lambda feeds: Tensor(wire.DT_FLOAT, sum(each.array for each in feeds.values())),
            "c:0": lambda feeds: ONE,
        }
    )


MISSING = "not found in request and no default value provided. Inputs expected to be in the request"


@pytest.mark.parametrize(
    ("name", "inputs", "output_filter", "code", "message"),
    [
        ("nope", {}, [], Code.FAILED_PRECONDITION, 'Serving signature key "nope" not found.'),
        ('"', {}, [], Code.FAILED_PRECONDITION, 'Serving signature key """ not found.'),
        # The number of inputs.
        (
            "",
            {},
            [],
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. "
            "Missing but required: {x}.",
        ),
        (
            "pair",
            {"z": ONE, "q": ONE, "é": ONE},
            [],
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 3!=2 len({q,z,é}) != len({p,q}). Sent extra: {z,é}. "
            "Missing but required: {p}.",
        ),
        (
            "filled",
            dict.fromkeys("abcd", ONE),
            [],
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 4!=3 len({a,b,c,d}) != len({a,b,c}). Sent extra: {d}. "
            "Missing but required: {}.",
        ),
        (
            "constant",
            {"x": ONE},
            [],
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 1!=0 len({x}) != len({}). Sent extra: {x}. "
            "Missing but required: {}.",
        ),
        # Their names; an unusable tensor comes before a surplus one.
        (
            "",
            {"y": None},
            [],
            Code.INVALID_ARGUMENT,
            f"Signature input alias: x(feed name: x:0) {MISSING} {{y}}, or default input alias set: ",
        ),
        (
            "filled",
            {"b": ONE},
            [],
            Code.INVALID_ARGUMENT,
            f"Signature input alias: a(feed name: a:0) {MISSING} {{b}}, or default input alias set: b,c",
        ),
        ("", {"x": None}, ["nope"], Code.INVALID_ARGUMENT, "tensor parsing error: x"),
        (
            "filled",
            {"a": ONE, "z": None},
            [],
            Code.INVALID_ARGUMENT,
            "Inputs contains invalid name. Used request inputs: a, request input: a,z",
        ),
        # The output filter, entry by entry.
        (
            "",
            {"x": ONE},
            ["y", "nope", "y"],
            Code.INVALID_ARGUMENT,
            "output tensor alias not found in signature: nope Outputs expected to be in the set {a,b,y}.",
        ),
        ("", {"x": ONE}, ["y", "y", "nope"], Code.INVALID_ARGUMENT, "duplicate output tensor alias: y"),
        (
            "silent",
            {"x": ONE},
            [""],
            Code.INVALID_ARGUMENT,
            "output tensor alias not found in signature:  Outputs expected to be in the set {}.",
        ),
    ],
)
def test_refusal(
    name: str, inputs: dict[str, Tensor | None], output_filter: list[str], code: Code, message: str
) -> None:
    with pytest.raises(ServingError) as raised:
        predict.prepare(settings(), servable(*ALL), name, inputs, output_filter)
    assert (raised.value.code, raised.value.message) == (code, message)


def test_all_outputs_without_a_filter() -> None:
    runner = doubling_runner()
    call = predict.prepare(settings(), servable(*ALL, runner=runner), "", {"x": ONE})
    outputs = call.run()
    assert call.signature_name == "serving_default"
    assert list(outputs) == ["a", "b", "y"]
    assert outputs["y"].array.tolist() == [2.0]
    assert runner.fed == [{"x:0": ONE}]


def test_only_filtered_outputs_are_computed() -> None:
    runner = doubling_runner()
    call = predict.prepare(settings(), servable(*ALL, runner=runner), "", {"x": ONE}, ["y", "a"])
    assert list(call.run()) == ["y", "a"]
    assert runner.fetched == [["y:0", "a:0"]]


def test_defaults_fill_what_is_missing() -> None:
    three = tensor(wire.DT_FLOAT, [3.0])
    call = predict.prepare(
        settings(), servable(*ALL, runner=doubling_runner()), "filled", {"a": three, "c": three}
    )
    assert call.run()["s"].array.tolist() == [7.0]


def test_signature_without_inputs_runs() -> None:
    call = predict.prepare(settings(), servable(*ALL, runner=doubling_runner()), "constant", {})
    assert call.run() == {"c": ONE}


def test_inputs_are_not_compared_with_the_signature() -> None:
    text = Tensor(wire.DT_STRING, np.array([[b"x"]], dtype=object))
    call = predict.prepare(settings(), servable(*ALL, runner=doubling_runner()), "", {"x": text}, ["a"])
    assert call.run()["a"] is text


@pytest.mark.parametrize("name", ["classifier", ""])
def test_checked_method_names_that_pass(name: str) -> None:
    inputs = {"inputs": ONE} if name else {"x": ONE}
    predict.prepare(settings(check=True), servable(*ALL), name, inputs)


def test_checked_method_name_is_refused_before_the_inputs() -> None:
    with pytest.raises(ServingError) as raised:
        predict.prepare(settings(check=True), servable(*ALL), "odd", {})
    assert raised.value.code is Code.INTERNAL
    assert raised.value.message == (
        "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        "tensorflow/serving/classify, tensorflow/serving/regress}. Was: my/method"
    )


def test_runtime_is_recorded_under_the_name_that_the_request_gave() -> None:
    shared = settings()
    served = servable(*ALL, runner=doubling_runner())
    predict.prepare(shared, served, "", {"x": ONE}).run()
    predict.prepare(shared, served, "", {"x": ONE}, model_name="other").run()
    recorded = {labels for labels, _ in shared.metrics.runtime_latency.collect()}
    assert recorded == {("m", "Predict", "TF1"), ("other", "Predict", "TF1")}


def test_errors_of_the_run_pass_and_are_not_timed() -> None:
    runner = doubling_runner()
    failure = ServingError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")

    def fail() -> None:
        raise failure

    runner.before_run = fail
    shared = settings()
    call = predict.prepare(shared, servable(*ALL, runner=runner), "", {"x": ONE})
    with pytest.raises(ServingError) as raised:
        call.run(250)
    assert raised.value is failure
    assert runner.timeouts == [250]
    assert shared.metrics.runtime_latency.collect() == []


def test_brief_is_what_the_servable_says() -> None:
    runner = doubling_runner()
    call = predict.prepare(settings(), servable(*ALL, runner=runner), "", {"x": ONE})
    begun = call.prepared.begin()
    assert begun is not None
    assert runner.fed == []
    begun.run()
    assert call.result(begun.outputs())["y"].array.tolist() == [2]
    runner.inline = False
    assert call.prepared.begin() is None
