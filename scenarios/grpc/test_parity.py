"""The same question over both protocols has one answer [0.5]."""

from __future__ import annotations

import numpy as np
import pytest

from harness.models import BUILDERS
from harness.player import Player
from harness.scenario import Array, Protocol
from harness.verdict import Mismatch
from scenarios.grpc.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)

#: Models and signatures whose values JSON can carry.
BOTH = (
    ("m", "serving_default"),
    ("two", "serving_default"),
    ("strings", "serving_default"),
    ("grid", "serving_default"),
    ("grid", "turned"),
    ("matmul", "serving_default"),
    ("fan", "serving_default"),
    ("defaults", "serving_default"),
    ("named", "triple"),
    ("forms", "positive"),
    ("examples", "predict"),
    *(("echo", name) for name in ("float", "double", "int8", "int64", "uint32", "uint64", "bool", "string")),
)


@pytest.mark.fact("0.5", "META-04")
@pytest.mark.parametrize(("model", "signature"), BOTH, ids=[f"{model}-{name}" for model, name in BOTH])
def test_same_values(player: Player, model: str, signature: str) -> None:
    """REST and gRPC give equal values for equal inputs, and both are right."""
    configured = player.scenario.configured()[model]
    described = BUILDERS[configured.builder].signatures[signature]
    for k in range(3):
        inputs = described.sample(k)
        expected = described.expected(configured.contents(max(configured.versions)), inputs)
        for protocol in Protocol:
            came = player.client(protocol).predict(model, inputs, signature=signature).outputs
            if came.keys() != expected.keys() or not all(_same(came[key], expected[key]) for key in expected):
                raise Mismatch(f"{expected}", f"{protocol}: {came}")


def _same(came: Array, expected: Array) -> bool:
    if expected.dtype == object:
        return came.tolist() == expected.tolist()
    return came.shape == expected.shape and np.allclose(
        came.astype(np.float64), expected.astype(np.float64), 1e-6
    )
