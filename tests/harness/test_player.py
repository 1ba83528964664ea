"""The player against a server in miniature: what it waits for, and what it gives up."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import targets
from harness.actions import Action, Publish, Put, Reload, Replace, Send, Withdraw
from harness.checks import (
    Answered,
    Answers,
    Check,
    Drains,
    Moment,
    Passes,
    Pending,
    Precedes,
    Returned,
    Shows,
)
from harness.client.grpc import RELOAD_CONFIG
from harness.player import Event, Player, contents_needed
from harness.scenario import Scenario, Step, side_by_side
from harness.terms import All, Code, Model, Protocol, Request, State
from harness.verdict import Mismatch
from tests.miniatures import standins

FACTS = ("1",)
M = Model("m", "grid", policy=All())

Play = Callable[..., AbstractContextManager[Player]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Gives a context with a player for some steps."""
    monkeypatch.setenv("TFSERVING_HARNESS_CACHE", str(tmp_path / "cache"))

    @contextmanager
    def start(
        *steps: Step,
        fault: str = "Right",
        models: tuple[Model, ...] = (M,),
        events: list[Event] | None = None,
        before: tuple[Action, ...] = (),
    ) -> Iterator[Player]:
        scenario = Scenario("s", "t", models, steps, before=before)
        standins.write(contents_needed(scenario))
        player = Player(
            scenario,
            targets.parse(f"command:{sys.executable} -m tests.miniatures.server {fault}"),
            Protocol,
            patience=0.5,
            on_event=(events if events is not None else []).append,
        )
        try:
            yield player
        finally:
            player.close()

    return start


def shows(**states: State) -> Check:
    return Shows("m", {int(version[1:]): state for version, state in states.items()}, facts=FACTS)


def test_waits_until_a_check_holds(play: Play) -> None:
    both = shows(v1=State.AVAILABLE, v2=State.AVAILABLE)
    with play(Step("add", "r", (Publish("m", 2),), (both,))) as player:
        for protocol in Protocol:
            player.verify(0, both, protocol)
        assert player.evidence


def test_gives_up_after_poll_and_patience(play: Play) -> None:
    never = shows(v1=State.END)
    with play(Step("look", "r", (), (never,))) as player:
        began = time.monotonic()
        with pytest.raises(Mismatch) as caught:
            player.verify(0, never, Protocol.GRPC)
        assert (caught.value.expected, caught.value.actual) == ("1 END", "1 AVAILABLE")
        assert 1.4 < time.monotonic() - began < 5
        began = time.monotonic()
        with pytest.raises(Mismatch):
            player.verify(0, never, Protocol.REST)
        assert time.monotonic() - began < 1, "time is up for the whole step"


def test_a_quiet_step_notices_what_happens_late(play: Play) -> None:
    """The change shows only with the next look at the disk, when the check has held for a while."""
    still = Answers(Request("m"), by=1, facts=FACTS)
    with play(Step("replace", "r", (Replace("m", 1, contents=5),), (still,), quiet=True)) as player:
        player.verify(0, still, Protocol.REST)
    with (
        play(Step("add", "r", (Publish("m", 2),), (still,), quiet=True)) as player,
        pytest.raises(Mismatch, match="the answer of contents 2"),
    ):
        player.verify(0, still, Protocol.REST)


def test_steps_side_by_side_wait_together(play: Play) -> None:
    """While one step is watched for staying as it is, the other comes true: the time is spent once."""
    still = Answers(Request("m", version=1), by=1, facts=FACTS)
    both = Shows("n", dict.fromkeys((2, 1), State.AVAILABLE), facts=FACTS)
    stories = (
        [Step("still", "r", (), (still,), quiet=True)],
        [Step("add", "r", (Publish("n", 2),), (both,))],
    )
    with play(*side_by_side(*stories), models=(M, replace(M, name="n"))) as player:
        began = time.monotonic()
        player.verify(0, still, Protocol.REST)
        player.verify(1, both, Protocol.GRPC)
        player.verify(0, still, Protocol.GRPC)
        assert 2.4 < time.monotonic() - began < 5
        assert player.can_reach(0)


def test_what_passes_by_counts_once_seen(play: Play) -> None:
    """The check holds until the next look at the disk; it is made again long after that."""
    alone = shows(v1=State.AVAILABLE)
    with play(Step("passing", "r", (Publish("m", 2),), (alone,), passing=True)) as player:
        player.reach(0)
        deadline = time.monotonic() + 10
        while len(player.client(Protocol.REST).status("m")) == 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        player.verify(0, alone, Protocol.REST)
        assert player.evidence[-1].method == "GET /v1/models/m"


def test_reloads_in_the_background(play: Play) -> None:
    labelled = (Model("m", "grid", policy=All(), labels={"stable": 9}),)
    refused = Returned("bad", Code.FAILED_PRECONDITION, re.compile("Request to assign .* 9 .*"), facts=FACTS)
    accepted, pending = Returned("good", facts=FACTS), Pending("good", facts=FACTS)
    step = Step("reload", "r", (Reload(labelled, id="bad"), Reload((M,), id="good")), (refused, accepted))
    with play(step, Step("later", "r", (), (pending,))) as player:
        player.verify(0, refused, Protocol.GRPC)
        player.verify(0, accepted, Protocol.GRPC)
        assert [exchange.method for exchange in player.evidence] == [RELOAD_CONFIG]
        with pytest.raises(Mismatch, match="it succeeded"):
            player.verify(1, pending, Protocol.GRPC)


def test_a_request_that_runs_on(play: Play) -> None:
    slow = Model("slow", "slow", policy=All())
    request = Request("slow", inputs={"ms": np.array([600.0], np.float32)})
    answered = Answered("long", facts=FACTS)
    ended = Shows("slow", {1: State.END}, facts=FACTS)
    step = Step("remove", "r", (Send("long", request, by=1), Withdraw("slow", 1)), (answered, ended))
    with play(step, models=(slow,)) as player:
        player.verify(0, answered, Protocol.GRPC)
        assert player.evidence
        player.verify(0, ended, Protocol.REST)


def test_what_is_done_before_the_start(play: Play) -> None:
    late = Answers(Request("m"), by=7, contents=5, facts=FACTS)
    with play(Step("look", "r", (), (late,)), before=(Put("m", "007", 5),)) as player:
        player.verify(0, late, Protocol.REST)


def test_states_that_follow_each_other(play: Play) -> None:
    comes = Passes("m", 2, (State.START, State.AVAILABLE), (State.START,), facts=FACTS)
    goes = Passes("m", 1, (State.AVAILABLE, State.END), (), facts=FACTS)
    first = Precedes("m", Moment(1, State.AVAILABLE), Moment(2, State.AVAILABLE), facts=FACTS)
    last = Precedes("m", Moment(2, State.AVAILABLE), Moment(1, State.AVAILABLE), facts=FACTS)
    with play(Step("add", "r", (Publish("m", 2),), (comes, goes, first, last))) as player:
        for protocol in Protocol:
            player.verify(0, comes, protocol)
            player.verify(0, first, protocol)
            with pytest.raises(Mismatch, match="AVAILABLE"):
                player.verify(0, goes, protocol)
            with pytest.raises(Mismatch, match="2 AVAILABLE, 1 AVAILABLE"):
                player.verify(0, last, protocol)


def test_steps_are_played_once_and_in_order(play: Play) -> None:
    events: list[Event] = []
    steps = [Step(str(version), "r", (Publish("m", version),)) for version in (2, 3)]
    with play(*steps, events=events) as player:
        assert player.pristine
        player.reach(1)
        player.reach(1)
        assert not player.pristine
        with pytest.raises(ValueError, match="backwards"):
            player.reach(0)
    assert [(event.name, event.model, event.version) for event in events] == [
        ("start", None, None),
        ("publish", "m", 2),
        ("publish", "m", 3),
    ]


def test_a_reload_that_is_refused_fails_this_and_later_checks(play: Play) -> None:
    check = Answers(Request("m"), by=1, facts=FACTS)
    labelled = Reload((Model("m", "grid", policy=All(), labels={"stable": 9}),))
    with play(Step("label", "r", (labelled,), (check,)), Step("later", "r", (), (check,))) as player:
        for index in (0, 1):
            with pytest.raises(Mismatch) as caught:
                player.verify(index, check, Protocol.REST)
            assert caught.value.expected == "accepted: reload a configuration of m"
            assert "FAILED_PRECONDITION: Request to assign label to version 9" in caught.value.actual


@pytest.mark.parametrize(
    ("fault", "text"), [("Right", None), ("DropsRunning", "dropped"), ("EndsEarly", "before the answer")]
)
def test_a_running_request_outlives_patience(play: Play, fault: str, text: str | None) -> None:
    request = Request("slow", inputs={"ms": np.array([2000.0], np.float32)})
    drains = Drains(request, by=1, facts=FACTS)
    step = Step("remove", "r", (Withdraw("slow", 1),), (drains,))
    with play(step, fault=fault, models=(Model("slow", "slow", policy=All()),)) as player:
        for protocol in Protocol:
            if text is None:
                player.verify(0, drains, protocol)
            else:
                with pytest.raises(Mismatch, match=text):
                    player.verify(0, drains, protocol)


def test_a_pristine_server_serves_another_scenario(play: Play) -> None:
    check = Answers(Request("m"), by=1, facts=FACTS)
    with play(Step("look", "r", (), (check,))) as player:
        player.verify(0, check, Protocol.REST)
        other = Scenario("other", "t", (M,), (Step("again", "r", (), (check,)),))
        player.adopt(other)
        player.verify(0, check, Protocol.GRPC)
        assert player.scenario is other


def test_what_has_to_be_built() -> None:
    later = Model("later", "dense", offset=3)
    scenario = Scenario(
        "s",
        "t",
        (M,),
        (
            Step(
                "a",
                "r",
                (Publish("m", 4), Replace("m", 1, contents=9), Publish("later", 1), Reload((later,))),
            ),
        ),
    )
    assert sorted((builder.name, contents) for builder, contents in contents_needed(scenario)) == [
        ("dense", 4),
        ("grid", 1),
        ("grid", 4),
        ("grid", 9),
    ]
