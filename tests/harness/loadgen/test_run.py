"""A run without a server: workers that never say anything."""

from pathlib import Path
from types import SimpleNamespace

import gevent
from gevent.event import Event

from harness.actions import Publish
from harness.loadgen.arrivals import RateProfile, Stage
from harness.loadgen.profiles import PROFILES
from harness.loadgen.run import Run
from harness.scenario import Step

DEADLINE = 10


class SlowSession:
    """Each step's action takes for ever, and tells when it is begun and when it is broken off."""

    def __init__(self):
        self.settings = SimpleNamespace(
            find_peak=False,
            name="constant",
            profile=PROFILES["constant"],
            rates=RateProfile((Stage(60.0, 1.0, 1.0),)),
            minimum=0,
            seed=1,
            timeout=1.0,
            patience=1.0,
            steps=True,
            step_every=0.05,
        )
        self.plan = SimpleNamespace(requests=[], window=1.0)
        self.scenario = SimpleNamespace(poll_seconds=1)
        self.pid = None
        self.addresses = {}
        self.begun, self.broken_off = Event(), Event()

    def acting_steps(self):
        return [(0, Step("add", "", actions=(Publish("m", 2),)))]

    def unanswered(self, number):
        return []

    def act(self, action):
        self.begun.set()
        try:
            gevent.sleep(DEADLINE)
        finally:
            self.broken_off.set()


class FakeRecord:
    path = Path("run.jsonl")

    def since_start(self, moment):
        return moment

    def write(self, kind, **fields):
        pass


def test_whoever_ends_the_load_ends_its_steps():
    session = SlowSession()
    fleet = SimpleNamespace(workers=lambda: ("w",), send=lambda message, data: None)
    player = gevent.spawn(Run(session, fleet, FakeRecord(), lambda text: None).play)
    assert session.begun.wait(DEADLINE)
    assert not session.broken_off.is_set()
    player.kill()
    assert session.broken_off.is_set()
