import time
from types import SimpleNamespace

import pytest

from harness.actions import Publish, Withdraw
from harness.client import Refusal
from harness.loadgen.arrivals import Arrival, Stage
from harness.loadgen.plan import Phase
from harness.loadgen.steps import StepClock
from harness.scenario import Step

STEPS = (
    Step("look", ""),
    Step("add", "", actions=(Publish("m", 2),)),
    Step("take", "", actions=(Withdraw("m", 1), Withdraw("m", 2))),
    Step("back", "", actions=(Publish("m", 3),)),
)


class FakeSession:
    """A server whose request number 0 gets no answer after step 2, and does again after step 3."""

    def __init__(self, *, every=0.05, refuse=None):
        self.settings = SimpleNamespace(steps=True, step_every=every)
        self.scenario = SimpleNamespace(poll_seconds=1)
        self.plan = SimpleNamespace(
            requests=[SimpleNamespace(endpoint=SimpleNamespace(name="rest predict m"))]
        )
        self.done = []
        self._refuse = refuse

    def acting_steps(self):
        return [(number, step) for number, step in enumerate(STEPS) if step.actions]

    def unanswered(self, number):
        return [0] if number == 2 else []

    def await_answers(self, numbers):
        self.done.append(("awaited", numbers))

    def act(self, action):
        if str(action) == self._refuse:
            raise Refusal("no")
        self.done.append(str(action))


def play(session, length=10.0):
    events = []
    clock = StepClock(
        session,
        lambda numbers: session.done.append(("muted", numbers)),
        lambda *event: events.append(event),
    )
    clock.play(Phase(1, "run", time.time(), Arrival.CONSTANT, (Stage(length, 1, 1),), ("w",)))
    return clock, events


def test_traffic_ends_before_the_step_that_takes_its_server_and_returns_with_it():
    session = FakeSession()
    clock, events = play(session)
    assert session.done == [
        "publish m/2",
        ("muted", [0]),
        "withdraw m/1",
        "withdraw m/2",
        "publish m/3",
        ("awaited", [0]),
        ("muted", []),
    ]
    assert [(change.step, change.name, change.version) for change in clock.changes] == [
        (1, "publish", 2),
        (2, "withdraw", 1),
        (2, "withdraw", 2),
        (3, "publish", 3),
    ]
    assert [event[0] for event in events] == [
        "publish",
        "traffic",
        "withdraw",
        "withdraw",
        "publish",
        "traffic",
    ]


def test_steps_come_at_their_times():
    session = FakeSession(every=0.1)
    begin = time.time()
    clock, _ = play(session)
    assert clock.changes[0].t == pytest.approx(0.1, abs=0.09)
    assert clock.changes[0].t >= 0.1
    assert time.time() - begin >= 0.3


def test_steps_that_do_not_fit_are_left_out_and_named():
    session = FakeSession(every=0.05)
    _, events = play(session, length=0.1)
    assert session.done == ["publish m/2"]
    assert events[0][0] == "steps"
    assert "1 of 3 fit into 0.1 s" in events[0][3]


def test_without_an_interval_a_server_has_time_to_notice():
    session = FakeSession(every=0.0)
    _, events = play(session, length=2.0)
    assert "0 of 3 fit into 2 s, one every 2.5 s" in events[0][3]


def test_a_step_that_fails_ends_the_sequence():
    session = FakeSession(refuse="withdraw m/1")
    clock, events = play(session)
    assert "step take failed" in clock.failure
    assert events[-1][0] == "step failed"
    assert "publish m/3" not in session.done
