"""MultiInference: several classifications and regressions of the same examples in one run [6.6]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from server_impl.errors import invalid_argument, unimplemented
from server_impl.inference import classify, regress
from server_impl.inference.examples import ExampleInput
from server_impl.inference.model_spec import DEFAULT_SIGNATURE_NAME, ModelSpec
from server_impl.inference.run import Run, Settings

if TYPE_CHECKING:
    from server_impl.servable.servable import Servable, Signature
    from server_impl.tensor import Tensor

_METHODS = {classify.METHOD_NAME: classify, regress.METHOD_NAME: regress}


class Task(NamedTuple):
    """One of the things to be inferred."""

    spec: ModelSpec
    method_name: str


class Result(NamedTuple):
    """What one task gave: the answer, and of which signature."""

    signature_name: str
    answer: classify.Classifications | np.ndarray[Any, Any]


class MultiInferenceCall(NamedTuple):
    """A MultiInference request that passed every check before its run."""

    evaluations: Sequence[_Evaluation]
    rows: int
    prepared: Run

    def result(self, outputs: list[Tensor]) -> list[Result]:
        """What all tasks gave, checked, in the order of the tasks [6.6.3]."""
        prepared = self.prepared
        metrics, model_name = prepared.settings.metrics, prepared.model_name
        metrics.request_example_counts.record(self.rows, model_name)
        metrics.request_example_count_total.increment(model_name, by=self.rows)
        by_name = dict(zip(prepared.fetches, outputs, strict=True))
        results: list[Result] = []
        for name, signature, method_name in self.evaluations:
            if method_name == classify.METHOD_NAME:
                results.append(Result(name, classify.classifications(signature, self.rows, by_name)))
            else:
                output = by_name[signature.outputs["outputs"].name]
                results.append(Result(name, regress.regressions(self.rows, output)))
        return results

    def run(self, timeout_ms: int | None = None) -> list[Result]:
        """Run, and give the result. Raises ServingError."""
        return self.result(self.prepared.outputs(timeout_ms))


class _Evaluation(NamedTuple):
    signature_name: str
    signature: Signature
    method_name: str


def first_spec(tasks: Sequence[Task]) -> ModelSpec:
    """The spec that chooses the servable for all tasks: that of the first one, else an empty one [6.6.1]."""
    return tasks[0].spec if tasks else ModelSpec("")


def prepare(
    settings: Settings, servable: Servable, tasks: Sequence[Task], input_: ExampleInput
) -> MultiInferenceCall:
    """Check the tasks one after the other in TensorFlow Serving's order [6.6.2], then the input.

    Only name and signature name of a spec matter, versions of later tasks do not [6.6.3].
    Raises UNIMPLEMENTED for a method that is neither classify nor regress, INVALID_ARGUMENT otherwise.
    """
    evaluations: list[_Evaluation] = []
    for task in tasks:
        signature_name = _check_task(task, tasks[0].spec.name, {done.signature_name for done in evaluations})
        signature = servable.signatures.get(signature_name)
        if signature is None:
            raise invalid_argument(f"Requested signature not found in model graph: {signature_name}")
        method = _METHODS.get(task.method_name)
        if method is None:
            raise unimplemented(f"Unsupported signature method_name: {task.method_name}")
        method.check_signature(settings, signature)
        evaluations.append(_Evaluation(signature_name, signature, task.method_name))
    examples = input_.tensor()
    fetches = {name for done in evaluations for name in _METHODS[done.method_name].fetches(done.signature)}
    feeds = {done.signature.inputs["inputs"].name: examples for done in evaluations}
    return MultiInferenceCall(
        evaluations,
        len(examples.array),
        Run(settings, servable, first_spec(tasks).name, None, feeds, sorted(fetches)),
    )


def _check_task(task: Task, model_name: str, evaluated: set[str]) -> str:
    if not task.spec.name:
        raise invalid_argument("Found ModelSpec with an empty model name.")
    if task.spec.name != model_name:
        raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    signature_name = task.spec.signature_name or DEFAULT_SIGNATURE_NAME
    if signature_name in evaluated:
        raise invalid_argument(f"Duplicate evaluation of signature: {signature_name}")
    return signature_name
