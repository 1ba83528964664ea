"""Cross-origin replies, with the flag rest_api_enable_cors_support and without [4.3]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.cases import HttpRequest, Reply, RestCase, error, get, ok, post
from harness.terms import Level
from scenarios.rest.scenario import BODY, CORS, answer, page

pytestmark = pytest.mark.scenario(CORS)

ORIGIN = ("Origin", "http://page.test")
FIELDS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


def allowed(reply: Reply) -> Reply:
    """The same reply with the fields that let a web page read it."""
    return replace(reply, headers={**reply.headers, **FIELDS})


REPLIES = {
    "predict": (post("/v1/models/m:predict", BODY, ORIGIN), answer(1)),
    "without-origin": (post("/v1/models/m:predict", BODY), answer(1)),
    "status": (get("/v1/models/m", ORIGIN), ok()),
    "metadata": (get("/v1/models/m/metadata", ORIGIN), ok()),
    "bad-json": (
        post("/v1/models/m:predict", "{", ORIGIN),
        error(400, "JSON Parse error: Missing a name for object member. at offset: 1"),
    ),
    "not-found": (
        get("/v1/models/nobody", ORIGIN),
        error(404, "Could not find any versions of model nobody"),
    ),
    "malformed": (
        HttpRequest("PUT", "/v1/models/m", "{}", (ORIGIN,)),
        error(400, "Malformed request: PUT /v1/models/m"),
    ),
    "preflight": (HttpRequest("OPTIONS", "/v1/models/m:predict", headers=(ORIGIN,)), Reply(200, "")),
    "refused-preflight": (HttpRequest("OPTIONS", "/v1/models/m:predict"), Reply(400, "")),
}

CASES = (
    *(
        RestCase(
            f"allowed/{name}",
            "With the flag every reply of the API lets any page read it, errors included, whoever asks.",
            request,
            allowed(reply),
            facts=("4.3.1", "HTTP-04"),
        )
        for name, (request, reply) in REPLIES.items()
    ),
    *(
        RestCase(
            f"not-allowed/{name}",
            "Pages of the HTTP library do not carry these fields.",
            request,
            replace(reply, headers={**reply.headers, "Access-Control-Allow-Origin": None}),
            facts=("4.3.1", "HTTP-04"),
            level=Level.QUIRK,
        )
        for name, request, reply in (
            ("not-found", get("/elsewhere", ORIGIN), page(404, "Not Found")),
            (
                "not-implemented",
                HttpRequest("TRACE", "/v1/models/m", headers=(ORIGIN,)),
                page(501, "Not Implemented"),
            ),
        )
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
