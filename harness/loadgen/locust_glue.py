"""Joins the load generator to Locust: options, users, messages between processes, start and end of a run.

Imports Locust, which monkey-patches on import. Every process has users and so a :class:`Generator`, but for
the master; the master, or the only process there is, has the :class:`Conductor`, which owns the target, the
record, and the clock of the scenario's steps.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import gevent
import locust
import psutil  # type: ignore[import-untyped]
from locust import User, task
from locust import event as locust_event
from locust import stats as locust_stats
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

import reports
from harness.loadgen import messages, options, web
from harness.loadgen.generator import Generator, OnRequest
from harness.loadgen.judging import ExitCode
from harness.loadgen.options import BadOption, Settings
from harness.loadgen.run import Run
from harness.loadgen.session import Session
from harness.recording import Record, default_path, model_hashes

#: Seconds that the last requests get when a run is ended before its time.
_GRACE = 3.0
#: Different failures that Locust's own tables keep; beyond that only their kind.
_FAILURES = 100

Runner = LocalRunner | MasterRunner | WorkerRunner

# Locust declares types for a part of itself only.
events: Any = locust.events
event: Any = locust_event
stats: Any = locust_stats


class ServingUser(User):
    """One connection to the server for each protocol. In an open loop, the users are the bounded pool."""

    @task
    def load(self) -> None:
        """Send whatever the phases of the run ask for, until Locust ends this user."""
        generator: Generator = self.environment.generator
        generator.work()


def microseconds(response_time: float) -> float:
    """Keep what Locust would round to whole milliseconds: three digits, as in the record."""
    return float(f"{response_time:.3g}")


def on_request(fire: Callable[..., None]) -> OnRequest:
    """Tell Locust of every request, for its own tables and for whoever else listens."""
    texts: set[str] = set()

    def told(protocol: str, name: str, seconds: float, size: int, failure: Exception | None) -> None:
        if failure is not None:
            text = str(failure)[:300]
            if len(texts) < _FAILURES:
                texts.add(text)
            elif text not in texts:
                failure = type(failure)("further failures of this kind")
        fire(
            request_type=protocol.upper(),
            name=name.removeprefix(protocol + " "),
            response_time=seconds * 1e3,
            response_length=size,
            exception=failure,
            context={},
        )

    return told


def null_hook() -> Any:
    """An event that costs what Locust's own costs, and whose statistics nobody sees."""
    unseen, hook = stats.RequestStats(), event.EventHook()

    def log(request_type: str, name: str, response_time: float, response_length: int, **_: Any) -> None:
        unseen.log_request(request_type, name, response_time, response_length)

    hook.add_listener(log)
    return hook


def make_generator(environment: Any, runner: LocalRunner | WorkerRunner) -> Generator:
    """The generator of this process, which hears what the conductor says."""

    def send(message: str, data: dict[str, Any]) -> None:
        runner.send_message(message, data)
        if message == messages.DONE and isinstance(runner, WorkerRunner):
            # Locust's own figures travel every three seconds: the last ones must not come too late.
            runner._send_stats()

    generator = Generator(
        runner.client_id,
        send,
        on_request(environment.events.request.fire),
        on_request(null_hook().fire),
        remote=isinstance(runner, WorkerRunner),
    )
    listeners = {
        messages.PLAN: generator.plan,
        messages.PHASE: generator.phase,
        messages.MUTE: generator.mute,
        messages.CALIBRATE: generator.calibrate,
    }
    for name, listener in listeners.items():
        # The calibration takes seconds, in which a worker must still hear its master.
        own_greenlet = name == messages.CALIBRATE
        runner.register_message(name, _data(listener), concurrent=own_greenlet)
    runner.register_message(messages.STOP, lambda **_: generator.stop())
    return generator


def _data(listener: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    def heard(msg: Any, **_: Any) -> None:
        listener(msg.data)

    return heard


class Conductor:
    """Runs of load on behalf of Locust: at the command line one, from the web form one after another."""

    def __init__(self, environment: Any, runner: LocalRunner | MasterRunner) -> None:
        self.run: Run | None = None
        self._environment = environment
        self._runner = runner
        self._options: Namespace = environment.parsed_options
        self._unattended = bool(self._options.headless or self._options.autostart)
        if self._options.host and self._options.target == "reference":
            # Locust's own way to name a server.
            self._options.target = f"url:{self._options.host}"
        self._session = Session(options.read(self._options), say)
        self._used = False
        self._player: gevent.Greenlet | None = None
        self._adjust(self._session.settings)
        for name, hear in (
            (messages.WINDOWS, lambda data: self.run and self.run.on_windows(data)),
            (messages.DONE, lambda data: self.run and self.run.on_done(data)),
            (messages.CALIBRATED, lambda data: self.run and self.run.on_calibrated(data)),
        ):
            runner.register_message(name, _data(hear))

    def workers(self) -> tuple[str, ...]:
        """The processes that make load."""
        if isinstance(self._runner, LocalRunner):
            return (self._runner.client_id,)
        clients = self._runner.clients
        return tuple(sorted(client.id for client in clients.ready + clients.spawning + clients.running))

    def send(self, message: str, data: dict[str, Any]) -> None:
        """Send a message to all of them."""
        self._runner.send_message(message, data)

    def begin(self) -> None:
        """Locust begins a test: get everything ready before the first user is there."""
        try:
            if not self._unattended:
                self._renew()
            settings = self._session.settings
            record = Record(
                settings.record or default_path(),
                "load",
                self._session.target,
                seeds={"arrivals": settings.seed, "requests": settings.seed},
                models=model_hashes([self._session.scenario]),
                options=dict(settings.asked),
            )
            self.run = Run(self._session, self, record, say)
            self._used = True
            self.run.prepare()
        except BadOption as error:
            self.run = None
            complain(error)
            self._environment.process_exit_code = int(ExitCode.USAGE)
            gevent.spawn(self._leave)

    def spawned(self) -> None:
        """All users are there: the load may begin."""
        if self.run is not None and self._player is None:
            self._player = gevent.spawn(self._play)

    def end(self) -> None:
        """The test is being stopped, by a key, a button, or by us: let the last replies come and sum up."""
        run = self.run
        if run is None:
            return
        run.stop(_GRACE)
        if self._player is not None and self._player is not gevent.getcurrent():
            self._player.kill()
        self._sum_up(run)

    def close(self) -> None:
        """Stop the server."""
        self._session.close()

    def _adjust(self, settings: Settings) -> None:
        """Fill in Locust's own options where the user left them out."""
        given = self._options
        given.num_users = settings.profile.users or given.num_users or settings.users
        # All users at once, but slowly enough for Locust not to warn of it.
        given.spawn_rate = given.spawn_rate or min(100, given.num_users)
        if self._unattended:
            # The run ends itself: after so many seconds of load, and when the last reply has come.
            given.run_time = None
            given.only_summary = not given.print_stats
        self._environment.host = self._address()

    def _address(self) -> str:
        """The server's address, for Locust to show."""
        return f"http://{next(iter(self._session.addresses.values()))}"

    def _renew(self) -> None:
        """Follow the web form; a server that was changed by a run makes place for a fresh one."""
        cancel = getattr(self._environment.web_ui, "_cancel_run_time_timer", None)
        if cancel is not None:
            cancel()  # it would count the calibration, too; the run ends itself
        settings = options.read(self._options)
        if self._used or settings.asked != self._session.settings.asked:
            self._session.close()
            self._session = Session(settings, say)
            self._used = False
        self._environment.host = self._address()

    def _play(self) -> None:
        run = self.run
        assert run is not None
        # Whatever happens in between, a run that was not judged is none that could be relied on.
        self._environment.process_exit_code = int(ExitCode.INVALID)
        try:
            run.play()
            self._sum_up(run)
        except gevent.GreenletExit:
            return  # stopped from outside, where the rest is being done
        except BaseException:
            gevent.spawn(self._leave)
            raise
        self._leave()

    def _sum_up(self, run: Run) -> None:
        code = run.finish()
        self._environment.process_exit_code = int(code)
        self.run = self._player = None
        try:
            say(f"report: {reports.write_all(run.record_path).html}")
        except (reports.RecordError, OSError) as error:
            say(f"no report could be written: {error}")

    def _leave(self) -> None:
        """End the test; without a web UI, end Locust."""
        if self._options.headless:
            self._runner.quit()
            return
        self._runner.stop()
        if self._options.autostart and self._options.autoquit != -1:
            gevent.sleep(self._options.autoquit)
            self._runner.quit()
            self._environment.web_ui.stop()


def say(text: str) -> None:
    """Write a line for whoever watches."""
    print(text, flush=True)


def complain(error: BadOption) -> None:
    """Tell what was wrong with the options."""
    print(f"error: {error}", file=sys.stderr, flush=True)


def install() -> None:
    """Register everything with Locust. The locustfile calls it once."""
    stats.bucket_response_time = microseconds
    events.init_command_line_parser.add_listener(lambda parser, **_: options.add_arguments(parser))
    events.init.add_listener(_init)


def _end_children() -> None:
    """End the workers of ``--processes``, which Locust would leave behind when it is stopped this early."""
    for child in psutil.Process().children():
        child.kill()  # Locust collects what is left of them as it exits


def _init(environment: Any, runner: Runner, **_: Any) -> None:
    """Locust has begun in this process."""
    # Python's own Ctrl-C breaks into whatever runs just then; at SIGTERM Locust shuts down in order.
    gevent.signal_handler(signal.SIGINT, os.kill, os.getpid(), signal.SIGTERM)
    if not isinstance(runner, MasterRunner):
        environment.generator = make_generator(environment, runner)
    if isinstance(runner, WorkerRunner):
        environment.events.quitting.add_listener(lambda **_: environment.generator.finish(_GRACE))
        return
    try:
        conductor = Conductor(environment, runner)
    except BadOption as error:
        complain(error)
        _end_children()
        sys.exit(ExitCode.USAGE)
    atexit.register(conductor.close)
    environment.events.test_start.add_listener(lambda **_: conductor.begin())
    environment.events.spawning_complete.add_listener(lambda **_: conductor.spawned())
    environment.events.test_stopping.add_listener(lambda **_: conductor.end())
    environment.events.quitting.add_listener(lambda **_: conductor.end())
    environment.events.quit.add_listener(lambda **_: conductor.close())
    if environment.web_ui is not None:
        web.extend(environment.web_ui, lambda: conductor.run)
