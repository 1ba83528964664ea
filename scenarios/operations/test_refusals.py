"""Checks of starts that are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.operations.refusals import START_UPS


@pytest.mark.start_ups(START_UPS)
def test_refusal(start_up: Callable[[], None]) -> None:
    """Starts a server and looks what becomes of it."""
    start_up()
