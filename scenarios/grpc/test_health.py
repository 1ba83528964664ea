"""The health service, which knows of the server but not of its models [6.10.5]."""

from __future__ import annotations

import pytest

from harness.client import GrpcClient, Refusal
from harness.player import Player
from harness.terms import Code, Level, Protocol
from harness.verdict import Mismatch
from scenarios.grpc.scenario import HEALTH

pytestmark = pytest.mark.scenario(HEALTH)

CHECK = "/grpc.health.v1.Health/Check"
#: A HealthCheckResponse that says SERVING.
SERVING = b"\x08\x01"


def check(player: Player, service: str) -> bytes | Refusal:
    """What the health service says of ``service``."""
    client = player.client(Protocol.GRPC)
    assert isinstance(client, GrpcClient)
    name = service.encode()
    try:
        return client.exchange(CHECK, b"\x0a" + bytes([len(name)]) + name if name else b"")
    except Refusal as refusal:
        return refusal


@pytest.mark.fact("6.10.5", "GRP-24", protocol=Protocol.GRPC)
@pytest.mark.parametrize(
    "service", ["", "ModelService", "PredictionService"], ids=lambda name: name or "server"
)
def test_serving(player: Player, service: str) -> None:
    """With the flag, the server and its two services are known by their short names, and serve."""
    came = check(player, service)
    if came != SERVING:
        raise Mismatch("SERVING", str(came))


@pytest.mark.fact("6.10.5", "GRP-24", level=Level.SHOULD, protocol=Protocol.GRPC)
@pytest.mark.parametrize(
    "service",
    ["tensorflow.serving.PredictionService", "tensorflow.serving.ModelService", "m", "nobody"],
)
def test_unknown(player: Player, service: str) -> None:
    """Any other name is not found: neither the full names of the services nor models are known."""
    came = check(player, service)
    if not (isinstance(came, Refusal) and came.code is Code.NOT_FOUND):
        raise Mismatch("NOT_FOUND", str(came))
