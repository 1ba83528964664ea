"""Regress: examples in, one number per example out [6.5]."""

from __future__ import annotations

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

METHOD_NAME = "tensorflow/serving/regress"


class RegressCall(NamedTuple):
    """A Regress request that passed every check before its run."""

    signature_name: str
    rows: int
    prepared: Run

    def result(self, outputs: list[Tensor]) -> np.ndarray[Any, Any]:
        """A float32 vector, one value per example, checked [6.5.5]."""
        (output,) = outputs
        return regressions(self.rows, output)

    def run(self, timeout_ms: int | None = None) -> np.ndarray[Any, Any]:
        """Run, and give the result. Raises ServingError."""
        return self.result(self.prepared.outputs(timeout_ms))


def prepare(
    settings: Settings,
    servable: Servable,
    signature_name: str,
    input_: ExampleInput,
    *,
    model_name: str | None = None,
) -> RegressCall:
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
    return RegressCall(
        signature_name,
        len(examples.array),
        Run(settings, servable, name, "Regress", feeds, fetches(signature)),
    )


def check_signature(settings: Settings, signature: Signature) -> None:
    """Whether a signature can regress: one input ``inputs`` and one output ``outputs`` [6.5.2, 6.5.3]."""
    if settings.check_method_names and signature.method_name != METHOD_NAME:
        raise invalid_argument(
            f"Expected regression signature method_name to be {METHOD_NAME}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    for kind, aliases in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        if kind not in aliases:
            raise invalid_argument(
                f"No regression {kind} found in SignatureDef: {debug_string(signature.definition)}"
            )


def fetches(signature: Signature) -> list[str]:
    """The tensor to fetch."""
    return [signature.outputs["outputs"].name]


def regressions(rows: int, output: Tensor) -> np.ndarray[Any, Any]:
    """Check the fetched tensor and flatten it [6.5.5].

    Raises INVALID_ARGUMENT for a wrong shape, number of rows or dtype, in this order.
    """
    shape = output.array.shape
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {shape_text(shape)}"
        )
    if shape[0] != rows:
        raise invalid_argument(f"Input batch size did not match output batch size: {rows} vs. {shape[0]}")
    if output.dtype != wire.DT_FLOAT:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {dtype_name(output.dtype)}")
    return output.array.reshape(-1)
