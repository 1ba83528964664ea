"""GetModelMetadata over gRPC, and that both protocols tell the same [6.7]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from harness.cases import Answer, Call, GrpcCase, Refused
from harness.client.grpc import GET_MODEL_METADATA, model_spec
from harness.models import BUILDERS
from harness.player import Player
from harness.terms import Code, Level, Protocol, TensorSpec
from harness.verdict import Mismatch
from harness.wire import messages as wire
from harness.wire import tensors
from scenarios.metadata.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)

FIELD = ("signature_def",)


def ask(
    model: str | None,
    fields: Sequence[str] = FIELD,
    *,
    version: int | None = None,
    label: str | None = None,
    signature: str = "",
) -> Call:
    """A call of GetModelMetadata; a model of None leaves the ModelSpec out."""
    request = wire.GetModelMetadataRequest(metadata_field=fields)
    if model is not None:
        request.model_spec.CopyFrom(model_spec(model, version, label, signature))
    return Call(GET_MODEL_METADATA, request)


def invalid(text: str) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, text)


def info(spec: TensorSpec) -> wire.TensorInfo:
    """A tensor as metadata describe it, but for its name in the graph."""
    shape = wire.TensorShapeProto(unknown_rank=spec.shape is None)
    for size in spec.shape or ():
        shape.dim.add(size=size)
    return wire.TensorInfo(dtype=spec.dtype, tensor_shape=shape)  # type: ignore[arg-type]


def described(builder: str) -> wire.SignatureDefMap:
    """The signatures of a builder's models, as far as metadata must agree with them."""
    made = wire.SignatureDefMap()
    for name, signature in BUILDERS[builder].signatures.items():
        definition = made.signature_def[name]
        for alias, spec in signature.inputs.items():
            definition.inputs[alias].CopyFrom(info(spec))
        for alias, spec in signature.outputs.items():
            definition.outputs[alias].CopyFrom(info(spec))
    return made


def answer(model: str, version: int, signatures: wire.SignatureDefMap) -> Answer:
    """A reply for ``model``: the signatures are packed, and the spec has no signature name."""
    reply = wire.GetModelMetadataResponse(model_spec=model_spec(model, version))
    reply.metadata["signature_def"].Pack(signatures)
    return Answer(reply, whole=False)


CHECKS = (
    *(
        GrpcCase(
            f"order/{name}",
            "The request needs a ModelSpec, then a field, and signature_def is the only one there is; only "
            "then is the model looked for.",
            request,
            invalid(text),
            facts=("6.7.1", "META-01"),
        )
        for name, request, text in (
            ("nothing", ask(None, ()), "Missing ModelSpec"),
            ("no-spec", ask(None), "Missing ModelSpec"),
            (
                "no-field",
                ask("nobody", ()),
                "GetModelMetadataRequest must specify at least one metadata_field",
            ),
            (
                "no-name-no-field",
                ask("", ()),
                "GetModelMetadataRequest must specify at least one metadata_field",
            ),
            ("unknown-field", ask("nobody", ("none",)), "Metadata field none is not supported"),
            (
                "second-field-unknown",
                ask("m", ("signature_def", "none")),
                "Metadata field none is not supported",
            ),
            ("empty-field", ask("m", ("",)), "Metadata field  is not supported"),
            ("no-name", ask(""), "ModelSpec has no name specified."),
        )
    ),
    *(
        GrpcCase(
            f"missing/{name}",
            "Metadata come from the versions that answer requests; another is not found.",
            request,
            Refused(Code.NOT_FOUND, f"Servable not found for request: {text}"),
            facts=("6.7.1", "META-03"),
        )
        for name, request, text in (
            ("model", ask("nobody"), "Latest(nobody)"),
            ("version", ask("m", version=9), "Specific(m, 9)"),
            ("label-of-missing-version", ask("m", label="gone"), "Specific(m, 77)"),
        )
    ),
    GrpcCase(
        "missing/label",
        "A label must be one of the model's.",
        ask("m", label="none"),
        invalid("Unrecognized servable version label: none"),
        facts=("6.7.1", "2.6.5", "META-03"),
    ),
    *(
        GrpcCase(
            f"from/{name}",
            "Metadata can be asked of a version or a label; the reply names the version and no signature.",
            request,
            answer("m", version, described("half_plus_two")),
            facts=("6.7.1", "6.7.2", "META-03"),
        )
        for name, request, version in (
            ("latest", ask("m"), 3),
            ("version", ask("m", version=2), 2),
            ("label", ask("m", label="stable"), 1),
        )
    ),
    *(
        GrpcCase(
            f"ignored/{name}",
            "A field asked twice, or a signature name, does not matter.",
            request,
            answer("m", 3, described("half_plus_two")),
            facts=("6.7.1", "6.7.2"),
            level=Level.SHOULD,
        )
        for name, request in (
            ("field-twice", ask("m", FIELD * 2)),
            ("signature", ask("m", signature="none")),
        )
    ),
)

SIGNATURES = (
    *(
        GrpcCase(
            f"signatures/{model.name}",
            "Every signature is described by its inputs and outputs: dtype and shape, unknown sizes and "
            "unknown rank included.",
            ask(model.name),
            answer(model.name, max(model.versions), described(model.builder)),
            facts=("6.7.2", "META-02"),
        )
        for model in SCENARIO.models
    ),
    GrpcCase(
        "method-names",
        "A signature tells its method.",
        ask("examples"),
        answer(
            "examples",
            1,
            wire.SignatureDefMap(
                signature_def={
                    name: wire.SignatureDef(method_name=f"tensorflow/serving/{method}")
                    for name, method in (
                        ("scores", "classify"),
                        ("regress", "regress"),
                        ("predict", "predict"),
                    )
                }
            ),
        ),
        facts=("6.7.2", "META-02"),
    ),
    GrpcCase(
        "defaults",
        "A signature tells the values of inputs that need not be given.",
        ask("defaults"),
        answer(
            "defaults",
            1,
            wire.SignatureDefMap(
                signature_def={
                    "serving_default": wire.SignatureDef(
                        defaults={
                            alias: tensors.to_proto(np.array(value, np.float32), content=False)
                            for alias, value in (("b", 100.0), ("c", 1000.0))
                        }
                    )
                }
            ),
        ),
        facts=("6.7.2", "6.4.6"),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "initialiser",
        "The initialiser of a TensorFlow 2 model stands among the signatures.",
        ask("m"),
        answer(
            "m",
            3,
            wire.SignatureDefMap(
                signature_def={
                    "__saved_model_init_op": wire.SignatureDef(
                        outputs={"__saved_model_init_op": wire.TensorInfo(name="NoOp")}
                    )
                }
            ),
        ),
        facts=("6.7.2", "4.7.6", "SMD-05"),
        level=Level.QUIRK,
    ),
)


@pytest.mark.cases((*CHECKS, *SIGNATURES))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()


@pytest.mark.fact("0.5", "6.7.2", "4.7.4", "META-02")
@pytest.mark.parametrize("model", [model.name for model in SCENARIO.models])
def test_same_over_both(player: Player, model: str) -> None:
    """REST and gRPC describe a model in the same way."""
    rest, grpc = (player.client(protocol).metadata(model) for protocol in Protocol)
    if rest != grpc:
        raise Mismatch(f"gRPC: {grpc}", f"REST: {rest}")
