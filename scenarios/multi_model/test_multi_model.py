"""Checks of the multi_model scenario."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.client import RestClient
from harness.player import Player
from harness.terms import Protocol
from harness.verdict import Mismatch
from scenarios.multi_model.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)


@pytest.mark.fact("4.5.3", "5.3", "HTTP-08", protocol=Protocol.REST)
@pytest.mark.parametrize(("model", "total"), [("model1", 2490), ("model2", 23490), ("model3", 41490)])
def test_rows_from_python_text(player: Player, model: str, total: int) -> None:
    """Python's own list notation in a form post, as the simplest clients send it, is a request."""
    client = player.client(Protocol.REST)
    assert isinstance(client, RestClient)
    data = '{"instances":%s}' % [[[10] * 7] * 7]
    reply = client.exchange(
        "POST",
        f"/v1/models/{model}:predict",
        data.encode(),
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    expected = f'{{\n    "predictions": [{total}\n    ]\n}}'
    if (reply.status, reply.body.decode()) != (200, expected):
        raise Mismatch(f"200 {expected}", f"{reply.status} {reply.body.decode()}")


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()
