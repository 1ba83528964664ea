"""The same question over both protocols has one answer [0.5]."""

from __future__ import annotations

import pytest

from harness.models import BUILDERS
from harness.player import Player
from harness.terms import Protocol
from harness.verdict import Mismatch, difference
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
    ("fan", "shared"),
    ("defaults", "serving_default"),
    ("defaults", "strict"),
    ("named", "triple"),
    ("forms", "positive"),
    *(("examples", name) for name in ("predict", "serving_default", "regress", "required")),
    *(("echo", name) for name in ("float", "double", "int8", "int64", "uint32", "uint64", "bool", "string")),
)


@pytest.mark.fact("0.5", "META-04")
@pytest.mark.parametrize(("model", "signature"), BOTH, ids=[f"{model}-{name}" for model, name in BOTH])
def test_same_values(player: Player, model: str, signature: str) -> None:
    """REST and gRPC give equal values for equal inputs, and both are right."""
    configured = player.scenario.configured()[model]
    builder, contents = BUILDERS[configured.builder], configured.contents(max(configured.versions))
    for k in range(3):
        inputs = builder.signature(signature).sample(k)
        for protocol in Protocol:
            came = player.client(protocol).predict(model, inputs, signature=signature)
            wrong = difference(builder, signature, contents, inputs, came)
            if wrong:
                raise Mismatch(f"the outputs of {configured.builder} {contents}", f"{protocol}: {wrong}")
