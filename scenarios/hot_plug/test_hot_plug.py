"""Checks of the hot_plug scenario."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.hot_plug.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()
