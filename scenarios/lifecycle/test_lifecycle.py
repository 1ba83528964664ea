"""Checks of the life of versions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.lifecycle.retries import RETRY, THREADS
from scenarios.lifecycle.scenario import SCENARIO
from scenarios.lifecycle.starts import PARTLY, START_UPS


@pytest.mark.scenario(SCENARIO)
def test_lifecycle(check: Callable[[], None]) -> None:
    """Plays versions that take over, fail and go."""
    check()


@pytest.mark.scenario(RETRY)
def test_retry(check: Callable[[], None]) -> None:
    """Plays loads that are tried again."""
    check()


@pytest.mark.scenario(THREADS)
def test_load_threads(check: Callable[[], None]) -> None:
    """Plays loads on threads of their own."""
    check()


@pytest.mark.scenario(PARTLY)
def test_partly_loaded(check: Callable[[], None]) -> None:
    """Plays a start that ends before all versions are loaded."""
    check()


@pytest.mark.start_ups(START_UPS)
def test_refusal(start_up: Callable[[], None]) -> None:
    """Starts a server that must not come up."""
    start_up()
