"""Checks of version labels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.labels.scenario import ALLOWED, CASES, REFUSED, SCENARIO


@pytest.mark.scenario(SCENARIO)
@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """Sends one request to a model with labels."""
    case()


@pytest.mark.scenario(SCENARIO)
def test_labels(check: Callable[[], None]) -> None:
    """Plays labels that come, move and go."""
    check()


@pytest.mark.scenario(ALLOWED)
def test_labels_for_unavailable(check: Callable[[], None]) -> None:
    """Plays labels for versions that are not available yet."""
    check()


@pytest.mark.start_ups(REFUSED)
def test_refusal(start_up: Callable[[], None]) -> None:
    """Starts a server that must not come up."""
    start_up()
