"""Checks of batching parameters that no server can work with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.batching.start_ups import START_UPS


@pytest.mark.start_ups(START_UPS)
def test_start_up(start_up: Callable[[], None]) -> None:
    """Starts a server and looks what becomes of it."""
    start_up()
