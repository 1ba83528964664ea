"""Checks of the version_pinning scenario."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.client import RestClient
from harness.client.rest import model_path
from harness.player import Player
from harness.terms import Protocol
from harness.verdict import Mismatch
from scenarios.version_pinning.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)


@pytest.mark.fact("4.1.7", "URL-02", level="QUIRK", protocol=Protocol.REST)
@pytest.mark.parametrize("spelling", ["01", "0001"])
def test_version_with_leading_zeros(player: Player, spelling: str) -> None:
    """A version in a URL is a number, however it is spelled."""
    client = player.client(Protocol.REST)
    assert isinstance(client, RestClient)
    reply = client.exchange(
        "POST", f"{model_path('every')}/versions/{spelling}:predict", b'{"instances":[2.0]}'
    )
    expected = '{\n    "predictions": [3.0\n    ]\n}'
    if (reply.status, reply.body.decode()) != (200, expected):
        raise Mismatch(f"200 {expected}", f"{reply.status} {reply.body.decode()}")


@pytest.mark.fact("3.5.3", "6.8.1", "STA-02")
def test_status_of_one_version(player: Player, protocol: Protocol) -> None:
    """The status of one version lists that version alone."""
    listed = [entry.version for entry in player.client(protocol).status("every", version=2)]
    if listed != [2]:
        raise Mismatch("version 2", str(listed))


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()
