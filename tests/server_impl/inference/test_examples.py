"""Classify, Regress and MultiInference: checks on signature, input and output [6.5, 6.6]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.inference import classify, multi_inference, regress
from server_impl.inference.examples import ExampleInput
from server_impl.inference.model_spec import ModelSpec
from server_impl.inference.multi_inference import Task
from server_impl.inference.run import Settings
from server_impl.metrics import ServingMetrics
from server_impl.servable.servable import Servable, Signature
from tests.server_impl.inference.fakes import Computation, FakeRunner, constant, servable, signature

TWO = ExampleInput([b"one", b"two"])
CLASSIFY, REGRESS = classify.METHOD_NAME, regress.METHOD_NAME
S, F, D = wire.DT_STRING, wire.DT_FLOAT, wire.DT_DOUBLE


def settings(*, check: bool = False) -> Settings:
    return Settings(ServingMetrics(), check)


def classifier(**outputs: str) -> Signature:
    return signature("serving_default", {"inputs": "in:0"}, outputs, method=CLASSIFY)


def run_with(one: Signature, **computations: Computation) -> Servable:
    return servable(one, runner=FakeRunner({f"{name}:0": how for name, how in computations.items()}))


def refusal(act: Callable[[], object]) -> tuple[Code, str]:
    with pytest.raises(ServingError) as raised:
        act()
    return raised.value.code, raised.value.message


# Input.


def test_context_precedes_each_example() -> None:
    examples = ExampleInput([b"a", b""], b"ctx").tensor()
    assert examples.dtype == wire.DT_STRING
    assert examples.array.tolist() == [b"ctxa", b"ctx"]
    assert TWO.tensor().array.tolist() == [b"one", b"two"]


@pytest.mark.parametrize("method", [classify, regress])
def test_input_is_looked_at_after_the_signature(method: object) -> None:
    outputs = {"scores": "s:0"} if method is classify else {"outputs": "y:0"}
    good = signature("serving_default", {"inputs": "in:0"}, outputs)
    prepare = method.prepare  # type: ignore[attr-defined]
    assert refusal(lambda: prepare(settings(), servable(good), "", ExampleInput(context=b"c"))) == (
        Code.INVALID_ARGUMENT,
        "Input is empty.",
    )
    bad = signature("serving_default", {"x": "x:0"}, outputs)
    assert "inputs found" in refusal(lambda: prepare(settings(), servable(bad), "", ExampleInput()))[1]


# Signatures.

CLASSIFY_REFUSALS = [
    ({}, {"scores": "s:0"}, "Expected one input Tensor."),
    ({"inputs": "a:0", "b": "b:0"}, {"scores": "s:0"}, "Expected one input Tensor."),
    ({"inputs": "a:0"}, {}, "Expected one or two output Tensors, found 0"),
    (
        {"inputs": "a:0"},
        {"scores": "s:0", "classes": "c:0", "x": "x:0"},
        "Expected one or two output Tensors, found 3",
    ),
    (
        {"ü": "a:0"},
        {"scores": "s:0"},
        'No classification inputs found in SignatureDef: inputs {\n  key: "\\303\\274"\n  value {\n'
        '    name: "a:0"\n    dtype: DT_FLOAT\n  }\n}\noutputs {\n  key: "scores"\n  value {\n'
        '    name: "s:0"\n    dtype: DT_FLOAT\n  }\n}\nmethod_name: "tensorflow/serving/predict"\n',
    ),
    (
        {"inputs": "a:0"},
        {"outputs": "y:0"},
        'Expected classification signature outputs to contain at least one of "classes" or "scores". '
        'Signature was: inputs {\n  key: "inputs"\n  value {\n    name: "a:0"\n    dtype: DT_FLOAT\n  }\n}\n'
        'outputs {\n  key: "outputs"\n  value {\n    name: "y:0"\n    dtype: DT_FLOAT\n  }\n}\n'
        'method_name: "tensorflow/serving/predict"\n',
    ),
]


@pytest.mark.parametrize(("inputs", "outputs", "message"), CLASSIFY_REFUSALS)
def test_signatures_that_cannot_classify(
    inputs: dict[str, str], outputs: dict[str, str], message: str
) -> None:
    served = servable(signature("s", inputs, outputs))
    assert refusal(lambda: classify.prepare(settings(), served, "s", TWO)) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({}, {"outputs": "y:0"}, "Expected one input Tensor."),
        ({"inputs": "a:0"}, {"outputs": "y:0", "z": "z:0"}, "Expected one output Tensor."),
        ({"x": "a:0"}, {"y": "y:0"}, "No regression inputs found in SignatureDef: inputs {"),
        ({"inputs": "a:0"}, {"y": "y:0"}, "No regression outputs found in SignatureDef: inputs {"),
    ],
)
def test_signatures_that_cannot_regress(
    inputs: dict[str, str], outputs: dict[str, str], message: str
) -> None:
    served = servable(signature("s", inputs, outputs))
    code, text = refusal(lambda: regress.prepare(settings(), served, "s", TWO))
    assert code is Code.INVALID_ARGUMENT
    assert text.startswith(message)


@pytest.mark.parametrize("prepare", [classify.prepare, regress.prepare])
def test_unknown_signature(prepare: Callable[..., object]) -> None:
    served = servable()
    expected = (Code.INVALID_ARGUMENT, "No signature was found with the name: serving_default")
    assert refusal(lambda: prepare(settings(), served, "", TWO)) == expected


def test_checked_method_names() -> None:
    # The name is looked at before anything else about the signature.
    served = servable(signature("s", {}, {}, method="my/method"))
    assert refusal(lambda: classify.prepare(settings(check=True), served, "s", TWO)) == (
        Code.INVALID_ARGUMENT,
        "Expected classification signature method_name to be tensorflow/serving/classify. Was: my/method",
    )
    assert refusal(lambda: regress.prepare(settings(check=True), served, "s", TWO)) == (
        Code.INVALID_ARGUMENT,
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: my/method",
    )


# Results.


def test_labels_and_scores() -> None:
    served = run_with(
        classifier(classes="c:0", scores="s:0"),
        c=constant(S, [[b"a", b"b"], [b"c", b"d"]]),
        s=constant(F, [[1, 2], [3, 4]]),
    )
    call = classify.prepare(settings(), served, "", TWO)
    rows, labels, scores = call.run()
    assert call.signature_name == "serving_default"
    assert rows == 2
    assert labels is not None
    assert labels.tolist() == [[b"a", b"b"], [b"c", b"d"]]
    assert scores is not None
    assert scores.tolist() == [[1, 2], [3, 4]]


def test_scores_alone() -> None:
    served = run_with(classifier(scores="s:0", extra="x:0"), s=constant(F, [[1], [3]]))
    rows, labels, scores = classify.prepare(settings(), served, "", TWO).run()
    assert (rows, labels) == (2, None)
    assert scores is not None
    assert scores.tolist() == [[1], [3]]


def test_one_tensor_as_both_is_classes_alone() -> None:
    served = run_with(classifier(classes="c:0", scores="c:0"), c=constant(S, [[b"a"], [b"b"]]))
    answer = classify.prepare(settings(), served, "", TWO).run()
    assert answer.labels is not None
    assert answer.scores is None


@pytest.mark.parametrize(
    ("classes", "scores", "message"),
    [
        (constant(S, [b"a", b"b"]), None, "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        (
            constant(wire.DT_INT64, [[1], [2]]),
            constant(D, [[1], [2]]),
            "Expected classes Tensor of DT_STRING. Got: DT_INT64",
        ),
        (constant(S, [[b"a"]]), None, "Expected classes output batch size of 2. Got: 1"),
        (None, constant(F, 1.0), "Expected Tensor shape: [batch_size num_classes] but got []"),
        (None, constant(D, [[1], [2]]), "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        (None, constant(F, [[1], [2], [3]]), "Expected scores output batch size of 2. Got: 3"),
        (
            constant(S, [[b"a", b"b"], [b"c", b"d"]]),
            constant(F, np.zeros((2, 3))),
            "Tensors class and score should match in dim_size(1). Got 2 vs. 3",
        ),
    ],
)
def test_classifications_that_are_refused(
    classes: Computation | None, scores: Computation | None, message: str
) -> None:
    computations = {name: how for name, how in (("c", classes), ("s", scores)) if how is not None}
    aliases = {"c": "classes", "s": "scores"}
    outputs = {aliases[name]: f"{name}:0" for name in computations}
    served = run_with(classifier(**outputs), **computations)
    call = classify.prepare(settings(), served, "", TWO)
    assert refusal(call.run) == (Code.INVALID_ARGUMENT, message)


REGRESSOR = signature("serving_default", {"inputs": "in:0"}, {"outputs": "y:0"}, method=REGRESS)


@pytest.mark.parametrize("values", [[1.5, -2.0], [[1.5], [-2.0]]])
def test_regressions(values: object) -> None:
    served = run_with(REGRESSOR, y=constant(F, values))
    assert regress.prepare(settings(), served, "", TWO).run().tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            constant(D, np.zeros((1, 2))),
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]",
        ),
        (constant(D, [1.0]), "Input batch size did not match output batch size: 2 vs. 1"),
        (constant(D, [1.0, 2.0]), "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
    ],
)
def test_regressions_that_are_refused(output: Computation, message: str) -> None:
    call = regress.prepare(settings(), run_with(REGRESSOR, y=output), "", TWO)
    assert refusal(call.run) == (Code.INVALID_ARGUMENT, message)


def test_runtime_is_recorded() -> None:
    shared = settings()
    regress.prepare(shared, run_with(REGRESSOR, y=constant(F, [1, 2])), "", TWO).run()
    served = run_with(classifier(scores="s:0"), s=constant(F, [[1], [3]]))
    classify.prepare(shared, served, "", TWO, model_name="n").run()
    recorded = [labels for labels, _ in shared.metrics.runtime_latency.collect()]
    assert recorded == [("m", "Regress", "TF1"), ("n", "Classify", "TF1")]


# MultiInference.


def multi(*, y: Computation | None = None) -> tuple[Servable, FakeRunner]:
    runner = FakeRunner({"s:0": constant(F, [[1], [2]]), "y:0": y or constant(F, [3, 4])})
    served = servable(
        signature("c", {"inputs": "in:0"}, {"scores": "s:0"}, method=CLASSIFY),
        signature("serving_default", {"inputs": "in:0"}, {"outputs": "y:0"}, method=REGRESS),
        signature("other", {"inputs": "other:0"}, {"outputs": "y:0"}, method=REGRESS),
        runner=runner,
    )
    return served, runner


def task(signature_name: str, method: str, *, name: str = "m") -> Task:
    return Task(ModelSpec(name, signature_name=signature_name), method)


def test_all_tasks_in_one_run_and_in_their_order() -> None:
    served, runner = multi()
    shared = settings()
    tasks = [task("", REGRESS), task("c", CLASSIFY), task("other", REGRESS)]
    results = multi_inference.prepare(shared, served, tasks, TWO).run(5)
    assert [result.signature_name for result in results] == ["serving_default", "c", "other"]
    first, second, third = (result.answer for result in results)
    assert isinstance(second, classify.Classifications)
    assert not isinstance(first, classify.Classifications)
    assert first.tolist() == [3, 4]
    assert third is not second
    (fed,) = runner.fed
    assert fed.keys() == {"in:0", "other:0"}
    assert runner.fetched == [["s:0", "y:0"]]
    assert runner.timeouts == [5]
    assert shared.metrics.request_example_count_total.collect() == [(("m",), 2)]
    assert shared.metrics.runtime_latency.collect() == []


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        ([task("c", CLASSIFY, name="")], Code.INVALID_ARGUMENT, "Found ModelSpec with an empty model name."),
        (
            [task("c", CLASSIFY), task("", "nope", name="n")],
            Code.INVALID_ARGUMENT,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [task("", REGRESS), task("serving_default", "nope")],
            Code.INVALID_ARGUMENT,
            "Duplicate evaluation of signature: serving_default",
        ),
        (
            [task("nope", "nope")],
            Code.INVALID_ARGUMENT,
            "Requested signature not found in model graph: nope",
        ),
        ([task("c", "nope")], Code.UNIMPLEMENTED, "Unsupported signature method_name: nope"),
        # The first task that is wrong is the one that is named.
        ([task("c", ""), task("nope", CLASSIFY)], Code.UNIMPLEMENTED, "Unsupported signature method_name: "),
        ([], Code.INVALID_ARGUMENT, "Input is empty."),
    ],
)
def test_tasks_that_are_refused(tasks: list[Task], code: Code, message: str) -> None:
    served, _ = multi()
    # Without tasks nobody looks at more than the input.
    given = TWO if tasks else ExampleInput()
    assert refusal(lambda: multi_inference.prepare(settings(), served, tasks, given)) == (code, message)


def test_examples_are_counted_even_if_a_result_is_refused() -> None:
    served, _ = multi(y=constant(D, [1, 2]))
    shared = settings()
    call = multi_inference.prepare(shared, served, [task("", REGRESS)], TWO)
    assert refusal(lambda: call.run()) == (
        Code.INVALID_ARGUMENT,
        "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE",
    )
    assert shared.metrics.request_example_count_total.collect() == [(("m",), 2)]
