"""The part of a run that makes load: one in every Locust process that has users.

It is told what to do by messages (see :mod:`harness.loadgen.plan`) and answers with messages, so it works
the same beside the coordinator and on another machine. Locust's users call :meth:`Generator.work`.
"""

from __future__ import annotations

import gc
import os
import random
import time
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from typing import Any

import gevent
from gevent.event import Event

from harness.client import Refusal, Unreachable
from harness.loadgen import calibration, grpc_sender, histograms, messages, rest_sender
from harness.loadgen.arrivals import Arrival, Share, Stage, open_loop
from harness.loadgen.checking import Check, WrongReply
from harness.loadgen.clock import Alarm, now
from harness.loadgen.collector import Collector, Endpoint
from harness.loadgen.pacer import ClosedLoop, OpenLoop, Pacer
from harness.loadgen.plan import Phase, Plan
from harness.loadgen.tally import Tally
from harness.terms import Protocol

#: Tells Locust of a request: protocol, name, response time in seconds, bytes received, what went wrong.
OnRequest = Callable[[str, str, float, int, Exception | None], None]
#: Sends a message to the coordinator: its type and its data.
Send = Callable[[str, dict[str, Any]], None]

#: Seconds that a user rests after finding nobody to talk to: refused connections come back at once.
_BREATH = 0.01

Sender = rest_sender.RestSender | grpc_sender.GrpcSender

_SENDERS: Mapping[Protocol, Callable[[str, float], Sender]] = {
    Protocol.REST: rest_sender.RestSender,
    Protocol.GRPC: grpc_sender.GrpcSender,
}
_PREPARE: Mapping[Protocol, Callable[..., Any]] = {
    Protocol.REST: rest_sender.prepare,
    Protocol.GRPC: grpc_sender.prepare,
}


class Load:
    """A plan made ready to send from this process: wire bytes and checks.

    ``headers(number)`` are added to request ``number`` of the plan; ``only`` leaves out other protocols.
    """

    def __init__(
        self,
        plan: Plan,
        headers: Callable[[int], Mapping[str, str]] = lambda _: {},
        only: Protocol | None = None,
    ) -> None:
        self.plan = plan
        chosen = [
            (number, request)
            for number, request in enumerate(plan.requests)
            if only in (None, request.protocol)
        ]
        self.requests = [
            (
                request.protocol,
                request.endpoint,
                _PREPARE[request.protocol](
                    plan.addresses[request.protocol], request.path, request.body, headers(number)
                ),
                Check(request.protocol, request.expected),
            )
            for number, request in chosen
        ]
        self._each = [request.weight for _, request in chosen]
        self.mute(())

    def pick(self, draw: float) -> tuple[Protocol, Endpoint, Any, Check]:
        """The request for a random number from 0 to 1."""
        return self.requests[bisect(self._weights, draw * self._weights[-1], 0, len(self._weights) - 1)]

    def mute(self, numbers: Sequence[int]) -> None:
        """Leave out requests ``numbers`` of the plan, and no others."""
        self._now = [0.0 if number in numbers else weight for number, weight in enumerate(self._each)]
        self._weights = list(accumulate(self._now))

    def silent_models(self) -> frozenset[str]:
        """Models that get no requests at present."""
        asked = {
            endpoint.model
            for (_, endpoint, *_), weight in zip(self.requests, self._now, strict=True)
            if weight
        }
        return frozenset(endpoint.model for _, endpoint, *_ in self.requests) - asked

    def senders(self) -> dict[Protocol, Any]:
        """A connection for every protocol that the plan uses; open already, if the server lets it."""
        senders = {
            protocol: _SENDERS[protocol](self.plan.addresses[protocol], self.plan.timeout)
            for protocol in sorted({protocol for protocol, *_ in self.requests})
        }
        for sender in senders.values():
            with suppress(Unreachable):  # sending will try again, and count it
                sender.connect()
        return senders


class Running:
    """A phase in progress in this process."""

    def __init__(self, phase: Phase, load: Load, worker: str) -> None:
        self.phase = phase
        self.load = load
        # The epoch is what machines share; the exact clock is each process's own.
        self.start = now() + phase.start - time.time()
        self.collector = Collector(self.start, load.plan.window, load.plan.bound)
        self.draw = random.Random(f"requests {load.plan.seed} {phase.number} {worker}").random
        self.alarm = Alarm()
        self.users = 0
        self.over = Event()
        #: Whether it was told to stop before its time.
        self.cut_short = False
        self.cpu = os.times()
        self.pacer = self._pacer(Share(phase.workers.index(worker), len(phase.workers)))

    def _pacer(self, share: Share) -> Pacer:
        phase, plan = self.phase, self.load.plan
        minimum = -(-phase.minimum // share.processes)
        if phase.arrival is Arrival.CLOSED:
            return ClosedLoop(self.start + phase.length, minimum)
        seed = plan.seed * 1000 + phase.number
        arrivals = open_loop(phase.arrival, phase.profile, share, seed=seed, minimum=minimum)
        return OpenLoop(arrivals, self.start, plan.patience, self.alarm, self._dropped)

    @property
    def full(self) -> bool:
        """Whether as many users take part as may."""
        phase = self.phase
        return bool(phase.users) and self.users >= -(-phase.users // len(phase.workers))

    def _dropped(self, due: float, moment: float) -> None:
        self.collector.dropped(self.load.pick(self.draw())[1], due, moment)


class Generator:
    """Makes the load of this process.

    ``worker`` is the name by which phases know it. ``on_null_request`` must cost as much as
    ``on_request``, but leave no trace: it is called during the calibration. ``remote``: messages leave this
    process, so windows must be packed.
    """

    def __init__(
        self,
        worker: str,
        send: Send,
        on_request: OnRequest,
        on_null_request: OnRequest,
        *,
        remote: bool = False,
    ) -> None:
        self.worker = worker
        self._send = send
        self._on_request = on_request
        self._on_null_request = on_null_request
        self._remote = remote
        self._load: Load | None = None
        self._running: Running | None = None
        self._begun = Event()

    def plan(self, message: dict[str, Any]) -> None:
        """Take a new plan; the next phase follows it."""
        self._load = Load(Plan.from_message(message))

    def calibrate(self, message: dict[str, Any]) -> None:
        """Measure the ceiling of this process on the null server named in ``message``, by protocol."""
        assert self._load is not None
        plan = replace(self._load.plan, addresses=message["addresses"])
        ceilings = {}
        for protocol in calibration.protocols(plan):
            load = Load(plan, calibration.reply_header, only=protocol)
            busy = self._measure(load, calibration.USERS, calibration.BUSY_SECONDS)
            single = self._measure(load, 1, calibration.SINGLE_SECONDS)
            p50 = histograms.percentile(single.response, 50)
            ceilings[str(protocol)] = [busy.correct / calibration.BUSY_SECONDS, p50]
        self._send(messages.CALIBRATED, {"worker": self.worker, "ceilings": ceilings})

    def _measure(self, load: Load, users: int, seconds: float) -> Tally:
        """What ``users`` of a closed loop get done in ``seconds``."""
        stages = (Stage(seconds, 0, 0),)
        phase = Phase(0, "calibration", time.time(), Arrival.CLOSED, stages, (self.worker,))
        running = Running(phase, load, self.worker)

        def work() -> None:
            senders = load.senders()
            self._send_all(running, senders, self._on_null_request)
            _close(senders)

        gevent.joinall([gevent.spawn(work) for _ in range(users)], raise_error=True)
        running.alarm.close()
        return Tally.sum(tally for _, _, tally in running.collector.take(float("inf")))

    def phase(self, message: dict[str, Any]) -> None:
        """Begin a phase as soon as its time has come."""
        assert self._load is not None
        phase = Phase.from_message(message)
        if self.worker not in phase.workers:
            return
        # Nothing made so far will be garbage: collections during the load need not look at it.
        gc.collect()
        gc.freeze()
        running = self._running = Running(phase, self._load, self.worker)
        self._begun.set()
        self._begun = Event()
        gevent.spawn(self._report, running)

    def mute(self, message: dict[str, Any]) -> None:
        """Leave out some requests of the plan from now on."""
        assert self._load is not None
        self._load.mute(message["requests"])
        if self._running is not None:
            self._running.collector.pause(self._load.silent_models(), now())

    def stop(self) -> None:
        """Let the phase end now; replies under way are still waited for."""
        if self._running is not None:
            self._running.cut_short = True
            self._running.pacer.stop()

    def finish(self, seconds: float) -> None:
        """Stop, and wait up to ``seconds`` until everything has been reported."""
        if self._running is not None and not self._running.over.is_set():
            self.stop()
            if not self._running.over.wait(seconds):
                self._running.over.set()
            gevent.sleep(0)  # the reporter sends what is left

    def work(self) -> None:
        """Be one user, for as long as Locust lets it: send what every phase asks for."""
        senders: dict[Protocol, Any] = {}
        load: Load | None = None
        done: Running | None = None
        try:
            while True:
                if self._load is not None and self._load is not load:
                    _close(senders)
                    load = self._load
                    senders = load.senders()
                running = self._running
                if running is None or running is done or running.full or running.over.is_set():
                    self._begun.wait()
                    continue
                running.users += 1
                try:
                    self._send_all(running, senders, self._on_request)
                finally:
                    running.users -= 1
                    if not running.users:
                        running.over.set()
                done = running
        finally:
            _close(senders)

    def _send_all(self, running: Running, senders: Mapping[Protocol, Any], on_request: OnRequest) -> None:
        """Send until the phase has nothing more. This is the path that limits how much load there can be."""
        pick, draw, next_slot = running.load.pick, running.draw, running.pacer.next
        collector = running.collector
        gevent.sleep(max(0.0, running.start - now() - 0.002))
        while (slot := next_slot()) is not None:
            due, late = slot
            protocol, endpoint, request, check = pick(draw())
            sent = now()
            collector.sent(endpoint, sent, late)
            size = 0
            failure: Exception | None = None
            try:
                reply = senders[protocol].send(request)
                done = now()
                size = len(reply)
                collector.right(endpoint, due, sent, done, check(reply))
            except WrongReply as error:
                failure = error
                collector.wrong(endpoint, due, sent, done)
            except (Refusal, Unreachable) as error:
                failure, done = error, now()
                collector.failed(endpoint, due, sent, done, _kind(error))
                if isinstance(error, Unreachable):
                    gevent.sleep(_BREATH)
            on_request(protocol, endpoint.name, done - due, size, failure)

    def _report(self, running: Running) -> None:
        """Send windows as they close, and at the end what concerns the phase as a whole."""
        while not running.over.wait(running.load.plan.window):
            # A window stays open a little longer than it lasts: users may still be writing to it.
            self._report_windows(running, now() - 0.01)
        end = now()
        self._report_windows(running, float("inf"))
        running.alarm.close()
        cpu = os.times()
        busy = cpu.user + cpu.system - running.cpu.user - running.cpu.system - running.alarm.spun
        length = max(1e-9, end - running.start)
        self._send(
            messages.DONE,
            {
                "phase": running.phase.number,
                "worker": self.worker,
                "length": length,
                "cut_short": running.cut_short,
                "seen": [[*who, *seen] for who, seen in running.collector.seen().items()],
                "silences": {
                    model: running.collector.silences(model, end)
                    for model in {endpoint.model for _, endpoint, *_ in running.load.requests}
                },
                "lag_us": histograms.encode(running.pacer.lag),
                "cpu": max(0.0, busy / length),
            },
        )

    def _report_windows(self, running: Running, until: float) -> None:
        windows: list[Any] = []
        for index, endpoint, tally in running.collector.take(until):
            windows.append([index, list(endpoint), tally.to_message() if self._remote else tally])
            gevent.sleep(0)  # packing takes most of a millisecond, and users want to send meanwhile
        self._send(
            messages.WINDOWS, {"phase": running.phase.number, "worker": self.worker, "windows": windows}
        )


def _close(senders: Mapping[Protocol, Any]) -> None:
    for sender in senders.values():
        sender.close()


def _kind(error: Refusal | Unreachable) -> str:
    """A short name, so that errors of a kind are counted together."""
    if isinstance(error, Refusal):
        return f"HTTP {error.http_status}" if error.code is None else error.code.name
    return "TIMEOUT" if isinstance(error.__cause__, TimeoutError) else "UNREACHABLE"
