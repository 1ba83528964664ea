"""The messages of Classify, Regress and MultiInference [6.5, 6.6]."""

from __future__ import annotations

import numpy as np
import pytest

from harness.wire import messages as wire
from server_impl.inference import classify, multi_inference, regress
from server_impl.inference.classify import Classifications
from server_impl.inference.examples import ExampleInput
from server_impl.inference.model_spec import ModelSpec
from server_impl.inference.run import Settings
from server_impl.metrics import ServingMetrics
from server_impl.protocol.grpc import example_messages
from server_impl.protocol.grpc.example_messages import ClassifyRequest, MultiInferenceRequest
from tests.server_impl.inference.fakes import servable, signature

SERVED = servable(
    signature("serving_default", {"inputs": "in:0"}, {"scores": "s:0"}),
    signature("r", {"inputs": "in:0"}, {"outputs": "y:0"}),
)
ONE = ExampleInput([b""])
SETTINGS = Settings(ServingMetrics())


def feature(**values: float) -> wire.Example:
    example = wire.Example()
    for name, value in values.items():
        example.features.feature[name].float_list.value.append(value)
    return example


def test_examples_are_serialised_one_by_one() -> None:
    message = wire.Input()
    message.example_list.examples.extend([feature(x=1), wire.Example()])
    assert example_messages.read_input(message) == ExampleInput([feature(x=1).SerializeToString(), b""])


def test_example_wins_over_context() -> None:
    message = wire.Input()
    message.example_list_with_context.context.CopyFrom(feature(x=1, k=2))
    message.example_list_with_context.examples.append(feature(x=3))
    (merged,) = example_messages.read_input(message).tensor().array.tolist()
    features = wire.Example.FromString(merged).features.feature
    assert list(features["x"].float_list.value) == [3]
    assert list(features["k"].float_list.value) == [2]


@pytest.mark.parametrize("kind", ["example_list", "example_list_with_context", None])
def test_no_examples(kind: str | None) -> None:
    message = wire.Input()
    if kind:
        getattr(message, kind).SetInParent()
    assert not example_messages.read_input(message).examples


def test_spec_of_a_request() -> None:
    message = wire.ClassificationRequest()
    assert ClassifyRequest.from_message(message).spec is None
    message.model_spec.name = "m"
    assert ClassifyRequest.from_message(message).spec == ModelSpec("m")


def test_first_task_chooses_the_servable() -> None:
    message = wire.MultiInferenceRequest()
    assert MultiInferenceRequest.from_message(message).spec == ModelSpec("")
    message.tasks.add(method_name="a")
    message.tasks.add().model_spec.name = "m"
    assert MultiInferenceRequest.from_message(message).spec == ModelSpec("")
    message.tasks[0].model_spec.version.value = 3
    assert MultiInferenceRequest.from_message(message).spec == ModelSpec("", version=3)


LABELS = np.array([[b"a", b"\xff"], [b"", b"d"]], dtype=object)
SCORES = np.array([[1, 0], [-2, 0.5]], np.float32)


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        (LABELS, SCORES, [[(b"a", 1), (b"\xff", 0)], [(b"", -2), (b"d", 0.5)]]),
        (LABELS, None, [[(b"a", 0), (b"\xff", 0)], [(b"", 0), (b"d", 0)]]),
        (None, SCORES, [[(b"", 1), (b"", 0)], [(b"", -2), (b"", 0.5)]]),
    ],
)
def test_classifications(
    labels: np.ndarray | None, scores: np.ndarray | None, expected: list[list[tuple[bytes, float]]]
) -> None:
    call = classify.prepare(SETTINGS, SERVED, "", ONE)
    payload = example_messages.serialize_classifications(SERVED, call, Classifications(2, labels, scores))
    if labels is not None:
        # A label is whatever bytes the model gave; not every client can read them all.
        assert payload.count(b"\xff") == 1
        payload = payload.replace(b"\xff", b"?")
    response = wire.ClassificationResponse.FromString(payload)
    assert [
        [(each.label.encode().replace(b"?", b"\xff"), each.score) for each in row.classes]
        for row in response.result.classifications
    ] == expected
    assert response.model_spec.name == "m"
    assert response.model_spec.version.value == 3
    assert response.model_spec.signature_name == "serving_default"


def test_rows_without_classes() -> None:
    call = classify.prepare(SETTINGS, SERVED, "", ONE)
    answer = Classifications(2, None, np.zeros((2, 0), np.float32))
    payload = example_messages.serialize_classifications(SERVED, call, answer)
    rows = wire.ClassificationResponse.FromString(payload).result.classifications
    assert [list(row.classes) for row in rows] == [[], []]


def test_regressions() -> None:
    call = regress.prepare(SETTINGS, SERVED, "r", ONE)
    payload = example_messages.serialize_regressions(SERVED, call, np.array([1.5, 0], np.float32))
    response = wire.RegressionResponse.FromString(payload)
    assert [each.value for each in response.result.regressions] == [1.5, 0]
    assert response.model_spec.signature_name == "r"


def test_results_of_several_tasks() -> None:
    tasks = [multi_inference.Task(ModelSpec("m"), classify.METHOD_NAME)]
    call = multi_inference.prepare(SETTINGS, SERVED, tasks, ONE)
    results = [
        multi_inference.Result("r", np.array([1.5], np.float32)),
        multi_inference.Result("serving_default", Classifications(1, None, np.array([[2]], np.float32))),
    ]
    payload = example_messages.serialize_results(SERVED, call, results)
    response = wire.MultiInferenceResponse.FromString(payload)
    assert [each.WhichOneof("result") for each in response.results] == [
        "regression_result",
        "classification_result",
    ]
    assert [each.model_spec.signature_name for each in response.results] == ["r", "serving_default"]
    assert {each.model_spec.version.value for each in response.results} == {3}
