"""Checks of version discovery."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.discovery.scenario import LOOKS_ONCE, NEVER_LOOKS, SCENARIO, WAITING


@pytest.mark.scenario(SCENARIO)
def test_discovery(check: Callable[[], None]) -> None:
    """Plays the names, and then versions that come and go."""
    check()


@pytest.mark.scenario(LOOKS_ONCE)
def test_looks_once(check: Callable[[], None]) -> None:
    """Plays a server that looks at the disk once."""
    check()


@pytest.mark.start_ups(NEVER_LOOKS)
def test_never_looks(start_up: Callable[[], None]) -> None:
    """Starts a server that never looks at the disk."""
    start_up()


@pytest.mark.scenario(WAITING)
def test_waiting(check: Callable[[], None]) -> None:
    """Plays a server that starts before its models are there."""
    check()
