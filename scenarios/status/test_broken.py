"""A version that cannot be loaded shows its error [6.8.2]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.status.scenario import BROKEN

pytestmark = pytest.mark.scenario(BROKEN)


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()
