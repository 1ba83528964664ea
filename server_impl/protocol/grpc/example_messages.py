"""The messages of Classify, Regress and MultiInference: examples in, classes and values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.wire import messages as wire
from harness.wire import packed
from server_impl.inference import classify, multi_inference, regress
from server_impl.inference.classify import Classifications
from server_impl.inference.examples import ExampleInput
from server_impl.inference.model_spec import ModelSpec
from server_impl.inference.run import Settings
from server_impl.protocol.grpc.predict_message import read_spec, write_spec

if TYPE_CHECKING:
    from server_impl.servable.servable import Servable


class ClassifyRequest(NamedTuple):
    """A ClassificationRequest as the inference core wants it."""

    spec: ModelSpec | None
    input: ExampleInput

    @classmethod
    def from_message(cls, message: wire.ClassificationRequest) -> ClassifyRequest:
        """Take a message apart."""
        spec = read_spec(message.model_spec) if message.HasField("model_spec") else None
        return cls(spec, read_input(message.input))

    def prepare(self, settings: Settings, servable: Servable) -> classify.ClassifyCall:
        """Bind the request to a signature; see :func:`server_impl.inference.classify.prepare`."""
        spec = self.spec or ModelSpec("")
        return classify.prepare(settings, servable, spec.signature_name, self.input, model_name=spec.name)


class RegressRequest(NamedTuple):
    """A RegressionRequest as the inference core wants it."""

    spec: ModelSpec | None
    input: ExampleInput

    @classmethod
    def from_message(cls, message: wire.RegressionRequest) -> RegressRequest:
        """Take a message apart."""
        spec = read_spec(message.model_spec) if message.HasField("model_spec") else None
        return cls(spec, read_input(message.input))

    def prepare(self, settings: Settings, servable: Servable) -> regress.RegressCall:
        """Bind the request to a signature; see :func:`server_impl.inference.regress.prepare`."""
        spec = self.spec or ModelSpec("")
        return regress.prepare(settings, servable, spec.signature_name, self.input, model_name=spec.name)


class MultiInferenceRequest(NamedTuple):
    """A MultiInferenceRequest as the inference core wants it."""

    tasks: Sequence[multi_inference.Task]
    input: ExampleInput

    @classmethod
    def from_message(cls, message: wire.MultiInferenceRequest) -> MultiInferenceRequest:
        """Take a message apart; a task without a spec has an empty one."""
        tasks = [multi_inference.Task(read_spec(task.model_spec), task.method_name) for task in message.tasks]
        return cls(tasks, read_input(message.input))

    @property
    def spec(self) -> ModelSpec:
        """The spec that chooses the servable: that of the first task, else an empty one [6.6.1]."""
        return self.tasks[0].spec if self.tasks else ModelSpec("")

    def prepare(self, settings: Settings, servable: Servable) -> multi_inference.MultiInferenceCall:
        """Bind each task to a signature; see :func:`server_impl.inference.multi_inference.prepare`."""
        return multi_inference.prepare(settings, servable, self.tasks, self.input)


def read_input(message: wire.Input) -> ExampleInput:
    """The examples, serialised anew as TensorFlow Serving does it [6.5.4]."""
    match message.WhichOneof("kind"):
        case "example_list":
            return ExampleInput([example.SerializeToString() for example in message.example_list.examples])
        case "example_list_with_context":
            listed = message.example_list_with_context
            return ExampleInput(
                [example.SerializeToString() for example in listed.examples],
                listed.context.SerializeToString(),
            )
        case _:
            return ExampleInput()


def serialize_classifications(
    servable: Servable, call: classify.ClassifyCall, answer: Classifications
) -> bytes:
    """A serialised ClassificationResponse."""
    response = packed.ClassificationResponse()
    response.result.SetInParent()
    _write_classifications(response.result, answer)
    write_spec(response.model_spec, servable.name, servable.version, call.signature_name)
    return response.SerializeToString()


def serialize_regressions(
    servable: Servable, call: regress.RegressCall, answer: np.ndarray[Any, Any]
) -> bytes:
    """A serialised RegressionResponse."""
    response = packed.RegressionResponse()
    response.result.SetInParent()
    _write_regressions(response.result, answer)
    write_spec(response.model_spec, servable.name, servable.version, call.signature_name)
    return response.SerializeToString()


def serialize_results(
    servable: Servable, _: multi_inference.MultiInferenceCall, results: Sequence[multi_inference.Result]
) -> bytes:
    """A serialised MultiInferenceResponse: each result with the spec of its task [6.6.3]."""
    response = packed.MultiInferenceResponse()
    for signature_name, answer in results:
        result = response.results.add()
        write_spec(result.model_spec, servable.name, servable.version, signature_name)
        if isinstance(answer, Classifications):
            result.classification_result.SetInParent()
            _write_classifications(result.classification_result, answer)
        else:
            result.regression_result.SetInParent()
            _write_regressions(result.regression_result, answer)
    return response.SerializeToString()


def _write_classifications(result: packed.ClassificationResult, answer: Classifications) -> None:
    """Missing labels are empty, missing scores 0 [6.5.6]."""
    labels, scores = answer.labels, answer.scores
    for row in range(answer.rows):
        add = result.classifications.add().classes.add
        if labels is not None and scores is not None:
            for label, score in zip(labels[row].tolist(), scores[row].tolist(), strict=True):
                add(label=label, score=score)
        elif labels is not None:
            for label in labels[row].tolist():
                add(label=label)
        elif scores is not None:
            for score in scores[row].tolist():
                add(score=score)


def _write_regressions(result: packed.RegressionResult, values: np.ndarray[Any, Any]) -> None:
    for value in values.tolist():
        result.regressions.add(value=value)
