"""Methods other than GET and POST [4.2]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import HttpRequest, Reply, RestCase, error
from harness.terms import Level
from scenarios.rest.scenario import BODY, SCENARIO, page, status

pytestmark = pytest.mark.scenario(SCENARIO)

TARGETS = {"model": "/v1/models/m", "predict": "/v1/models/m:predict"}

#: What the HTTP library says of a reply without a media type.
NO_TYPE = "text/html; charset=ISO-8859-1"

UNUSED = (
    *(
        RestCase(
            f"{method.lower()}/{name}",
            "Methods that HTTP has and the API has not are bad requests.",
            HttpRequest(method, target, BODY),
            error(400, f"Malformed request: {method} {target}"),
            facts=("4.2.1", "HTTP-01"),
            level=Level.SHOULD,
        )
        for method in ("PUT", "DELETE", "PATCH")
        for name, target in TARGETS.items()
    ),
    *(
        RestCase(
            f"head/{name}",
            "HEAD is not GET: it is a bad request too.",
            HttpRequest("HEAD", target),
            Reply(400),
            facts=("4.2.1", "HTTP-02"),
            level=Level.QUIRK,
        )
        for name, target in TARGETS.items()
    ),
    *(
        RestCase(
            f"not-implemented/{method}/{name}",
            "Other words are not implemented, whatever the path: a page, and the connection is closed.",
            HttpRequest(method, target),
            page(501, "Not Implemented"),
            facts=("4.2.3", "X-39"),
            level=Level.QUIRK,
        )
        for method in ("TRACE", "FOO", "PROPFIND", "get", "Post")
        for name, target in {**TARGETS, "elsewhere": "/elsewhere"}.items()
    ),
    *(
        RestCase(
            f"elsewhere/{method.lower()}",
            "Outside /v1/ there is nothing for any method.",
            HttpRequest(method, "/elsewhere"),
            page(404, "Not Found"),
            facts=("4.1.1", "4.8.2", "HTTP-11"),
            level=Level.QUIRK,
        )
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS")
    ),
    RestCase(
        "get-with-body",
        "A body of GET is read and does not matter.",
        HttpRequest("GET", "/v1/models/m/versions/1", "ignored", (("Content-Length", "7"),)),
        status(1),
        facts=("4.2.4",),
        level=Level.QUIRK,
        then=((HttpRequest("GET", "/v1/models/m/versions/2"), status(2)),),
    ),
)

#: Whether each origin makes OPTIONS succeed, and whether the path matters.
ORIGINS = {
    "http": ("http://page.test", True),
    "https": ("https://page.test", True),
    "scheme-inside": ("xhttp://y", True),
    "null": ("null", False),
    "upper-case": ("HTTP://page.test", False),
    "file": ("file:///x", False),
    "none": (None, False),
}


def options(origin: str | None, target: str = "/v1/models/m:predict") -> HttpRequest:
    return HttpRequest("OPTIONS", target, headers=(("Origin", origin),) if origin else ())


PREFLIGHT = (
    *(
        RestCase(
            f"options/{name}",
            "OPTIONS has an empty reply: success if Origin has http:// or https:// in it, else 400.",
            options(origin),
            Reply(
                200 if good else 400,
                "",
                headers={"Content-Type": NO_TYPE, "Access-Control-Allow-Origin": None},
            ),
            facts=("4.2.2", "HTTP-03", "4.3.1"),
            level=Level.SHOULD,
        )
        for name, (origin, good) in ORIGINS.items()
    ),
    RestCase(
        "options/unknown-path",
        "OPTIONS does not look at the path below /v1/.",
        options("http://page.test", "/v1/nothing/here"),
        Reply(200, ""),
        facts=("4.2.2", "HTTP-03"),
        level=Level.QUIRK,
    ),
)


@pytest.mark.cases((*UNUSED, *PREFLIGHT))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
