"""The servers that the checks of gRPC need, and the words they are written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.cases import Answer, Call, Refused, Text
from harness.client.grpc import PREDICT, model_spec, predict_request
from harness.scenario import Scenario, Step
from harness.terms import All, Array, Code, Model, Tensors
from harness.wire import messages as wire
from harness.wire import tensors

START = (Step("start", "Every configured model is served."),)

#: ``y = x / 2 + 2 * version`` in three versions; the answer tells which one gave it.
M = Model(
    "m",
    "half_plus_two",
    versions=(1, 2, 3),
    policy=All(),
    labels={"stable": 1, "canary": 3, "has space": 2, "été": 2, "7": 1, "gone": 77},
)

SCENARIO = Scenario(
    id="grpc",
    title="Predict over gRPC",
    models=(
        M,
        Model("two", "two_in_two_out"),  # a = 2 a + 1 (float), b = 1000 - b (int64)
        Model("echo", "echo"),
        Model("forms", "forms"),
        Model("named", "named"),
        Model("defaults", "defaults"),  # s = a + b + c + 1, b and c may be left out
        Model("matmul", "matmul"),
        Model("fan", "fan_out"),  # y<i> = x + i + 100
        Model("examples", "examples"),
        Model("slow", "slow"),
        Model("strings", "strings"),
        Model("grid", "grid"),
    ),
    # Labels are in force from the start; else only a reload could give them.
    flags={"allow_version_labels_for_unavailable_models": True},
    steps=START,
)

CONTENT = Scenario(
    id="grpc_content",
    title="Outputs as the bytes of the tensor",
    models=(Model("echo", "echo"),),
    flags={"enable_serialization_as_tensor_content": True},
    steps=START,
)

HEALTH = Scenario(
    id="grpc_health",
    title="The health service",
    models=(Model("m", "half_plus_two"),),
    flags={"enable_grpc_healthcheck_service": True},
    steps=START,
)

THREADS = Scenario(
    id="grpc_threads",
    title="Few threads for calls",
    models=(Model("slow", "slow"),),
    flags={"grpc_max_threads": 4},
    steps=START,
)


def floats(*values: float) -> Array:
    """A vector of floats."""
    return np.array(values, np.float32)


def predict(
    model: str,
    inputs: Tensors,
    *,
    version: int | None = None,
    label: str | None = None,
    signature: str | None = None,
    output_filter: Sequence[str] = (),
    timeout: float | None = None,
) -> Call:
    """A call of Predict."""
    request = predict_request(model, inputs, version=version, label=label, signature=signature)
    request.output_filter.extend(output_filter)
    return Call(PREDICT, request, timeout=timeout)


def call(request: wire.PredictRequest) -> Call:
    """A call of Predict with just this request."""
    return Call(PREDICT, request)


def answer(model: str, outputs: Tensors, *, version: int = 1, signature: str = "serving_default") -> Answer:
    """All of the reply: outputs in typed fields, and the model, version and signature that gave them."""
    reply = wire.PredictResponse(model_spec=model_spec(model, version, signature=signature))
    for alias, array in outputs.items():
        reply.outputs[alias].CopyFrom(tensors.to_proto(array, content=False))
    return Answer(reply)


def invalid(text: Text | None) -> Refused:
    """A refusal with INVALID_ARGUMENT."""
    return Refused(Code.INVALID_ARGUMENT, text)


def tensor(dtype: int, shape: Sequence[int] | None, **fields: Any) -> wire.TensorProto:
    """A TensorProto with these fields; a shape of None leaves the shape out."""
    proto = wire.TensorProto(dtype=dtype, **fields)  # type: ignore[arg-type]
    if shape is not None:
        proto.tensor_shape.SetInParent()
        for size in shape:
            proto.tensor_shape.dim.add(size=size)
    return proto


def with_input(
    model: str,
    proto: wire.TensorProto,
    *,
    alias: str = "x",
    signature: str | None = None,
    output_filter: Sequence[str] = (),
) -> Call:
    """A call of Predict with one input, as it is."""
    request = wire.PredictRequest(
        model_spec=model_spec(model, signature=signature), output_filter=output_filter
    )
    request.inputs[alias].CopyFrom(proto)
    return Call(PREDICT, request)
