"""Checks of a queue that is soon full: one batch runs, two wait."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from harness.client import Refusal
from harness.player import Player
from harness.terms import Code, Protocol
from harness.verdict import Mismatch
from scenarios.batching.scenario import FULL_QUEUE, REST_LIMIT_MS
from scenarios.batching.together import Ask, Reply, together, until

pytestmark = pytest.mark.scenario(FULL_QUEUE)

_FULL = "The batch scheduling queue to which this task was submitted is full"
_LATE = "Run() timeout exceeded while waiting in batching queue"


def slow(milliseconds: float) -> Ask:
    """A request that takes its time."""
    return Ask("slow", {"ms": np.array([milliseconds], np.float32)})


@pytest.mark.fact("8.7", "BAT-07")
def test_full_queue(player: Player, protocol: Protocol) -> None:
    """As many batches as the parameters say may wait; who comes then is refused at once."""

    def look() -> list[Reply]:
        return together(player, protocol, [slow(300)] * 4, apart=0.06)

    def good(replies: list[Reply]) -> bool:
        return [isinstance(reply.outcome, Refusal) for reply in replies] == [False, False, False, True]

    # Where the processors are busy with other things, batches take longer than REST waits.
    *answered, last = until(look, good)
    if any(isinstance(reply.outcome, Refusal) for reply in answered):
        raise Mismatch("three answers", "; ".join(map(str, answered)))
    refusal = last.outcome
    if not isinstance(refusal, Refusal) or not refusal.agrees(Code.UNAVAILABLE, refusal.text):
        raise Mismatch("UNAVAILABLE for the fourth", str(last))
    if not refusal.text.startswith(_FULL):
        raise Mismatch(f"{_FULL}...", refusal.text)


@pytest.mark.fact("8.12", "X-59", protocol=Protocol.REST)
def test_time_runs_in_the_queue(player: Player) -> None:
    """A request whose time is up before its batch runs is refused, not run."""

    def look() -> Reply:
        with ThreadPoolExecutor(1) as pool:
            holding = pool.submit(together, player, Protocol.GRPC, [slow(REST_LIMIT_MS + 400)])
            time.sleep(0.2)  # nothing tells when the batch has begun to run
            (late,) = together(player, Protocol.REST, [slow(1)])
            holding.result()
        return late

    def good(reply: Reply) -> bool:
        refusal = reply.outcome
        return isinstance(refusal, Refusal) and refusal.agrees(Code.RESOURCE_EXHAUSTED, _LATE)

    late = until(look, good)
    if not good(late):
        raise Mismatch(f"RESOURCE_EXHAUSTED: {_LATE}", str(late))
