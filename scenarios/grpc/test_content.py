"""Outputs as the bytes of the tensor, where the server's flag asks for it [6.4.9]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.cases import Answer, AnyOf, GrpcCase, RestCase, ok, post
from harness.client.grpc import model_spec
from harness.terms import Array, Level
from harness.wire import messages as wire
from harness.wire import tensors
from scenarios.grpc.scenario import CONTENT, floats, predict

pytestmark = pytest.mark.scenario(CONTENT)

VALUES: dict[str, tuple[str, Array]] = {
    "float": ("float", floats(1.5, -2)),
    "int64": ("int64", np.array([5, -7], np.int64)),
    "bool": ("bool", np.array([True, False])),
    "half": ("half", np.array([0.1], np.float16)),
    "complex": ("complex64", np.array([1 + 2j], np.complex64)),
    "scalar": ("float", np.array(2, np.float32)),
    "matrix": ("double", np.array([[1, 2], [3, 4]], np.float64)),
    "no-rows": ("float", np.zeros((0, 2), np.float32)),
}


def answer(signature: str, output: wire.TensorProto) -> Answer:
    """A reply with one output, as it is."""
    reply = wire.PredictResponse(model_spec=model_spec("echo", 1, signature=signature))
    reply.outputs["y"].CopyFrom(output)
    return Answer(reply)


CASES = (
    *(
        GrpcCase(
            name,
            "With the flag, outputs are the bytes of the tensor instead of typed values.",
            predict("echo", {"x": array}, signature=signature),
            answer(signature, tensors.to_proto(array, content=True)),
            facts=("6.4.9", "GRP-14"),
        )
        for name, (signature, array) in VALUES.items()
    ),
    GrpcCase(
        "strings",
        "The bytes of strings are the lengths of all, then the strings.",
        predict("echo", {"x": np.array([b"abc", b"", b"\xff"], object)}, signature="string"),
        answer(
            "string",
            wire.TensorProto(
                dtype=wire.DT_STRING,
                tensor_shape=wire.TensorShapeProto(dim=[wire.TensorShapeProto.Dim(size=3)]),
                tensor_content=b"\x03\x00\x01abc\xff",
            ),
        ),
        facts=("6.4.9", "GRP-14"),
        level=Level.QUIRK,
    ),
    RestCase(
        "over-rest",
        "Over REST the flag has no business: the values are right, or zero where the server looks for them "
        "in the typed fields.",
        post("/v1/models/echo:predict", '{"instances": [1.5, -2.0]}'),
        AnyOf(
            ok('{\n    "predictions": [1.5, -2.0\n    ]\n}'), ok('{\n    "predictions": [0.0, 0.0\n    ]\n}')
        ),
        facts=("6.4.9", "X-52"),
        level=Level.QUIRK,
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
