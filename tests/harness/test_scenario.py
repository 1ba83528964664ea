from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from harness.actions import Publish, Reload, Replace, Withdraw
from harness.checks import Answers, NoGap, Refuses, Shows
from harness.scenario import Scenario, Step, side_by_side
from harness.terms import (
    All,
    Call,
    Capability,
    Code,
    Latest,
    Model,
    Policy,
    Request,
    Specific,
    State,
    Traffic,
)

M = Model("m", "half_plus_two", versions=(1, 2), offset=10)


def scenario(*steps: Step, **fields: object) -> Scenario:
    return Scenario(**{"id": "s", "title": "t", "models": (M,), "steps": steps, **fields})  # type: ignore[arg-type]


def test_is_pure_data_and_needs_neither_pytest_nor_locust() -> None:
    code = (
        "import sys; import scenarios.hot_plug.scenario; import harness.player; "
        "found = {'pytest', 'locust', 'tensorflow', 'gevent', 'server_impl'} & sys.modules.keys(); "
        "sys.exit(str(found) if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    with pytest.raises(FrozenInstanceError):
        M.name = "other"  # type: ignore[misc]


def test_stories_side_by_side() -> None:
    one = [Step(f"a{number}", "r") for number in range(3)]
    two = [Step("b0", "r")]
    steps = side_by_side(one, two)
    assert [(step.id, step.beside) for step in steps] == [
        ("a0", False),
        ("b0", True),
        ("a1", False),
        ("a2", False),
    ]
    together = scenario(*steps).together
    assert [list(together(index)) for index in range(4)] == [[0, 1], [0, 1], [2], [3]]


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (None, (5,)),
        (Latest(), (5,)),
        (Latest(0), (5,)),
        (Latest(2), (5, 3)),
        (Latest(9), (5, 3, 1)),
        (All(), (5, 3, 1)),
        (Specific((1, 5, 7)), (5, 1)),
        (Specific(()), ()),
    ],
)
def test_served_at_the_start(policy: Policy | None, served: tuple[int, ...]) -> None:
    assert Model("m", "grid", versions=(1, 5, 3), policy=policy).served() == served


def test_contents_follow_what_is_published_and_not_what_is_replaced() -> None:
    played = scenario(
        Step("start", "r"),
        Step("add", "r", (Publish("m", 3),)),
        Step("other", "r", (Replace("m", 3, contents=99), Withdraw("m", 2), Publish("m", 2, contents=7))),
    )
    assert [played.contents("m", 2, step) for step in range(3)] == [12, 12, 7]
    assert played.contents("m", 3, 2) == 13


def test_keys_tell_checks_apart() -> None:
    facts = ("1",)
    checks = (
        Answers(Request("m"), by=2, facts=facts),
        Answers(Request("m", version=1), by=1, facts=facts),
        Answers(Request("m", label="stable"), by=1, facts=facts),
        Answers(Request("m", version=1, signature="s"), by=1, facts=facts),
        Refuses(Request("m"), Code.NOT_FOUND, "x", facts=facts),
        Refuses(Request("m"), Code.NOT_FOUND, "x", Call.STATUS, facts=facts),
        Shows("m", {1: State.END}, facts=facts),
        NoGap(Request("m"), 1, 2, facts=facts),
    )
    assert [check.key for check in checks] == [
        "answers-m",
        "answers-m@1",
        "answers-m@stable",
        "answers-m@1:s",
        "refuses-m",
        "refuses-status-m",
        "shows-m",
        "nogap-m",
    ]


def test_needs_follow_from_the_actions() -> None:
    assert Step("s", "r").needs == frozenset()
    assert Step("s", "r", (Publish("m", 1), Reload(()))).needs == {Capability.REPOSITORY, Capability.RELOAD}


def test_flags_need_a_server_of_ones_own() -> None:
    assert scenario().needs == frozenset()
    assert scenario(flags={"enable_batching": True}).needs == {Capability.START}


def test_reloaded_models_count_as_configured() -> None:
    later = Model("later", "dense")
    played = scenario(Step("a", "r", (Reload((M, later)),)), Step("b", "r", (Publish("later", 2),)))
    assert played.configured() == {"m": M, "later": later}
    assert played.contents("later", 2, 1) == 2


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"models": (M, M)}, "model ids given twice: m"),
        ({"steps": (Step("a", "r"), Step("a", "r"))}, "step ids given twice: a"),
        ({"steps": (Step("a", "r", (Publish("x", 1),)),)}, "no model is called 'x'"),
        ({"traffic": (Traffic(Request("x")),)}, "no model is called 'x'"),
        (
            {"steps": (Step("a", "r", (), (Answers(Request("x"), by=1, facts=()),)),)},
            "no model is called 'x'",
        ),
        (
            {"steps": (Step("a", "r", (), (Shows("m", {}, facts=()), Shows("m", {}, facts=()))),)},
            "check ids given twice: shows-m",
        ),
    ],
)
def test_mistakes_in_a_definition(fields: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        scenario(**fields)


def test_a_request_is_pinned_once() -> None:
    with pytest.raises(ValueError, match="a version or a label, not both"):
        Request("m", version=1, label="stable")


def test_poll_seconds_come_from_the_flags() -> None:
    assert scenario().poll_seconds == 1
    assert scenario(flags={"file_system_poll_wait_seconds": 3}).poll_seconds == 3
