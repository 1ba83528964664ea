"""The vocabulary of start-ups: what texts are looked for."""

from __future__ import annotations

import re

import pytest

from harness.startup import Exits, Serves, StartUp, Waits, not_loaded, refused


def found(outcome: Exits, stdout: str) -> bool:
    assert isinstance(outcome.stdout, re.Pattern)
    return outcome.stdout.search(stdout) is not None


@pytest.mark.parametrize(
    ("outcome", "stdout", "fits"),
    [
        (refused("NOT_FOUND: a.b"), "Failed to start server. Error: NOT_FOUND: a.b\n", True),
        (refused("NOT_FOUND: a.b"), "usage\nFailed to start server. Error: NOT_FOUND: a.b\nmore\n", True),
        (refused("NOT_FOUND: a.b"), "Failed to start server. Error: NOT_FOUND: aXb\n", False),
        (refused("NOT_FOUND: a"), "Failed to start server. Error: NOT_FOUND: ab\n", False),
        (refused(re.compile("NOT_FOUND: a|UNKNOWN: b")), "Failed to start server. Error: UNKNOWN: b", True),
        (refused(re.compile("NOT_FOUND: a|UNKNOWN: b")), "NOT_FOUND: a", False),
        (
            not_loaded("{name: m version: 1}", re.compile("DATA_LOSS: .*")),
            "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
            "{{{name: m version: 1} due to error: DATA_LOSS: no good}, }\n",
            True,
        ),
        (
            not_loaded("{name: m version: 1}", "DATA_LOSS: no good"),
            "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
            "{{{name: m version: 2} due to error: DATA_LOSS: no good}, }\n",
            False,
        ),
    ],
)
def test_refusals(outcome: Exits, stdout: str, fits: bool) -> None:
    assert outcome.statuses == (255,)
    assert found(outcome, stdout) is fits


def test_one_outcome_or_several() -> None:
    serves, waits = Serves(), Waits(1)
    one = StartUp("a", "r", (), serves, facts=())
    two = StartUp("a", "r", (), (serves, waits), facts=())
    assert (one.possible, two.possible) == ((serves,), (serves, waits))
    assert str(two) == "the server serves model 'm' over rest and grpc, or waits with closed ports for 1 s"
