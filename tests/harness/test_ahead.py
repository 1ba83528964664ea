"""Servers that are started before they are needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from harness.ahead import Ahead, can_wait
from harness.scenario import Scenario
from harness.targets import StartError
from harness.terms import Capability, Model

FIRST = Scenario("first", "t", (Model("m", "grid"),), ())
SECOND = replace(FIRST, id="second")


class FakeServer:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


class FakeTarget:
    """Starts take until ``may_start`` is set; that of ``broken`` fails."""

    capabilities = frozenset(Capability)

    def __init__(self) -> None:
        self.may_start = threading.Event()
        self.may_start.set()
        self.has_started = threading.Event()
        self.started: list[FakeServer] = []

    def start(self, scenario: Scenario) -> FakeServer:
        assert self.may_start.wait(10)
        if scenario.id == "broken":
            raise StartError("it does not start")
        self.started.append(FakeServer(scenario))
        self.has_started.set()
        return self.started[-1]


@pytest.fixture
def target() -> FakeTarget:
    return FakeTarget()


@pytest.fixture
def ahead(target: Any) -> Iterator[Ahead]:
    with closing(Ahead(target)) as made:
        yield made


def test_the_server_comes_while_something_else_happens(ahead: Ahead, target: FakeTarget) -> None:
    target.may_start.clear()
    ahead.begin(FIRST)  # does not wait
    target.may_start.set()
    server = ahead.take(FIRST)
    assert [server] == target.started
    assert not target.started[0].stopped
    assert ahead.take(FIRST) is None, "it is given once"


def test_a_server_for_another_scenario_is_stopped(ahead: Ahead, target: FakeTarget) -> None:
    ahead.begin(FIRST)
    assert target.has_started.wait(10)
    assert ahead.take(SECOND) is None
    assert target.started[0].stopped


def test_a_start_that_fails_is_told_to_whoever_needs_it(ahead: Ahead) -> None:
    broken = replace(FIRST, id="broken")
    ahead.begin(broken)
    with pytest.raises(StartError, match="does not start"):
        ahead.take(broken)


def test_nothing_is_left_at_the_end(target: Any) -> None:
    ahead = Ahead(target)
    ahead.begin(FIRST)
    assert target.has_started.wait(10)
    ahead.close()
    assert all(server.stopped for server in target.started)
    ahead = Ahead(target)
    ahead.begin(replace(FIRST, id="broken"))
    ahead.close()


def test_only_servers_that_may_wait_are_started_ahead(target: Any) -> None:
    assert can_wait(FIRST, target)
    assert not can_wait(replace(FIRST, opens=False), target)
    target.capabilities = frozenset({Capability.REPOSITORY})
    assert not can_wait(FIRST, target)
