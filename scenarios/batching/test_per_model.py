"""Checks of models that bring batching parameters of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.client import Refusal
from harness.player import Player
from harness.terms import Array, Code, Protocol
from harness.verdict import Mismatch
from scenarios.batching.scenario import PER_MODEL, WAIT, WIDE, rows
from scenarios.batching.together import Ask, Reply, metric, together, until

pytestmark = pytest.mark.scenario(PER_MODEL)


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()


@pytest.mark.fact("8.13", "BAT-11")
def test_model_with_parameters_waits(player: Player, protocol: Protocol) -> None:
    """A model that brings parameters is batched: a lone request waits."""
    (reply,) = together(player, protocol, [Ask("batched", rows(1))])
    if isinstance(reply.outcome, Refusal) or reply.seconds < 0.9 * WAIT:
        raise Mismatch(f"an answer after {WAIT} s or a little more", str(reply))


@pytest.mark.fact("8.13", "BAT-11")
def test_model_without_parameters_does_not_wait(player: Player, protocol: Protocol) -> None:
    """A model that brings no parameters is not batched, although batching is on."""

    def ask() -> Reply:
        return together(player, protocol, [Ask("alone", rows(1))])[0]

    reply = until(ask, lambda reply: reply.seconds < 0.9 * WAIT)
    if isinstance(reply.outcome, Refusal) or reply.seconds >= 0.9 * WAIT:
        raise Mismatch(f"an answer within {WAIT} s", str(reply))


NARROW: Array = np.array([[5, 6]], np.float32)
BROAD: Array = np.array([[1, 2, 3]], np.float32)


def ask_both(player: Player, model: str) -> list[Reply]:
    """Two requests in one batch, whose rows differ in length."""
    return together(player, Protocol.GRPC, [Ask(model, {"x": NARROW}), Ask(model, {"x": BROAD})], apart=0.01)


@pytest.mark.fact("8.9", "BAT-09", level="UNVERIFIED", protocol=Protocol.GRPC)
def test_padding(player: Player) -> None:
    """With padding, a row shorter than the batch's longest is filled up with its tensor's first number."""

    def came(replies: list[Reply]) -> list[object]:
        return [None if reply.lone_output is None else reply.lone_output.tolist() for reply in replies]

    expected: list[object] = [[[6.0, 7.0, 6.0]], [[2.0, 3.0, 4.0]]]
    replies = until(lambda: ask_both(player, "padded"), lambda replies: came(replies) == expected)
    if came(replies) != expected:
        raise Mismatch(str(expected), "; ".join(map(str, replies)))


@pytest.mark.fact("8.9", "BAT-09", protocol=Protocol.GRPC)
def test_no_padding(player: Player) -> None:
    """Without padding, such requests fail together."""

    def codes(replies: list[Reply]) -> list[Code | None]:
        return [reply.outcome.code if isinstance(reply.outcome, Refusal) else None for reply in replies]

    expected = [Code.FAILED_PRECONDITION] * 2
    replies = until(lambda: ask_both(player, "unpadded"), lambda replies: codes(replies) == expected)
    if codes(replies) != expected:
        raise Mismatch("FAILED_PRECONDITION for both", "; ".join(map(str, replies)))


@pytest.mark.fact("8.8", "7.2", protocol=Protocol.REST)
def test_allowed_sizes(player: Player) -> None:
    """A batch is filled up to the next allowed size; the caller sees his own rows alone."""
    name = ':tensorflow:serving:batching_session:padding_size_sum{execution_batch_size="3"}'
    before = metric(player, name)
    (reply,) = together(player, Protocol.GRPC, [Ask("sizes", WIDE)])
    added = metric(player, name) - before
    if reply.lone_output is None or reply.lone_output.shape != (1, 2) or added != 2:
        raise Mismatch("one row, and 2 rows of padding", f"{reply}, and {added:g} rows of padding")
