"""Checks of deployments that go wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.bad_deploy.healing import HEALING, START_UPS
from scenarios.bad_deploy.scenario import SCENARIO


@pytest.mark.scenario(SCENARIO)
def test_bad_deploy(check: Callable[[], None]) -> None:
    """Plays deployments on a server that tries each load once."""
    check()


@pytest.mark.scenario(HEALING)
def test_healing(check: Callable[[], None]) -> None:
    """Plays deployments on a server that tries again."""
    check()


@pytest.mark.start_ups(START_UPS)
def test_start(start_up: Callable[[], None]) -> None:
    """Starts a server over a deployment that went wrong."""
    start_up()
