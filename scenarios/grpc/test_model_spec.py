"""Which model, version and signature a request means [6.3, 6.4.2, 6.4.12]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import Call, GrpcCase, Refused
from harness.client.grpc import (
    CLASSIFY,
    GET_MODEL_METADATA,
    MULTI_INFERENCE,
    PREDICT,
    REGRESS,
    model_spec,
    predict_request,
)
from harness.terms import Code, Level, Tensors
from harness.wire import messages as wire
from scenarios.grpc.scenario import SCENARIO, answer, call, floats, invalid, predict

pytestmark = pytest.mark.scenario(SCENARIO)

X = {"x": floats(1, 2, 5)}


def y(contents: int) -> Tensors:
    """What ``contents`` of half_plus_two answers."""
    return {"y": floats(*(value / 2 + 2 * contents for value in (1, 2, 5)))}


#: An empty request of each method that a model is named in, and one with an empty ModelSpec.
EMPTY = {
    "predict": (PREDICT, wire.PredictRequest(), wire.PredictRequest(model_spec=wire.ModelSpec())),
    "classify": (
        CLASSIFY,
        wire.ClassificationRequest(),
        wire.ClassificationRequest(model_spec=wire.ModelSpec()),
    ),
    "regress": (REGRESS, wire.RegressionRequest(), wire.RegressionRequest(model_spec=wire.ModelSpec())),
    "metadata": (
        GET_MODEL_METADATA,
        wire.GetModelMetadataRequest(metadata_field=["signature_def"]),
        wire.GetModelMetadataRequest(metadata_field=["signature_def"], model_spec=wire.ModelSpec()),
    ),
}

#: Requests that ask for something that is not served, each with what the text names.
MISSING = {
    "model": (predict("nobody", X), "Latest(nobody)"),
    "name-in-another-case": (predict("M", X), "Latest(M)"),
    "name-with-a-blank": (predict("m ", X), "Latest(m )"),
    "version": (predict("m", X, version=9), "Specific(m, 9)"),
    "version-of-missing-model": (predict("nobody", X, version=9), "Specific(nobody, 9)"),
    "negative-version": (predict("m", X, version=-1), "Specific(m, -1)"),
    "largest-version": (predict("m", X, version=2**63 - 1), f"Specific(m, {2**63 - 1})"),
    "label-of-missing-version": (predict("m", X, label="gone"), "Specific(m, 77)"),
}


def twice(first: wire.ModelSpec, second: wire.ModelSpec) -> Call:
    """A request in whose bytes both specs stand, one after the other: parsers merge them."""
    request = predict_request("", X)
    request.ClearField("model_spec")
    both = first.SerializeToString() + second.SerializeToString()
    size = len(both)
    assert size < 128, "one byte tells the length"
    return Call(PREDICT, b"\x0a" + bytes([size]) + both + request.SerializeToString())


CASES = (
    *(
        GrpcCase(
            f"none/{name}",
            "A request without a ModelSpec is refused.",
            Call(method, bare),
            invalid("Missing ModelSpec"),
            facts=("6.3", "GRP-01"),
        )
        for name, (method, bare, _) in EMPTY.items()
    ),
    *(
        GrpcCase(
            f"no-name/{name}",
            "A ModelSpec must name a model.",
            Call(method, unnamed),
            invalid("ModelSpec has no name specified."),
            facts=("6.3", "GRP-01"),
        )
        for name, (method, _, unnamed) in EMPTY.items()
    ),
    GrpcCase(
        "none/multi-inference",
        "A request without tasks names no model.",
        Call(MULTI_INFERENCE, wire.MultiInferenceRequest()),
        invalid("ModelSpec has no name specified."),
        facts=("6.6.1", "GRP-21"),
    ),
    *(
        GrpcCase(
            f"missing/{name}",
            "A model or version that is not served is not found, and named.",
            request,
            Refused(Code.NOT_FOUND, f"Servable not found for request: {wanted}"),
            facts=("6.3", "GRP-02"),
        )
        for name, (request, wanted) in MISSING.items()
    ),
    *(
        GrpcCase(
            f"unknown-label/{name}",
            "A label must be one of the model's; that is looked at before the model.",
            predict(model, X, label=label),
            invalid(f"Unrecognized servable version label: {label}"),
            facts=("6.3", "2.6.5"),
        )
        for name, model, label in (
            ("word", "m", "none"),
            ("of-missing-model", "nobody", "stable"),
            ("of-another-model", "two", "stable"),
        )
    ),
    GrpcCase(
        "latest",
        "Without a version the highest one answers; the reply names the version and the signature.",
        predict("m", X),
        answer("m", y(3), version=3),
        facts=("6.3.2", "6.4.12", "6.10.2", "GRP-03"),
    ),
    *(
        GrpcCase(
            f"version/{version}",
            "A version can be asked for.",
            predict("m", X, version=version),
            answer("m", y(version), version=version),
            facts=("6.3", "6.4.12", "GRP-03"),
        )
        for version in (1, 2, 3)
    ),
    *(
        GrpcCase(
            f"label/{label}",
            "A label stands for its version; the reply names the version, not the label.",
            predict("m", X, label=label),
            answer("m", y(version), version=version),
            facts=("6.3", "6.4.12", "GRP-03"),
        )
        for label, version in (("stable", 1), ("canary", 3), ("has space", 2), ("été", 2), ("7", 1))
    ),
    GrpcCase(
        "empty-version",
        "A version message without a number asks for version 0.",
        call(
            wire.PredictRequest(
                model_spec=wire.ModelSpec(name="m", version=wire.ModelSpec().version),
                inputs=predict_request("", X).inputs,
            )
        ),
        Refused(Code.NOT_FOUND, "Servable not found for request: Specific(m, 0)"),
        facts=("6.3.1", "X-50"),
        level=Level.QUIRK,
    ),
    GrpcCase(
        "version-then-label",
        "Of version and label the one that comes last on the wire counts.",
        twice(model_spec("m", version=1), model_spec("m", label="canary")),
        answer("m", y(3), version=3),
        facts=("6.3.1", "X-49"),
        level=Level.QUIRK,
    ),
    GrpcCase(
        "label-then-version",
        "Of version and label the one that comes last on the wire counts.",
        twice(model_spec("m", label="canary"), model_spec("m", version=1)),
        answer("m", y(1), version=1),
        facts=("6.3.1", "X-49"),
        level=Level.QUIRK,
    ),
    GrpcCase(
        "signature/default",
        "The empty signature name means serving_default, and the reply says so.",
        predict("m", X, signature=""),
        answer("m", y(3), version=3),
        facts=("6.4.12", "GRP-03"),
    ),
    GrpcCase(
        "signature/named",
        "A signature is chosen by its name, which the reply repeats.",
        predict("named", {"x": floats(2)}, signature="triple"),
        answer("named", {"y": floats(7)}, signature="triple"),
        facts=("6.4.12", "GRP-03"),
    ),
    *(
        GrpcCase(
            f"signature/unknown/{name}",
            "A signature that the model does not have fails the precondition.",
            predict(model, X, signature=signature),
            Refused(
                Code.FAILED_PRECONDITION,
                f'Serving signature key "{signature or "serving_default"}" not found.',
            ),
            facts=("6.4.2", "GRP-04"),
        )
        for name, model, signature in (
            ("word", "m", "none"),
            ("other-case", "m", "Serving_Default"),
            ("no-default", "named", ""),
        )
    ),
    GrpcCase(
        "model-before-signature",
        "The model is looked for before the signature.",
        predict("m", X, version=9, signature="none"),
        Refused(Code.NOT_FOUND, "Servable not found for request: Specific(m, 9)"),
        facts=("6.4.1", "X-51"),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "long-text",
        "The text of an error is cut to 1024 bytes and marked.",
        predict("m", X, signature="s" * 2000),
        Refused(
            Code.FAILED_PRECONDITION,
            ('Serving signature key "' + "s" * 2000)[:1024] + "...TRUNCATED",
        ),
        facts=("6.2.1", "GRP-18"),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "unknown-fields",
        "Fields that are accepted and ignored, or not known at all, do no harm.",
        # predict_streamed_options (5), client_id (6), request_options (7); nobody knows 1000.
        Call(PREDICT, predict("m", X).encode() + b"\x2a\x00\x32\x02id\x3a\x00\xc2\x3e\x03abc"),
        answer("m", y(3), version=3),
        facts=("6.1.4",),
        level=Level.SHOULD,
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
