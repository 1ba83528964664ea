"""Writes what happens during a run into its record (kinds and keys: reports/schema)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import gevent

from harness.loadgen import histograms
from harness.loadgen.arrivals import Arrival
from harness.loadgen.calibration import Ceiling
from harness.loadgen.judging import ExitCode, Verdict
from harness.loadgen.observer import Metrics, Processes
from harness.loadgen.plan import Phase, Plan
from harness.loadgen.results import Results, Window
from harness.loadgen.swap import Swap
from harness.recording import Record


class Journal:
    """The record of one run of ``plan``."""

    def __init__(self, record: Record, plan: Plan) -> None:
        self.path = record.path
        self._record = record
        weights: dict[str, float] = {}
        for request in plan.requests:
            name = request.endpoint.name
            weights[name] = weights.get(name, 0.0) + request.weight
        whole = sum(weights.values())
        self._shares = {name: weight / whole for name, weight in weights.items()}

    def aligned(self, moment: float, length: float) -> float:
        """The first moment after ``moment`` that is a multiple of ``length`` in the record's time."""
        return moment + length - self._record.since_start(moment) % length

    def calibration(self, ceilings: Mapping[Any, Ceiling], processes: int) -> None:
        """What the generator can do."""
        for protocol, (per_s, p50_us) in ceilings.items():
            self._record.write(
                "calibration",
                protocol=protocol,
                ceiling_per_s=per_s,
                null_p50_us=p50_us,
                processes=processes,
            )

    def event(self, name: str, model: str | None, version: int | None, detail: str) -> None:
        """Something happened just now."""
        t = self._record.since_start(time.time())
        self._record.write("event", t=t, name=name, model=model, version=version, detail=detail)

    def windows(self, results: Results, until: int | None) -> list[Window]:
        """Write the windows that are new, up to number ``until`` (all if None), and give them."""
        phase, length = results.phase, results.window
        begin = self._record.since_start(phase.start)
        fresh = results.fresh(until)
        for number, endpoint, tally in fresh:
            self._record.write(
                "window",
                t=round(begin + number * length, 6),
                length_s=length,
                endpoint=endpoint.name,
                protocol=endpoint.protocol,
                model=endpoint.model,
                offered=_offered(phase, number, length, self._shares[endpoint.name]),
                **tally.to_message(),
            )
            gevent.sleep(0)  # in a process that makes load, too, this must not hold up arrivals
        return fresh

    def phase(self, results: Results) -> None:
        """A phase is over; every stage of a stepped rate gets a line of its own."""
        phase = results.phase
        if len(phase.stages) == 1:
            self._stage(results, phase.name, 0.0, results.seconds, _rate(phase))
            return
        begin = 0.0
        for number, stage in enumerate(phase.stages, 1):
            if begin < results.seconds:
                self._stage(results, f"step {number}", begin, begin + stage.length, stage.start)
            begin += stage.length

    def _stage(self, results: Results, name: str, begin: float, end: float, rate: float | None) -> None:
        last = end >= results.phase.length
        total = results.total(begin, float("inf") if last else end)
        shown = histograms.percentiles(total.response)
        self._record.write(
            "phase",
            name=name,
            t=round(self._record.since_start(results.phase.start) + begin, 6),
            length_s=end - begin,
            rate=rate,
            done=total.done,
            bad=total.bad,
            **{f"{name.replace('.', '')}_us": value for name, value in shown.items()},
        )

    def resources(self, processes: Processes) -> None:
        """What the processes use."""
        t = self._record.since_start(time.time())
        for line in processes.look():
            self._record.write("resource", t=t, **line)

    def metrics(self, metrics: Metrics) -> None:
        """What the server counted."""
        found = metrics.look()
        if found is not None:
            self._record.write("server", t=self._record.since_start(time.time()), metrics=found)

    def close(
        self, verdicts: Sequence[Verdict], swaps: Sequence[Swap], code: ExitCode, *, interrupted: bool
    ) -> None:
        """Write the verdicts, what the steps did, and the footer."""
        for verdict in verdicts:
            self._record.write("verdict", **verdict._asdict())
        for swap in swaps:
            self._record.write("verdict", name="swap", ok=not swap.bad, text=swap.text, detail=swap.detail())
        self._record.close(exit_code=code, interrupted=interrupted)


def _rate(phase: Phase) -> float | None:
    """Requests/s asked for on average; None in a closed loop."""
    return None if phase.arrival is Arrival.CLOSED else phase.profile.due(phase.length) / phase.length


def _offered(phase: Phase, number: int, length: float, share: float) -> float | None:
    """Arrivals at an endpoint that the schedule has for window ``number``; None in a closed loop."""
    if phase.arrival is Arrival.CLOSED:
        return None
    begin, end = (min(phase.length, at * length) for at in (number, number + 1))
    return (phase.profile.due(end) - phase.profile.due(begin)) * share
