"""HTTP itself: versions, connections, framing of bodies, bad requests [4.8, 4.9]."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.cases import AnyOf, HttpRequest, Long, Reply, RestCase, error, get, post
from harness.terms import Level
from scenarios.rest.scenario import BODY, SCENARIO, answer, page, status

pytestmark = pytest.mark.scenario(SCENARIO)

PREDICT = "/v1/models/m:predict"
STATUS = "/v1/models/m/versions/1"
SIZE = len(BODY)
BAD = page(400, "Bad Request")
EMPTY = error(400, "JSON Parse error: The document is empty")


def head(line: str, *fields: str) -> bytes:
    """The head of a request as bytes."""
    return "\r\n".join([line, *fields, "", ""]).encode()


def predict(*fields: str, version: str = "HTTP/1.1", body: str = BODY) -> bytes:
    """A whole inference request as bytes."""
    return head(f"POST {PREDICT} {version}", *fields) + body.encode()


KEPT = ((get("/v1/models/m/versions/2"), status(2)),)

CONNECTIONS = (
    RestCase(
        "keep-alive",
        "A connection serves one request after another, errors of the API in between included.",
        post(PREDICT, BODY),
        answer(3),
        facts=("4.9.1", "HTTP-12"),
        then=(
            (get(STATUS), status(1)),
            (get("/v1/models/nobody"), error(404, "Could not find any versions of model nobody")),
            (
                post(PREDICT, "{"),
                error(400, "JSON Parse error: Missing a name for object member. at offset: 1"),
            ),
            (HttpRequest("OPTIONS", PREDICT), Reply(400, "")),
            *((post(PREDICT, BODY), answer(3)),) * 50,
        ),
    ),
    RestCase(
        "pipelining",
        "Requests sent at once are answered in their order.",
        head(f"GET {STATUS} HTTP/1.1", "Host: a")
        + predict("Host: a", f"Content-Length: {SIZE}")
        + head("GET /v1/models/nobody HTTP/1.1", "Host: a"),
        status(1),
        facts=("4.9.1",),
        level=Level.SHOULD,
        then=(
            (None, answer(3)),
            (None, error(404, "Could not find any versions of model nobody")),
        ),
    ),
    *(
        RestCase(
            f"close/{name}",
            "A client that says Connection: close is answered, and the connection is closed.",
            get(target, ("Connection", word)),
            replace(reply, headers={**reply.headers, "Connection": "close"}, closes=True),
            facts=("4.9.1", "HTTP-12"),
        )
        for name, target, word, reply in (
            ("success", STATUS, "close", status(1)),
            ("other-case", STATUS, "Close", status(1)),
            (
                "error",
                "/v1/models/nobody",
                "close",
                error(404, "Could not find any versions of model nobody"),
            ),
        )
    ),
    RestCase(
        "close/pipelined",
        "What comes after a request with Connection: close is not answered.",
        head(f"GET {STATUS} HTTP/1.1", "Connection: close") + head(f"GET {STATUS} HTTP/1.1"),
        replace(status(1), closes=True),
        facts=("4.9.1",),
        level=Level.SHOULD,
    ),
    RestCase(
        "http-1.0/closes",
        "HTTP/1.0 is answered as such, without a length, and the connection is closed.",
        predict(f"Content-Length: {SIZE}", version="HTTP/1.0"),
        replace(
            answer(3),
            version="HTTP/1.0",
            headers={"Content-Type": "application/json", "Content-Length": None},
            closes=True,
        ),
        facts=("4.9.1", "HTTP-12"),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"http-1.0/{word}",
            "HTTP/1.0 with Connection: keep-alive has a length, and the connection stays.",
            predict(f"Connection: {word}", f"Content-Length: {SIZE}", version="HTTP/1.0"),
            replace(
                answer(3),
                version="HTTP/1.0",
                headers={"Connection": "keep-alive", "Content-Length": re.compile(r"\d+")},
            ),
            facts=("4.9.1", "HTTP-12"),
            level=Level.SHOULD,
            then=KEPT,
        )
        for word in ("keep-alive", "Keep-Alive")
    ),
    RestCase(
        "http-1.2",
        "A higher minor version is answered as such.",
        head(f"GET {STATUS} HTTP/1.2", "Host: a"),
        replace(status(1), version="HTTP/1.2"),
        facts=("4.9.1",),
        level=Level.QUIRK,
    ),
    RestCase(
        "absolute-form",
        "A target with scheme and host works, whatever the host, and the connection is closed.",
        head(f"GET http://elsewhere.test{STATUS} HTTP/1.1", "Host: elsewhere.test"),
        replace(status(1), closes=True),
        facts=("4.1.7",),
        level=Level.QUIRK,
    ),
    RestCase(
        "no-host",
        "The Host header may be missing.",
        predict(f"Content-Length: {SIZE}"),
        answer(3),
        facts=("4.9.1",),
        level=Level.QUIRK,
        then=KEPT,
    ),
    RestCase(
        "upgrade",
        "An offer to go on with HTTP/2 is declined by an answer in HTTP/1.1.",
        head(
            f"GET {STATUS} HTTP/1.1",
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAAQAAP__",
            "Host: a",
        ),
        status(1),
        facts=("4.9.1",),
        level=Level.SHOULD,
    ),
)

SYNTAX = (
    *(
        RestCase(
            f"syntax/{name}",
            "Odd but readable heads are read.",
            data,
            reply,
            facts=("4.9",),
            level=Level.QUIRK,
            then=KEPT,
        )
        for name, data, reply in (
            ("bare-line-feeds", f"GET {STATUS} HTTP/1.1\nHost: a\n\n".encode(), status(1)),
            (
                "folded-header",
                head(f"GET {STATUS} HTTP/1.1", "X-A: one\r\n two", "Host: a"),
                status(1),
            ),
            ("header-case", predict("hOsT: a", f"cOnTeNt-LeNgTh: {SIZE}"), answer(3)),
            ("blank-before-colon", head(f"GET {STATUS} HTTP/1.1", "Host : a"), status(1)),
        )
    ),
    *(
        RestCase(
            f"bad-request/{name}",
            "What is not HTTP/1 is a bad request: a page says so, and the connection is closed.",
            data,
            BAD,
            facts=("4.8.1", "X-42"),
            level=Level.QUIRK,
        )
        for name, data in {
            "garbage": b"GARBAGE\r\n\r\n",
            "no-version": b"GET /v1/models/m\r\n\r\n",
            "http-2": head(f"GET {STATUS} HTTP/2.0", "Host: a"),
            "http-2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "lower-case-http": head(f"GET {STATUS} http/1.1", "Host: a"),
            "extra-blanks": head(f"GET  {STATUS}  HTTP/1.1", "Host: a"),
            "empty-line-first": b"\r\n\r\n" + head(f"GET {STATUS} HTTP/1.1", "Host: a"),
            "header-without-colon": head(f"GET {STATUS} HTTP/1.1", "NoColonHere"),
            "negative-length": predict("Content-Length: -5"),
            "word-as-length": predict("Content-Length: abc"),
            "length-with-text": predict(f"Content-Length: {SIZE}x"),
        }.items()
    ),
    *(
        RestCase(
            f"bad-target/{name}",
            "A target with characters that no URI may hold is a bad request.",
            f"GET /v1/models/{target} HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
            BAD,
            facts=("4.8.1", "X-42"),
            level=Level.QUIRK,
        )
        for name, target in {
            "blank": "l n",
            "caret": "l^n",
            "braces": "{l|n}",
            "quote": '"m"',
            "backslash": "l\\n",
            "brackets": "[m]",
            "not-ascii": "münchen",
            "lone-percent": "m%",
            "bad-escape": "m%zz",
        }.items()
    ),
    RestCase(
        "relative-target",
        "A target without its first slash is not below /v1/.",
        head("GET v1/models/m HTTP/1.1", "Host: a"),
        page(404, "Not Found"),
        facts=("4.1.1", "4.8.2", "HTTP-11"),
        level=Level.QUIRK,
    ),
)

CHUNKED = "Transfer-Encoding: chunked"

BODIES = (
    *(
        RestCase(
            f"chunked/{name}",
            "A body may come in chunks.",
            head(f"POST {PREDICT} HTTP/1.1", "Host: a", coding) + data,
            answer(3),
            facts=("4.9.3", "HTTP-13"),
            then=KEPT,
        )
        for name, coding, data in (
            ("one", CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY.encode())),
            (
                "several",
                CHUNKED,
                b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (BODY[:5].encode(), BODY[5:].encode()))
                + b"0\r\n\r\n",
            ),
            (
                "upper-case",
                "Transfer-Encoding: CHUNKED",
                b"%X\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY.encode()),
            ),
            ("trailer", CHUNKED, b"%x\r\n%s\r\n0\r\nX-T: 1\r\n\r\n" % (SIZE, BODY.encode())),
        )
    ),
    *(
        RestCase(
            f"chunked/{name}",
            "A chunk size that is not just a number is answered as if the body were too large.",
            head(f"POST {PREDICT} HTTP/1.1", "Host: a", CHUNKED)
            + size
            + b"\r\n"
            + BODY.encode()
            + b"\r\n0\r\n\r\n",
            page(413, "Request Entity Too Large"),
            facts=("4.9.3", "4.8.1"),
            level=Level.QUIRK,
        )
        for name, size in (("bad-size", b"zz"), ("extension", b"%x;a=b" % SIZE))
    ),
    RestCase(
        "chunked/with-length",
        "A body with both a length and chunks is a bad request; libevent before 2026 read the chunks.",
        head(f"POST {PREDICT} HTTP/1.1", "Host: a", "Content-Length: 3", CHUNKED)
        + b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY.encode()),
        AnyOf(BAD, answer(3)),
        facts=("4.8.1", "4.9.3"),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"empty/{name}",
            "A POST without a body has an empty document.",
            predict(*fields, body=""),
            EMPTY,
            facts=("5.1.1", "4.9"),
            then=KEPT,
        )
        for name, fields in (("no-length", ("Host: a",)), ("length-zero", ("Host: a", "Content-Length: 0")))
    ),
    RestCase(
        "length/short",
        "The body is as long as its length says, even if that cuts it.",
        predict("Host: a", "Connection: close", "Content-Length: 17"),
        error(400, "JSON Parse error: Miss fraction part in number. at offset: 17"),
        facts=("4.9",),
        level=Level.SHOULD,
    ),
    RestCase(
        "length/twice",
        "Of two lengths the first counts.",
        predict("Host: a", f"Content-Length: {SIZE}", "Content-Length: 5"),
        answer(3),
        facts=("4.9",),
        level=Level.QUIRK,
    ),
    RestCase(
        "expect/held-back",
        "A client that waits for 100 Continue gets it, then the reply.",
        head(f"POST {PREDICT} HTTP/1.1", "Host: a", f"Content-Length: {SIZE}", "Expect: 100-continue"),
        Reply(100),
        facts=("4.9.3", "X-43"),
        level=Level.SHOULD,
        then=((BODY.encode(), answer(3)), *KEPT),
    ),
    RestCase(
        "expect/sent-at-once",
        "100 Continue may be left out where the body is already there.",
        predict("Host: a", "Connection: close", f"Content-Length: {SIZE}", "Expect: 100-continue"),
        AnyOf(answer(3), Reply(100)),
        facts=("4.9.3", "X-43"),
        level=Level.SHOULD,
    ),
    RestCase(
        "expect/other",
        "Other expectations are not met: a page says so, and the connection is closed.",
        predict("Host: a", f"Content-Length: {SIZE}", "Expect: 200-ok"),
        page(417, "Expectation Failed"),
        facts=("4.9.3",),
        level=Level.QUIRK,
    ),
)

LARGE = (
    RestCase(
        "large/body",
        "A body may be large: 40 MB here.",
        post(PREDICT, Long(((BODY[:-1], 1), (" ", 40_000_000), ("}", 1)))),
        answer(3),
        facts=("4.9.3", "HTTP-14"),
    ),
    RestCase(
        "large/header",
        "A header may be large: 200 kB here.",
        get(STATUS, ("X-Long", "x" * 200_000)),
        status(1),
        facts=("4.9.3", "HTTP-14"),
        level=Level.SHOULD,
    ),
    RestCase(
        "large/many-headers",
        "There may be many headers: 2000 here.",
        get(STATUS, *((f"X-{number}", "x") for number in range(2000))),
        status(1),
        facts=("4.9.3",),
        level=Level.SHOULD,
    ),
    RestCase(
        "large/target",
        "A target may be long: 300 kB here.",
        get(f"/v1/models/{'n' * 300_000}"),
        error(404, f"Could not find any versions of model {'n' * 300_000}"),
        facts=("4.9.3",),
        level=Level.SHOULD,
    ),
)


@pytest.mark.cases((*CONNECTIONS, *SYNTAX, *BODIES, *LARGE))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
