"""The time limit rest_api_timeout_in_ms [4.6.6]. The server's limit here is 300 ms."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import Json, Reply, RestCase, error, ok, post
from harness.terms import Level
from scenarios.rest.scenario import TIMEOUT

pytestmark = pytest.mark.scenario(TIMEOUT)

SLOW = "/v1/models/slow:predict"

CASES = (
    RestCase(
        "within",
        "A request that is done in time is answered.",
        post(SLOW, '{"instances": [5]}'),
        ok(Json({"predictions": [1]})),
        facts=("4.6.6", "HTTP-19"),
    ),
    RestCase(
        "beyond",
        "A run that takes too long is given up with 504, and the connection goes on.",
        post(SLOW, '{"instances": [3000]}'),
        error(504, "Timed out waiting for notification"),
        facts=("4.4", "4.6.6", "HTTP-05", "HTTP-19", "CLI-20"),
        level=Level.SHOULD,
        then=((post(SLOW, '{"instances": [5]}'), ok(Json({"predictions": [1]}))),),
    ),
    RestCase(
        "reason",
        "The reason phrase of 504 is that of the HTTP library.",
        post(SLOW, '{"instances": [3000]}'),
        Reply(504, reason="Gateway Time-out"),
        facts=("4.4",),
        level=Level.QUIRK,
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
