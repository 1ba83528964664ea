"""Compressed request bodies [4.9.5]."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest

from harness.cases import Long, RestCase, error, post
from harness.terms import Level
from scenarios.rest.scenario import BODY, SCENARIO, answer

pytestmark = pytest.mark.scenario(SCENARIO)

PREDICT = "/v1/models/m:predict"
EMPTY = error(400, "JSON Parse error: The document is empty")
NOT_JSON = error(400, "JSON Parse error: Invalid value. at offset: 0")

PLAIN = BODY.encode()
PACKED = gzip.compress(PLAIN, mtime=0)
#: What a body may inflate to.
LIMIT = 100 * 1024 * 1024


def encoded(body: bytes | Long, coding: str = "gzip") -> tuple[str, bytes | Long, tuple[str, str]]:
    return PREDICT, body, ("Content-Encoding", coding)


CASES = (
    *(
        RestCase(
            f"inflated/{coding.replace(', ', '-')}",
            "A body is unpacked if its coding has gzip in it.",
            post(*encoded(PACKED, coding)),
            answer(3),
            facts=("4.9.5", "HTTP-10"),
            level=Level.MUST if coding == "gzip" else Level.QUIRK,
        )
        for coding in ("gzip", "x-gzip", "deflate, gzip")
    ),
    *(
        RestCase(
            f"broken/{name}",
            "A packed body that is not exactly one sound gzip member becomes an empty document.",
            post(*encoded(body)),
            EMPTY,
            facts=("4.9.5", "HTTP-10"),
            level=Level.SHOULD,
        )
        for name, body in {
            "not-packed": PLAIN,
            "cut": PACKED[:-12],
            "wrong-checksum": PACKED[:-8] + bytes(4) + PACKED[-4:],
            "text-after": PACKED + b"rubbish",
            "two-members": gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:]),
            "zlib": zlib.compress(PLAIN),
            "nothing": b"",
            "of-nothing": gzip.compress(b""),
        }.items()
    ),
    RestCase(
        "limit/beyond",
        "A body that inflates to more than 100 MiB becomes an empty document.",
        post(*encoded(Long(((BODY[:-1], 1), (" ", LIMIT - len(BODY) + 1), ("}", 1)), gzipped=True))),
        EMPTY,
        facts=("4.9.5", "X-40"),
        level=Level.QUIRK,
    ),
    *(
        RestCase(
            f"as-it-is/{name}",
            "Other codings, and gzip in other letters, leave the body as it is, which is no JSON then.",
            post(*encoded(body, coding)),
            NOT_JSON,
            facts=("4.9.5", "X-41"),
            level=Level.QUIRK,
        )
        for name, coding, body in (
            ("upper-case", "GZIP", PACKED),
            ("deflate", "deflate", zlib.compress(PLAIN)),
        )
    ),
    RestCase(
        "as-it-is/no-coding",
        "A packed body must say so.",
        post(PREDICT, PACKED),
        NOT_JSON,
        facts=("4.9.5",),
        level=Level.SHOULD,
    ),
    RestCase(
        "as-it-is/unknown-coding",
        "An unknown coding does not matter if the body is JSON.",
        post(*encoded(PLAIN, "br")),
        answer(3),
        facts=("4.9.5",),
        level=Level.QUIRK,
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
