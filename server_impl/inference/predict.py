"""Predict: named tensors in, named tensors out [6.4]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from server_impl.errors import Code, ServingError, failed_precondition, invalid_argument
from server_impl.inference.model_spec import DEFAULT_SIGNATURE_NAME
from server_impl.inference.run import Run, Settings

if TYPE_CHECKING:
    from server_impl.servable.servable import Servable, Signature
    from server_impl.tensor import Tensor

METHOD_NAMES = ("tensorflow/serving/predict", "tensorflow/serving/classify", "tensorflow/serving/regress")


class PredictCall(Struct, frozen=True):
    """A Predict request that passed every check before its run."""

    signature_name: str
    aliases: Sequence[str]
    prepared: Run

    def result(self, outputs: list[Tensor]) -> dict[str, Tensor]:
        """The outputs by alias."""
        # There is an output for each alias; to have that checked would take longer than all the rest.
        return dict(zip(self.aliases, outputs))  # noqa: B905

    def run(self, timeout_ms: int | None = None) -> dict[str, Tensor]:
        """Run, and give the result. Raises ServingError."""
        return self.result(self.prepared.outputs(timeout_ms))


def prepare(
    settings: Settings,
    servable: Servable,
    signature_name: str,
    inputs: Mapping[str, Tensor | None],
    output_filter: Sequence[str] = (),
    *,
    model_name: str | None = None,
) -> PredictCall:
    """Check a request in TensorFlow Serving's order [6.4.1] and bind it to a signature.

    An input that is ``None`` was sent but is no valid tensor [6.4.7]: that is reported in its turn. An
    empty ``signature_name`` means the default, an empty ``output_filter`` all outputs. Neither dtypes nor
    shapes are compared with the signature [6.4.10]. ``model_name`` is the name that the request gave,
    where that can differ from the servable's (warm-up).

    Raises FAILED_PRECONDITION for an unknown signature, INTERNAL for a refused method name,
    INVALID_ARGUMENT otherwise.
    """
    signature_name = signature_name or DEFAULT_SIGNATURE_NAME
    signature = servable.signatures.get(signature_name)
    if signature is None:
        raise failed_precondition(f'Serving signature key "{signature_name}" not found.')
    if settings.check_method_names and signature.method_name not in METHOD_NAMES:
        raise ServingError(
            Code.INTERNAL,
            f"Expected prediction signature method_name to be one of {{{', '.join(METHOD_NAMES)}}}. "
            f"Was: {signature.method_name}",
        )
    if len(inputs) != len(signature.inputs):
        _check_count(signature, inputs)
    feeds = _feeds(signature, inputs)
    aliases, fetches = signature.aliases, signature.fetches
    if output_filter:
        _check_filter(signature, output_filter)
        aliases = tuple(output_filter)
        fetches = tuple([signature.outputs[alias].name for alias in aliases])
    name = servable.name if model_name is None else model_name
    return PredictCall(signature_name, aliases, Run(settings, servable, name, "Predict", feeds, fetches))


def _check_count(signature: Signature, inputs: Mapping[str, Tensor | None]) -> None:
    expected = signature.inputs
    if len(inputs) < len(expected) and signature.defaults:
        return
    raise invalid_argument(
        f"input size does not match signature: {len(inputs)}!={len(expected)} "
        f"len({{{_joined(inputs)}}}) != len({{{_joined(expected)}}}). "
        f"Sent extra: {{{_joined(inputs.keys() - expected.keys())}}}. "
        f"Missing but required: {{{_joined(expected.keys() - inputs.keys())}}}."
    )


def _feeds(signature: Signature, inputs: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    feeds = {}
    defaulted = 0
    for alias, spec in signature.inputs.items():
        if alias in inputs:
            tensor = inputs[alias]
        elif alias in signature.defaults:
            tensor = signature.defaults[alias]
            defaulted += 1
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {spec.name}) not found in request and no default "
                f"value provided. Inputs expected to be in the request {{{_joined(inputs)}}}, or default "
                f"input alias set: {_joined(signature.defaults)}"
            )
        if tensor is None:
            raise invalid_argument(f"tensor parsing error: {alias}")
        feeds[spec.name] = tensor
    if len(signature.inputs) - defaulted != len(inputs):
        used = inputs.keys() & signature.inputs.keys()
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_joined(used)}, "
            f"request input: {_joined(inputs)}"
        )
    return feeds


def _check_filter(signature: Signature, output_filter: Sequence[str]) -> None:
    seen = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{_joined(signature.outputs)}}}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.add(alias)


def _joined(names: Iterable[str]) -> str:
    # Sorted as std::string sorts: by UTF-8 bytes, which is code point order.
    return ",".join(sorted(names))
