"""One run of load, from the calibration to the footer of its record: what the coordinating process does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import gevent
from gevent.event import Event

from harness.loadgen import calibration, judging, messages, peak, progress, validity
from harness.loadgen.arrivals import Arrival, Stage
from harness.loadgen.calibration import NullServer
from harness.loadgen.journal import Journal
from harness.loadgen.judging import ExitCode, Verdict
from harness.loadgen.observer import Metrics, Processes
from harness.loadgen.options import UNTIL_STOPPED, BadOption
from harness.loadgen.plan import Phase
from harness.loadgen.results import Results
from harness.loadgen.session import Session
from harness.loadgen.slo import over
from harness.loadgen.steps import StepClock
from harness.loadgen.swap import Change, Swap, swaps
from harness.recording import Record
from harness.terms import Protocol as Wire

#: Seconds between telling the workers of a phase and its beginning.
_LEAD = 0.3
#: Seconds that workers get to calibrate, beyond what the measurement takes.
_CALIBRATION_DEADLINE = 30.0
#: How far below the limit of what is valid a peak search stays: rates are only met on average.
_BELOW = 0.95
#: The part of the first rate below which a peak search gives up.
_HALVINGS = 64
#: Seconds between two looks at the server's own counters.
_METRICS_EVERY = 5.0


class Fleet(Protocol):
    """The processes that make load."""

    def workers(self) -> tuple[str, ...]:
        """Their names, in an order that stays."""
        ...

    def send(self, message: str, data: dict[str, Any]) -> None:
        """Send a message to all of them."""
        ...


class Run:
    """A run on a session that is ready. Use it from one greenlet; messages of workers may come in any.

    ``say`` gets every line for the terminal.
    """

    def __init__(self, session: Session, fleet: Fleet, record: Record, say: Callable[[str], None]) -> None:
        self.results: list[Results] = []
        self.verdicts: list[Verdict] = []
        self._session = session
        self._settings = session.settings
        self._fleet = fleet
        self._journal = Journal(record, session.plan)
        self._clock = StepClock(session, self._mute, self._event)
        self._say = say
        self._ceilings: dict[str, Mapping[str, list[float]]] = {}
        self._ceiling: float | None = None
        self._arrived = Event()
        self._stopping = False
        self._finished = False

    # ------------------------------------------------------------------ messages from workers

    def on_windows(self, message: Mapping[str, Any]) -> None:
        """A worker sends windows."""
        self._of(message).add_windows(message)
        self._arrived.set()

    def on_done(self, message: Mapping[str, Any]) -> None:
        """A worker has finished a phase."""
        self._of(message).add_done(message)
        self._arrived.set()

    def on_calibrated(self, message: Mapping[str, Any]) -> None:
        """A worker knows its ceiling."""
        self._ceilings[message["worker"]] = message["ceilings"]
        self._arrived.set()

    def _of(self, message: Mapping[str, Any]) -> Results:
        number: int = message["phase"]
        return self.results[number - 1]

    # ------------------------------------------------------------------ before

    def prepare(self) -> None:
        """Hand out the plan, and measure how much load there can be. Raises BadOption."""
        workers = self._fleet.workers()
        if self._settings.users < len(workers) and self._settings.profile.users is None:
            raise BadOption(
                f"--users {self._settings.users}: each of the {len(workers)} processes needs one at least"
            )
        self._fleet.send(messages.PLAN, self._session.plan.to_message())
        if self._settings.calibrate:
            self._calibrate(workers)

    def _calibrate(self, workers: tuple[str, ...]) -> None:
        plan = self._session.plan
        shares = calibration.protocols(plan)
        self._say("measuring the generator's own ceiling against a null server ...")
        with NullServer([request.sample for request in plan.requests]) as server:
            self._fleet.send(messages.CALIBRATE, {"addresses": server.addresses})
            deadline = time.monotonic() + _CALIBRATION_DEADLINE
            while set(workers) - set(self._ceilings):
                self._await(deadline)
                if time.monotonic() > deadline:
                    raise BadOption("a generator process did not finish its calibration in time")
        ceilings = calibration.add_up([self._ceilings[worker] for worker in workers])
        self._journal.calibration(ceilings, len(workers))
        for protocol, (per_s, p50_us) in ceilings.items():
            self._say(f"ceiling over {protocol}: {per_s:,.0f} requests/s, median {p50_us / 1000:.3f} ms")
        if all(ceiling.per_s for ceiling in ceilings.values()):
            mixed = {protocol: ceiling.per_s for protocol, ceiling in ceilings.items()}
            self._ceiling = calibration.ceiling_of_mix(shares, mixed)
            self._say(
                f"results are the server's up to {calibration.SAFE * self._ceiling:,.0f} requests/s, "
                f"{calibration.SAFE:.0%} of the ceiling for this traffic"
            )

    # ------------------------------------------------------------------ the load

    def play(self) -> None:
        """Make the load: the phases, and the scenario's steps on the clock."""
        self._processes = Processes(self._session.pid)
        self._metrics = Metrics(self._session.addresses.get(Wire.REST))
        if self._settings.find_peak:
            self._find_peak()
            return
        settings = self._settings
        results = self._begin(
            settings.name,
            settings.profile.arrival,
            settings.rates.stages,
            minimum=settings.minimum,
            users=settings.profile.users or 0,
        )
        clock = gevent.spawn(self._clock.play, results.phase)
        try:
            self._watch(results)
        finally:  # whoever plays may be stopped from outside
            clock.kill()

    def stop(self, seconds: float) -> None:
        """End the phase under way, and wait up to ``seconds`` for the last replies."""
        self._stopping = True
        if self.results and not self.results[-1].complete:
            self._fleet.send(messages.STOP, {})
            deadline = time.monotonic() + seconds
            while not self.results[-1].complete and time.monotonic() < deadline:
                self._await(deadline)

    def _begin(
        self, name: str, arrival: Arrival, stages: tuple[Stage, ...], *, minimum: int = 0, users: int = 0
    ) -> Results:
        """Announce a phase."""
        window = self._session.plan.window
        workers = self._fleet.workers()
        # Windows begin at whole multiples of their length in the record's time.
        start = self._journal.aligned(time.time() + _LEAD, window)
        phase = Phase(
            len(self.results) + 1,
            name,
            start,
            arrival,
            stages,
            workers[:users] if users else workers,
            minimum,
            users,
        )
        self.results.append(Results(phase, window))
        self._fleet.send(messages.PHASE, phase.to_message())
        rate = phase.profile.due(phase.length) / phase.length
        wanted = f" of {rate:,.0f}/s" if rate else ""
        lasts = "until stopped" if phase.length == UNTIL_STOPPED else f"for {phase.length:g} s"
        self._say(f"load: {name}{wanted} {lasts}, seed {self._settings.seed}")
        return self.results[-1]

    def _watch(self, results: Results, hopeless: Callable[[], bool] = lambda: False) -> None:
        """Follow a phase to its end; stop it early if ``hopeless`` says so."""
        phase, settings = results.phase, self._settings
        slack = settings.timeout + settings.patience + 5
        tick = phase.start + results.window
        last_news = phase.start + phase.length
        metrics_due = phase.start + _METRICS_EVERY
        while not results.complete:
            self._await(time.monotonic() + 0.25)
            moment = time.time()
            if moment < tick:
                continue
            # What closed a window ago is in from every worker; a slow one's windows come in the next turn.
            number = int((moment - phase.start) / results.window) - 1
            fresh = self._journal.windows(results, number)
            if fresh:
                self._say(progress.lines(results, fresh))
                last_news = max(last_news, moment)
            self._journal.resources(self._processes)
            if moment > metrics_due:
                self._journal.metrics(self._metrics)
                metrics_due += _METRICS_EVERY
            if hopeless() and not self._stopping:
                results.abandoned = True
                self._fleet.send(messages.STOP, {})
            tick += results.window
            if moment > last_news + slack:
                break
        fresh = self._journal.windows(results, None)
        if fresh:
            self._say(progress.lines(results, fresh))
        self._journal.metrics(self._metrics)
        self._journal.phase(results)

    def _await(self, deadline: float) -> None:
        """Wait for a worker's message, until ``deadline`` at most."""
        self._arrived.wait(max(0.0, deadline - time.monotonic()))
        self._arrived.clear()

    def _mute(self, numbers: list[int]) -> None:
        self._fleet.send(messages.MUTE, {"requests": numbers})

    def _event(self, name: str, model: str | None, version: int | None, detail: str) -> None:
        self._journal.event(name, model, version, detail)
        self._say(f"{name}: {detail}")

    # ------------------------------------------------------------------ peak search

    def _find_peak(self) -> None:
        latency = self._settings.slo.latency
        assert latency is not None
        assert latency.percentile is not None
        share = latency.percentile / 100

        def attempt(rate: float) -> peak.Trial:
            trial = once(rate)
            # A trial that the generator itself may have spoilt gets a second chance.
            return once(rate) if trial.note and not self._stopping else trial

        def once(rate: float) -> peak.Trial:
            if self._stopping:
                return peak.Trial(rate, 0, 0, False, "interrupted")
            # At low rates a trial takes longer: fewer requests could not prove anything.
            length = max(self._settings.trial, peak.enough_queries(share) / rate)
            arrival = self._settings.profile.arrival
            kind = Arrival.POISSON if arrival is Arrival.CLOSED else arrival
            results = self._begin(f"{rate:,.0f}/s", kind, (Stage(length, rate, rate),))

            def hopeless() -> bool:
                total = results.total()
                return peak.decide(over(latency, total), total.asked, share) is False

            self._watch(results, hopeless)
            total = results.total()
            missed = over(latency, total)
            held = peak.decide(missed, total.asked, share) is True
            # A generator that is late only makes response times longer: what held in spite of it did hold.
            reasons = [] if held else validity.invalid(results, self._ceiling)
            return peak.Trial(rate, total.asked, missed, held, "; ".join(reasons))

        highest = math.inf if self._ceiling is None else _BELOW * calibration.SAFE * self._ceiling
        start = min(self._settings.rates.rate(0) or 100.0, highest)
        lowest = max(1.0, start / _HALVINGS)
        found = peak.find(attempt, share=share, start=start, lowest=lowest, highest=highest)
        self.verdicts.append(judging.peak_verdict(found, latency.text))

    # ------------------------------------------------------------------ after

    @property
    def record_path(self) -> Path:
        """Where the record is."""
        return self._journal.path

    @property
    def changes(self) -> list[Change]:
        """What the steps have done so far."""
        return self._clock.changes

    def finish(self) -> ExitCode:
        """Judge, write the end of the record, and say what came out. The second call does nothing."""
        if self._finished:
            return judging.exit_code(self.verdicts)
        self._finished = True
        changed: list[Swap] = []
        if self.results and not self._settings.find_peak:
            results = self.results[-1]
            self._journal.windows(results, None)
            self.verdicts += judging.judge(
                results, self._settings.profile.percentile, self._settings.slo, self._ceiling
            )
            changed = swaps(results, self.changes)
            self._say(progress.summary(results, changed))
        elif self.results:
            self.verdicts.append(judging.wrong_replies([results.total() for results in self.results]))
            if not any(verdict.name == "peak" for verdict in self.verdicts):
                self.verdicts.append(Verdict("peak", None, "the search was interrupted", {}))
        if self._clock.failure is not None:
            self.verdicts.append(Verdict("correctness", False, self._clock.failure, {}))
        code = judging.exit_code(self.verdicts)
        self._journal.close(self.verdicts, changed, code, interrupted=self._interrupted())
        self._say("\n".join([*progress.verdict_lines(self.verdicts), f"record: {self._journal.path}"]))
        return code

    def _interrupted(self) -> bool:
        """Tell whether the load ended before its time, whoever was the first to hear of it."""
        if self._settings.rates.length == UNTIL_STOPPED:
            return False
        return self._stopping or any(results.cut_short for results in self.results)
