"""One run of load, from the calibration to the footer of its record: what the coordinating process does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gevent
from gevent.event import Event

from harness.client import Refusal, Unreachable
from harness.loadgen import calibration, histograms, judging, messages, peak, progress, validity
from harness.loadgen.arrivals import Arrival, Stage
from harness.loadgen.calibration import NullServer
from harness.loadgen.judging import ExitCode, Verdict
from harness.loadgen.observer import Metrics, Processes
from harness.loadgen.options import UNTIL_STOPPED, BadOption
from harness.loadgen.plan import Phase
from harness.loadgen.results import Results
from harness.loadgen.session import Session
from harness.loadgen.slo import over
from harness.loadgen.swap import Change, Swap, swaps
from harness.recording import Record
from harness.scenario import Protocol as Wire
from harness.scenario import Step

#: Seconds between telling the workers of a phase and its beginning.
_LEAD = 0.3
#: Seconds that a traffic change gets to reach all workers, and their last requests to be answered.
_SETTLE = 0.5
#: Seconds that a step gets at least, beyond the server's poll, to take effect.
_NOTICE = 1.5
#: Seconds that workers get to calibrate, beyond what the measurement takes.
_CALIBRATION_DEADLINE = 30.0
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
        self.changes: list[Change] = []
        self.verdicts: list[Verdict] = []
        self._session = session
        self._settings = session.settings
        self._fleet = fleet
        self._record = record
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
        self._steps = self._session.acting_steps() if self._settings.steps else []
        workers = self._fleet.workers()
        if self._settings.users < len(workers) and self._settings.profile.users is None:
            raise BadOption(f"{self._settings.users} users cannot be spread over {len(workers)} processes")
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
        for protocol, (per_s, p50_us) in ceilings.items():
            self._record.write(
                "calibration",
                protocol=protocol,
                ceiling_per_s=per_s,
                null_p50_us=p50_us,
                processes=len(workers),
            )
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
        clock = gevent.spawn(self._play_steps, results.phase)
        self._watch(results)
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
        soonest = time.time() + _LEAD
        beyond = self._record.since_start(soonest) % window
        start = soonest + window - beyond
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
        wanted = (
            ""
            if arrival is Arrival.CLOSED
            else f" of {phase.profile.due(phase.length) / phase.length:,.0f}/s"
        )
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
            fresh = self._write_windows(results, number)
            if fresh:
                self._say(progress.line(results, fresh))
                last_news = max(last_news, moment)
            self._write_resources()
            if moment > metrics_due:
                self._write_metrics()
                metrics_due += _METRICS_EVERY
            if hopeless() and not self._stopping:
                self._fleet.send(messages.STOP, {})
            tick += results.window
            if moment > last_news + slack:
                break
        fresh = self._write_windows(results, None)
        if fresh:
            self._say(progress.line(results, fresh))
        self._write_metrics()
        self._write_phase(results)

    def _await(self, deadline: float) -> None:
        """Wait for a worker's message, until ``deadline`` at most."""
        self._arrived.wait(max(0.0, deadline - time.monotonic()))
        self._arrived.clear()

    # ------------------------------------------------------------------ steps

    def _play_steps(self, phase: Phase) -> None:
        """Carry out the steps at their times."""
        # Closer together, a server that polls its disk would not even see them all.
        least = self._session.scenario.poll_seconds + _NOTICE
        every = self._settings.step_every or max(least, phase.length / (len(self._steps) + 1))
        fitting = self._steps[: math.ceil(phase.length / every) - 1]
        if len(fitting) < len(self._steps):
            self._say(
                f"{len(fitting)} of {len(self._steps)} steps fit into {phase.length:g} s, one every "
                f"{every:g} s; a longer --run-time has room for all of them"
            )
        muted: list[int] = []
        for turn, (number, step) in enumerate(fitting, 1):
            gevent.sleep(max(0.0, phase.start + turn * every - time.time()))
            unanswered = self._session.unanswered(number)
            ending, returning = set(unanswered) - set(muted), set(muted) - set(unanswered)
            if ending:
                self._mute(sorted({*muted, *unanswered}))
                gevent.sleep(_SETTLE)
            try:
                self._act(phase, number, step)
                if returning:
                    self._session.await_answers(sorted(returning))
                    self._mute(unanswered)
            except (Refusal, Unreachable, BadOption, OSError) as error:
                self._event("step failed", None, None, f"step {step.id}: {error}")
                self.verdicts.append(Verdict("correctness", False, f"step {step.id} failed: {error}", {}))
                return
            muted = unanswered

    def _mute(self, numbers: list[int]) -> None:
        """Send no more requests that nobody is there to answer."""
        self._fleet.send(messages.MUTE, {"requests": numbers})
        names = sorted({self._session.plan.requests[number].endpoint.name for number in numbers})
        self._event("traffic", None, None, f"no traffic to {', '.join(names)}" if names else "all traffic")

    def _act(self, phase: Phase, number: int, step: Step) -> None:
        for action in step.actions:
            name = type(action).__name__.lower()
            model, version = getattr(action, "model", None), getattr(action, "version", None)
            t = time.time() - phase.start
            self.changes.append(Change(t, number, name, model, version, str(action)))
            self._event(name, model, version, str(action))
            self._session.act(action)

    def _event(self, name: str, model: str | None, version: int | None, detail: Any) -> None:
        t = self._record.since_start(time.time())
        self._record.write("event", t=t, name=name, model=model, version=version, detail=detail)
        self._say(f"{name}: {detail}")

    # ------------------------------------------------------------------ peak search

    def _find_peak(self) -> None:
        latency = self._settings.slo.latency
        assert latency is not None
        assert latency.percentile is not None
        share = latency.percentile / 100

        def attempt(rate: float) -> peak.Trial:
            if self._stopping:
                return peak.Trial(rate, 0, 0, False, "interrupted")
            # At low rates a trial takes longer: fewer requests could not prove anything.
            length = max(self._settings.trial, 1.2 * peak.minimum_queries(share) / rate)
            arrival = self._settings.profile.arrival
            kind = Arrival.POISSON if arrival is Arrival.CLOSED else arrival
            results = self._begin(f"{rate:,.0f}/s", kind, (Stage(length, rate, rate),))

            def hopeless() -> bool:
                total = results.total()
                return peak.decide(over(latency, total), total.asked, share) is False

            self._watch(results, hopeless)
            total = results.total()
            missed = over(latency, total)
            reasons = validity.invalid(results, self._ceiling)
            held = peak.decide(missed, total.asked, share) is True and not reasons
            return peak.Trial(rate, total.asked, missed, held, "; ".join(reasons))

        highest = math.inf if self._ceiling is None else calibration.SAFE * self._ceiling
        start = min(self._settings.rates.rate(0) or 100.0, highest)
        lowest = max(1.0, start / _HALVINGS)
        found = peak.find(attempt, share=share, start=start, lowest=lowest, highest=highest)
        self.verdicts.append(judging.peak_verdict(found, latency.text))

    # ------------------------------------------------------------------ the record

    def _write_windows(self, results: Results, until: int | None) -> list[Any]:
        phase, length = results.phase, results.window
        fresh = results.fresh(until)
        begin = self._record.since_start(phase.start)
        weights: dict[str, float] = {}
        for request in self._session.plan.requests:
            name = request.endpoint.name
            weights[name] = weights.get(name, 0.0) + request.weight
        whole = sum(weights.values())
        for number, endpoint, tally in fresh:
            due = phase.profile.due((number + 1) * length) - phase.profile.due(number * length)
            if number * length >= phase.length:
                due = 0.0
            self._record.write(
                "window",
                t=round(begin + number * length, 6),
                length_s=length,
                endpoint=endpoint.name,
                protocol=endpoint.protocol,
                model=endpoint.model,
                offered=due * weights[endpoint.name] / whole if phase.arrival is not Arrival.CLOSED else None,
                **tally.to_message(),
            )
        return fresh

    def _write_phase(self, results: Results) -> None:
        phase, total = results.phase, results.total()
        shown = histograms.percentiles(total.response).at
        self._record.write(
            "phase",
            name=phase.name,
            t=self._record.since_start(phase.start),
            length_s=results.seconds,
            rate=phase.profile.due(phase.length) / phase.length
            if phase.arrival is not Arrival.CLOSED
            else None,
            done=total.done,
            bad=total.bad,
            **{f"{name.replace('.', '')}_us": value for name, value in shown.items()},
        )

    def _write_resources(self) -> None:
        t = self._record.since_start(time.time())
        for line in self._processes.look():
            self._record.write("resource", t=t, **line)

    def _write_metrics(self) -> None:
        found = self._metrics.look()
        if found is not None:
            self._record.write("server", t=self._record.since_start(time.time()), metrics=found)

    # ------------------------------------------------------------------ after

    def swaps(self) -> list[Swap]:
        """What the steps so far did to the traffic."""
        return swaps(self.results[-1], self.changes) if self.results else []

    def finish(self, *, interrupted: bool) -> ExitCode:
        """Judge, write the end of the record, and say what came out. The second call does nothing."""
        if self._finished:
            return judging.exit_code(self.verdicts)
        self._finished = True
        if self.results and not self._settings.find_peak:
            self._sum_up(self.results[-1])
        for verdict in self.verdicts:
            self._record.write("verdict", **verdict._asdict())
        code = judging.exit_code(self.verdicts)
        self._record.close(exit_code=code, interrupted=interrupted)
        self._say("\n".join(["", *progress.verdict_lines(self.verdicts), f"record: {self._record.path}"]))
        return code

    def _sum_up(self, results: Results) -> None:
        self._write_windows(results, None)
        self.verdicts += judging.judge(results, self._settings.slo, self._ceiling)
        changed = self.swaps()
        for swap in changed:
            self._record.write("verdict", name="swap", ok=not swap.bad, text=swap.text, detail=swap.detail())
        self._say(
            "\n".join(
                [
                    "",
                    progress.table(results),
                    "",
                    *progress.who_answered(results),
                    *progress.swap_lines(changed, results),
                ]
            )
        )
