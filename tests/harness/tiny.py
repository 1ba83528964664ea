"""A tiny scenario and its tests, to be run by a pytest of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RIGHT = f"command:{sys.executable} -m tests.miniatures.server Right"

SCENARIO = """
    from harness.actions import *
    from harness.checks import *
    from harness.scenario import *
    from harness.terms import *

    SCENARIO = Scenario(
        "tiny",
        "A tiny scenario",
        (Model("m", "grid"),),
        (
            Step("start", "It answers.", (), (
                Answers(Request("m"), by=1, facts=("1.2", "ABC-01")),
                Refuses(Request("m", version=7), Code.NOT_FOUND,
                        "Servable not found for request: Specific(m, 7)", facts=("1.3",), level=Level.QUIRK),
            )),
            Step("add", "It takes over.", (Publish("m", 2),), (
                Answers(Request("m"), by=2, facts=("1.4",), protocols=(Protocol.GRPC,)),
                NoGap(Request("m"), 1, 2, facts=("1.4",)),
            )),
            Step("never", "It comes back.", (), (Answers(Request("m"), by=1, facts=("1.5",)),)),
        ),
    )
"""

TESTS = """
    import pytest
    from harness.verdict import Mismatch
    from scenario import SCENARIO

    pytestmark = pytest.mark.scenario(SCENARIO)

    @pytest.mark.fact("9.1", level="SHOULD")
    def test_by_hand(player, protocol):
        '''Version 1 is there.'''
        assert [entry.version for entry in player.client(protocol).status("m")] == [1]

    @pytest.mark.fact("9.2", protocol="rest")
    def test_rest_only(player):
        '''Fails always.'''
        raise Mismatch("this", "that")

    def test_step(check):
        check()
"""


def run(pytester: pytest.Pytester, *arguments: str, target: str | None = None) -> pytest.RunResult:
    target = target or RIGHT
    return pytester.runpytest_subprocess(
        "-p",
        "no:locust",
        "-p",
        "harness.plugin",
        "--strict-markers",
        f"--target={target}",
        "--patience=1",
        "--record=run.jsonl",
        *arguments,
        timeout=60,
    )


def lines(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (pytester.path / "run.jsonl").read_text().splitlines()]


def outcomes(pytester: pytest.Pytester) -> dict[str, str]:
    return {line["id"]: line["outcome"] for line in lines(pytester) if line["kind"] == "check"}
