"""Checks of a model that wants XLA, on a server without."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.operations.scenario import WITHOUT_XLA

pytestmark = pytest.mark.scenario(WITHOUT_XLA)


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()
