"""Checks of version folders."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.player import Player
from harness.terms import Protocol
from harness.verdict import Mismatch
from scenarios.savedmodel.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)

_INIT = "__saved_model_init_op"


@pytest.mark.fact("4.7.6", "11.6", "SMD-05")
def test_init_operation_is_listed(player: Player, protocol: Protocol) -> None:
    """Metadata of a TensorFlow 2 model list the operation that sets it up, as if it were a signature."""
    client = player.client(protocol)
    listed = {model: sorted(client.metadata(model).signatures) for model in ("tf1", "tf2")}
    expected = {"tf1": ["serving_default"], "tf2": [_INIT, "serving_default"]}
    if listed != expected:
        raise Mismatch(str(expected), str(listed))


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()
