"""Classify: examples in, labels and scores out [6.5]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.wire import messages as wire
from server_impl.errors import invalid_argument
from server_impl.inference.examples import ExampleInput, debug_string, dtype_name, shape_text
from server_impl.inference.model_spec import DEFAULT_SIGNATURE_NAME
from server_impl.inference.run import Run, Settings

if TYPE_CHECKING:
    from server_impl.servable.servable import Servable, Signature
    from server_impl.tensor import Tensor

METHOD_NAME = "tensorflow/serving/classify"


class Classifications(NamedTuple):
    """One row per example, one column per class.

    ``labels`` (objects, ``bytes``) or ``scores`` (float32), both of shape ``[rows, classes]``, is None if
    the signature has no such output; not both.
    """

    rows: int
    labels: np.ndarray[Any, Any] | None
    scores: np.ndarray[Any, Any] | None


class ClassifyCall(NamedTuple):
    """A Classify request that passed every check before its run."""

    signature_name: str
    signature: Signature
    rows: int
    prepared: Run

    def result(self, outputs: list[Tensor]) -> Classifications:
        """The labels and scores, checked [6.5.5]."""
        by_name = dict(zip(self.prepared.fetches, outputs, strict=True))
        return classifications(self.signature, self.rows, by_name)

    def run(self, timeout_ms: int | None = None) -> Classifications:
        """Run, and give the result. Raises ServingError."""
        return self.result(self.prepared.outputs(timeout_ms))


def prepare(
    settings: Settings,
    servable: Servable,
    signature_name: str,
    input_: ExampleInput,
    *,
    model_name: str | None = None,
) -> ClassifyCall:
    """Check a request in TensorFlow Serving's order [6.5.1] and bind it to a signature.

    Parameters as for :func:`server_impl.inference.predict.prepare`. All errors are INVALID_ARGUMENT.
    """
    signature_name = signature_name or DEFAULT_SIGNATURE_NAME
    signature = servable.signatures.get(signature_name)
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {signature_name}")
    check_signature(settings, signature)
    examples = input_.tensor()
    name = servable.name if model_name is None else model_name
    feeds = {signature.inputs["inputs"].name: examples}
    return ClassifyCall(
        signature_name,
        signature,
        len(examples.array),
        Run(settings, servable, name, "Classify", feeds, fetches(signature)),
    )


def check_signature(settings: Settings, signature: Signature) -> None:
    """Whether a signature can classify: one input, ``classes`` or ``scores`` or both [6.5.2, 6.5.3]."""
    if settings.check_method_names and signature.method_name != METHOD_NAME:
        raise invalid_argument(
            f"Expected classification signature method_name to be {METHOD_NAME}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        raise invalid_argument(
            f"No classification inputs found in SignatureDef: {debug_string(signature.definition)}"
        )
    if not fetches(signature):
        raise invalid_argument(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {debug_string(signature.definition)}"
        )


def fetches(signature: Signature) -> list[str]:
    """The tensors to fetch: classes, then scores, as far as the signature has them."""
    outputs = signature.outputs
    return [outputs[alias].name for alias in ("classes", "scores") if alias in outputs]


def classifications(signature: Signature, rows: int, outputs: Mapping[str, Tensor]) -> Classifications:
    """Check the fetched tensors, given by tensor name, and take them apart [6.5.5].

    Raises INVALID_ARGUMENT for a wrong rank, dtype or number of rows, classes before scores.
    """
    names = {alias: spec.name for alias, spec in signature.outputs.items()}
    labels = outputs[names["classes"]] if "classes" in names else None
    # A tensor that is declared as both is taken for the classes alone.
    has_scores = "scores" in names and names["scores"] != names.get("classes")
    scores = outputs[names["scores"]] if has_scores else None
    if labels is not None:
        _check("classes", labels, wire.DT_STRING, rows)
    if scores is not None:
        _check("scores", scores, wire.DT_FLOAT, rows)
    if labels is not None and scores is not None and labels.array.shape[1] != scores.array.shape[1]:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {labels.array.shape[1]} vs. {scores.array.shape[1]}"
        )
    return Classifications(
        rows, None if labels is None else labels.array, None if scores is None else scores.array
    )


def _check(alias: str, tensor: Tensor, dtype: int, rows: int) -> None:
    shape = tensor.array.shape
    if len(shape) != 2:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {shape_text(shape)}")
    if tensor.dtype != dtype:
        raise invalid_argument(
            f"Expected {alias} Tensor of {dtype_name(dtype)}. Got: {dtype_name(tensor.dtype)}"
        )
    if shape[0] != rows:
        raise invalid_argument(f"Expected {alias} output batch size of {rows}. Got: {shape[0]}")
