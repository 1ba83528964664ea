"""Checks of model configurations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.config.refusals import START_UPS
from scenarios.config.scenario import SCENARIO


@pytest.mark.scenario(SCENARIO)
def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()


@pytest.mark.start_ups(START_UPS)
def test_refusal(start_up: Callable[[], None]) -> None:
    """Starts a server that must not come up."""
    start_up()
