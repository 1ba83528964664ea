"""Plays a scenario's steps on the clock while its traffic runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import gevent

from harness.client import Refusal, Unreachable
from harness.loadgen.options import STEP_SECONDS, UNTIL_STOPPED, BadOption
from harness.loadgen.plan import Phase
from harness.loadgen.session import Session
from harness.loadgen.swap import Change
from harness.scenario import Step

#: Seconds that a change of the traffic gets to reach all workers, and their last requests to be answered.
_SETTLE = 0.5
#: Seconds that a step gets at least, beyond the server's poll, to take effect.
_NOTICE = 1.5

#: Told what happens: name, model, version, a sentence.
OnEvent = Callable[[str, str | None, int | None, str], None]


class StepClock:
    """The steps of the session's scenario, one every so often.

    ``mute(numbers)`` is called with the requests of the plan that get no answer for now: their traffic
    ends just before the step that takes away whoever answered it, and comes back when somebody does again.
    """

    def __init__(self, session: Session, mute: Callable[[list[int]], None], on_event: OnEvent) -> None:
        self.changes: list[Change] = []
        self.failure: str | None = None
        self._session = session
        self._steps = session.acting_steps() if session.settings.steps else []
        self._mute_all = mute
        self._on_event = on_event

    def play(self, phase: Phase) -> None:
        """Carry out the steps at their times, as many as fit into the phase."""
        every = self._interval(phase.length)
        fitting = self._steps[: max(0, math.ceil(phase.length / every) - 1)]
        if len(fitting) < len(self._steps):
            text = f"{len(fitting)} of {len(self._steps)} fit into {phase.length:g} s, one every {every:g} s"
            self._on_event("steps", None, None, text + "; a longer --run-time has room for all")
        muted: list[int] = []
        for turn, (number, step) in enumerate(fitting, 1):
            gevent.sleep(max(0.0, phase.start + turn * every - time.time()))
            try:
                muted = self._play(phase, number, step, muted)
            except (Refusal, Unreachable, BadOption, OSError) as error:
                self.failure = f"step {step.id} failed: {error}"
                self._on_event("step failed", None, None, self.failure)
                return

    def _interval(self, length: float) -> float:
        """Seconds between steps."""
        if self._session.settings.step_every:
            return self._session.settings.step_every
        # Closer together, a server that polls its disk would not even see them all.
        least = self._session.scenario.poll_seconds + _NOTICE
        spread = STEP_SECONDS if length == UNTIL_STOPPED else length / (len(self._steps) + 1)
        return max(least, spread)

    def _play(self, phase: Phase, number: int, step: Step, muted: list[int]) -> list[int]:
        """Carry out one step; gives the requests that are muted afterwards."""
        unanswered = self._session.unanswered(number)
        if set(unanswered) - set(muted):
            self._mute(sorted({*muted, *unanswered}))
            gevent.sleep(_SETTLE)
        for action in step.actions:
            name = type(action).__name__.lower()
            model, version = getattr(action, "model", None), getattr(action, "version", None)
            t = time.time() - phase.start
            self.changes.append(Change(t, number, name, model, version, str(action)))
            self._on_event(name, model, version, str(action))
            self._session.act(action)
        returning = set(muted) - set(unanswered)
        if returning:
            self._session.await_answers(sorted(returning))
            self._mute(unanswered)
        return unanswered

    def _mute(self, numbers: list[int]) -> None:
        self._mute_all(numbers)
        names = sorted({self._session.plan.requests[number].endpoint.name for number in numbers})
        self._on_event("traffic", None, None, f"no traffic to {', '.join(names)}" if names else "all traffic")
