"""Loads that fail are counted as such [7.2.3]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.player import Player
from harness.terms import Level, Protocol
from harness.verdict import Mismatch
from scenarios.monitoring.page import read
from scenarios.monitoring.scenario import FAILED_LOAD

pytestmark = pytest.mark.scenario(FAILED_LOAD)


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()


@pytest.mark.fact("7.2.3", "X-56", level=Level.UNVERIFIED, protocol=Protocol.REST)
def test_failed_load(player: Player) -> None:
    """A load that fails is counted under the path of the version and the status fail."""
    samples = read(player).labelled(":tensorflow:cc:saved_model:load_attempt_count")
    if not any('/m/2",status="fail"' in labels and value >= 1 for labels, value in samples.items()):
        raise Mismatch('load_attempt_count{model_path=".../m/2",status="fail"}', str(samples))
