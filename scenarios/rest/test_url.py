"""Addresses: which paths there are, and what they mean [4.1]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import RestCase, error, get, ok, post
from scenarios.rest.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)

CASES = (
    RestCase(
        "trailing-slash",
        "A slash at the end makes another address, which nobody has.",
        get("/v1/models/m/"),
        error(400, "Malformed request: GET /v1/models/m/"),
        facts=("4.1.7", "URL-04"),
    ),
    RestCase(
        "predict",
        "A predict.",
        post("/v1/models/m:predict", '{"instances":[1.0,2.0,5.0]}'),
        ok('{\n    "predictions": [6.5, 7.0, 8.5\n    ]\n}'),
        facts=("4.1.2", "URL-01"),
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    case()
