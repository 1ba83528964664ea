"""More calls at once than there are threads for them [6.10.4]."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.client import GrpcClient, Refusal
from harness.player import Player
from harness.terms import Code, Level, Protocol
from harness.verdict import Mismatch
from scenarios.grpc.scenario import THREADS, floats

pytestmark = pytest.mark.scenario(THREADS)


@pytest.mark.fact("6.10.4", "X-54", level=Level.QUIRK, protocol=Protocol.GRPC)
def test_more_calls_than_threads(player: Player) -> None:
    """Calls beyond grpc_max_threads are refused for want of resources, or wait: none fails otherwise.

    Afterwards the server answers as before.
    """
    client = player.client(Protocol.GRPC)
    assert isinstance(client, GrpcClient)

    def ask(ms: float) -> Code:
        try:
            client.predict("slow", {"ms": floats(ms)})
        except Refusal as refusal:
            return refusal.code or Code.UNKNOWN
        return Code.OK

    with ThreadPoolExecutor(12) as pool:
        codes = set(pool.map(ask, [300.0] * 12))
    if not {Code.OK} <= codes <= {Code.OK, Code.RESOURCE_EXHAUSTED}:
        raise Mismatch("OK, and RESOURCE_EXHAUSTED at most", ", ".join(code.name for code in codes))
    after = ask(1)
    if after is not Code.OK:
        raise Mismatch("OK afterwards", after.name)
