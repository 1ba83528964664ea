"""Plays a recorded timeline against a server that it starts.

Steps, beside those of a folder: ``ready S``, ``wait S``, ``until PROBE VALUE S`` (``*`` at the end stands
for anything), ``exit S``, ``signal NAME``, ``reload CONFIG S``, ``get PATH S`` (over REST), ``peek`` (at the
counter that warm-up leaves), ``second FLAGS S`` (another server; ``$ITS_GRPC`` and ``$ITS_REST`` are the
first one's ports). In the background: ``predict NAME QUESTION S``, ``post NAME PATH BODY``, ``reload_aside
NAME CONFIG S``, all of which ``join S`` waits for, and ``traffic QUESTION`` until ``traffic_end``. S are
seconds.

Machines differ in speed, so steps follow what was seen, not the clock alone: a step waits until all is seen
that was seen before it, and what was ready once is waited for longer than it took.
"""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
from google.protobuf import text_format

from harness.client import GrpcClient, RestClient, Unreachable
from harness.client.grpc import RELOAD_CONFIG
from harness.startup import Serves, StartUp
from harness.targets import Launched, Target
from harness.terms import Protocol
from harness.wire import messages as wire
from tests.golden.lifecycle.asking import Looking, ask, words
from tests.golden.lifecycle.comparing import Played, comes, demanded
from tests.golden.lifecycle.folder import Folder
from tests.golden.lifecycle.timelines import Seen, Step, Timeline, Value, plain

#: Seconds that something may take that once came about.
_PATIENCE = 60.0
#: Seconds that a server may be late with what was seen before a step.
_LATE = 15.0
#: Seconds between two looks at what is waited for.
_TICK = 0.02
#: Seconds between two looks of a server at its file system.
_POLL = 1.0
#: Seconds by which a step may be late in the time between two looks.
_PHASE_SLACK = 0.1
#: Seconds between two requests of a traffic.
_PAUSE = 0.002
#: The server logs this when it begins to look for models: all that a start costs is behind it.
_LOOKS_FOR_MODELS = "Adding/updating models."
_REFUSAL = "Failed to start server. Error: "


class Stopped(Exception):  # noqa: N818 - somebody wants no more
    """The rest of a timeline is not played."""


class Play:
    """One timeline on a server of ``target``; ``stopping`` ends it."""

    def __init__(self, timeline: Timeline, target: Target, folder: Folder, stopping: threading.Event) -> None:
        self._timeline = timeline
        self._target = target
        self._folder = folder
        self._stopping = stopping
        self._aside: list[threading.Thread] = []
        self._answers: dict[str, Any] = {}
        self._traffic: Traffic | None = None
        self._in_time = True
        for do in timeline.before:
            assert folder.does(do)
        self._launched = self._launch(timeline.flags)
        self._looking = Looking(self._launched, timeline.probes, folder.mask)
        # One connection for all reloads: how fast they follow each other matters.
        self._reloading = GrpcClient(str(self._launched.addresses.grpc))

    def run(self) -> Played:
        """Do all steps. Raises Stopped."""
        try:
            self._wait_until(
                lambda: _LOOKS_FOR_MODELS in self._launched.stderr() or self._listens(), _PATIENCE
            )
            self._looked = time.monotonic()
            results = []
            for begun, step in enumerate(self._timeline.steps):
                self._catch_up(begun)
                if step.phase is not None and step.do[0] != "ready":
                    self._await_phase(step.phase)
                results.append(self._do(step))
            self._catch_up(len(self._timeline.steps))
            return Played(
                plain(results),
                plain(self._answers),
                self._looking.seen,
                self._looking.blind,
                self._launched.exit_status(),
                plain(self._refusal()),
                self._launched.logs(),
            )
        finally:
            if self._traffic is not None:
                self._traffic.end()
            self._looking.stop()
            self._reloading.close()
            self._launched.stop()

    def _launch(self, flags: list[str]) -> Launched:
        arguments = tuple(map(self._folder.fill, flags))
        return self._target.launch(
            StartUp("golden", "What was recorded comes.", arguments, Serves(model=None), models=(), facts=())
        )

    # ---------------------------------------------------------------- waiting

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Stopped

    def _wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait; the end of the server ends it."""
        end = time.monotonic() + seconds
        while not condition():
            if self._launched.exit_status() is not None or time.monotonic() > end:
                return condition()
            self._pause(_TICK)
        return True

    def _await_phase(self, phase: float) -> None:
        """Wait until it is as long to the next look at the file system as it was, unless it is by now."""
        late = (time.monotonic() - self._looked - phase) % _POLL
        if late > _PHASE_SLACK:
            self._pause(_POLL - late)

    def _catch_up(self, begun: int) -> None:
        """Wait until all is seen that was seen for more than a moment before so many steps had begun."""
        before = {
            name: [seen for seen in values if seen.begun <= begun]
            for name, values in self._timeline.seen.items()
        }
        if self._in_time and not self._timeline.in_the_end:
            self._in_time = self._wait_until(
                lambda: all(self._has_shown(name, values) for name, values in before.items()), _LATE
            )

    def _has_shown(self, name: str, values: list[Seen]) -> bool:
        shown = [look.value for look in self._looking.seen[name]]
        return comes(demanded(values, self._looking.blind), shown)

    def _listens(self) -> bool:
        return any(map(self._launched.listens, Protocol))

    # ---------------------------------------------------------------- steps

    def _do(self, step: Step) -> Any:
        match step.do:
            case ["wait", seconds]:
                self._pause(seconds)
            case ["ready", seconds]:
                return self._ready(seconds, step)
            case ["until", probe, value, seconds]:
                return self._wait_until(
                    lambda: shows(self._looking.latest(probe), value), _PATIENCE if step.result else seconds
                )
            case ["exit", seconds]:
                self._wait_until(lambda: step.result is None and self._listens(), _PATIENCE)
                self._wait_until(lambda: False, seconds)
                return self._launched.exit_status()
            case ["signal", name]:
                self._launched.signal(signal.Signals[f"SIG{name}"])
            case ["reload", config, seconds]:
                return self._reload(config, seconds)
            case ["get", path, seconds]:
                return self._get(path, seconds)
            case ["peek"]:
                with self._grpc(_PATIENCE) as client:
                    (n,) = client.predict("m", {"any": np.zeros(1, np.int64)}, signature="peek").outputs["n"]
                    return int(n)
            case ["second", flags, seconds]:
                return self._second(flags, seconds, step.result)
            case ["join", _]:
                for thread in self._aside:
                    end = time.monotonic() + _PATIENCE
                    while thread.is_alive() and time.monotonic() < end:
                        self._pause(_TICK)
            case ["predict", name, question, seconds]:
                self._set_aside(name, lambda: self._predict(question, seconds))
            case ["post", name, path, body]:
                self._set_aside(name, lambda: self._post(path, body))
            case ["reload_aside", name, config, seconds]:
                self._set_aside(name, lambda: self._reload(config, seconds))
            case ["traffic", question]:
                self._traffic = Traffic(self._launched, question)
            case ["traffic_end"]:
                assert self._traffic is not None
                return self._traffic.end()
            case other:
                assert self._folder.does(other), f"no such step: {other}"
        return None

    def _ready(self, seconds: float, step: Step) -> bool:
        ready = self._wait_until(
            lambda: all(map(self._launched.listens, Protocol)), _PATIENCE if step.result else seconds
        )
        if ready and step.phase is not None:
            self._await_phase(step.phase)
        return ready

    @contextmanager
    def _grpc(self, timeout: float) -> Iterator[GrpcClient]:
        address = self._launched.addresses.grpc
        assert address is not None
        with closing(GrpcClient(address, timeout=timeout)) as client:
            yield client

    @contextmanager
    def _rest(self, timeout: float) -> Iterator[RestClient]:
        address = self._launched.addresses.rest
        assert address is not None
        with closing(RestClient(address, timeout=timeout)) as client:
            yield client

    def _predict(self, question: dict[str, Any], seconds: float) -> Value:
        with self._grpc(seconds) as client:
            return words(self._launched, Protocol.GRPC, lambda: ask(client, question))

    def _reload(self, config: str | None, seconds: float) -> Value:
        request = wire.ReloadConfigRequest()
        if config is not None:
            request.config.SetInParent()
            text_format.Parse(self._folder.fill(config), request.config)
        answer = words(self._launched, Protocol.GRPC, lambda: _reloaded(self._reloading, request, seconds))
        return self._folder.mask(str(answer))

    def _get(self, path: str, seconds: float) -> list[tuple[int, str]]:
        with self._rest(seconds) as client:
            try:
                reply = client.exchange("GET", path)
            except Unreachable:
                return []
            return [(reply.status, reply.body.decode())]

    def _post(self, path: str, body: str) -> list[str]:
        with self._rest(_PATIENCE) as client:
            try:
                reply = client.exchange("POST", path, body.encode())
            except Unreachable:
                return ["connection closed without an answer"]
            return [f"{reply.status} {reply.body.decode()}"]

    def _second(self, flags: list[str], seconds: float, expected: int | None) -> int | None:
        rest, grpc = (str(address).rpartition(":")[2] for address in self._launched.addresses)
        other = self._launch([flag.replace("$ITS_GRPC", grpc).replace("$ITS_REST", rest) for flag in flags])
        try:
            end = time.monotonic() + (seconds if expected is None else _PATIENCE)
            while other.exit_status() is None and time.monotonic() < end:
                self._pause(_TICK)
            return other.exit_status()
        finally:
            other.stop()

    def _set_aside(self, name: str, question: Callable[[], Any]) -> None:
        def work() -> None:
            self._answers[name] = question()

        self._aside.append(threading.Thread(target=work, name=name, daemon=True))
        self._aside[-1].start()

    def _refusal(self) -> str | None:
        at = (stdout := self._launched.stdout()).find(_REFUSAL)
        return None if at < 0 else self._folder.mask(stdout[at:].rstrip("\n"))


class Traffic:
    """One request after the other, in a thread, and the answers as they followed each other."""

    def __init__(self, launched: Launched, question: dict[str, Any]) -> None:
        self._launched = launched
        self._question = question
        self._answers: list[Value] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="traffic", daemon=True)
        self._thread.start()

    def end(self) -> list[Value]:
        """End it, and give the answers, each as often as others came in between."""
        self._stop.set()
        self._thread.join()
        return [answer for answer, _ in itertools.groupby(self._answers)]

    def _work(self) -> None:
        address = self._launched.addresses.grpc
        assert address is not None
        with closing(GrpcClient(address, timeout=_PATIENCE)) as client:
            while not self._stop.wait(_PAUSE):
                self._answers.append(
                    words(self._launched, Protocol.GRPC, lambda: ask(client, self._question))
                )


def shows(value: Value | None, awaited: str) -> bool:
    """Whether a probe's value, or the words for one of the versions, is what is awaited."""
    beginning = awaited.removesuffix("*")
    return any(
        entry == awaited or (beginning != awaited and entry.startswith(beginning))
        for entry in ([value] if isinstance(value, str) else value or ())
    )


def _reloaded(client: GrpcClient, request: wire.ReloadConfigRequest, seconds: float) -> str:
    received = client.exchange(RELOAD_CONFIG, request.SerializeToString(), timeout=seconds)
    status = wire.ReloadConfigResponse.FromString(received).status
    return "OK" if not status.error_code else f"OK, but {status}"
