"""Checks of REST without a limit of time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import Json, RestCase, ok, post
from harness.terms import Level
from scenarios.operations.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)

CASES = (
    RestCase(
        "zero",
        "A limit of 0 is none.",
        post("/v1/models/m:predict", '{"instances": [400]}'),
        ok(Json({"predictions": [1]})),
        facts=("1.2", "CLI-20"),
        level=Level.UNVERIFIED,
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """Plays a case."""
    case()
