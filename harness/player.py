"""Plays a scenario step by step against one server, and checks what each step says."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from harness import model_config, models
from harness.actions import Action, Configure, Copy, Publish, Put, Reload, Replace, Send
from harness.background import Errands
from harness.checks import (
    Answered,
    Answers,
    Check,
    Closed,
    Describes,
    Fails,
    Logs,
    Pending,
    Refuses,
    Returned,
    Shows,
)
from harness.client import BadReply, Client, Exchange, GrpcClient, Refusal, Unreachable
from harness.judge import Judge
from harness.models import cache
from harness.observing import Case, Observers
from harness.scenario import Scenario
from harness.targets import Server, Target, Unsupported, require, tape
from harness.terms import Capability, Protocol, Request, State
from harness.verdict import Mismatch

#: Seconds after a poll until everything that a step causes must be visible.
PATIENCE = 10.0
#: Seconds between two looks at something that is awaited.
_LOOK = 0.05
#: Seconds that a quiet step is watched beyond the two looks at the disk: the ticks of the manager [3.2.3].
_QUIET = 0.5

_FAILURES = (Mismatch, Refusal, BadReply, Unreachable)


class Event(NamedTuple):
    """Something that the player did, for the record; ``at`` is a time since the epoch."""

    at: float
    name: str
    model: str | None
    version: int | None
    detail: str


def contents_needed(scenario: Scenario) -> Iterable[tuple[models.Builder, int]]:
    """Builder and contents of every version folder that the scenario can ask for."""
    configured = scenario.configured()
    for model in scenario.models:
        yield from ((models.BUILDERS[model.builder], model.contents(version)) for version in model.versions)
    for action in itertools.chain(scenario.before, *(step.actions for step in scenario.steps)):
        match action:
            case (
                Publish(model=name, contents=None, version=version)
                | Copy(model=name, contents=None, version=version)
            ):
                yield models.BUILDERS[configured[name].builder], configured[name].contents(version)
            case (
                Publish(model=name, contents=int(contents))
                | Copy(model=name, contents=int(contents))
                | Replace(model=name, contents=contents)
                | Put(model=name, contents=contents)
            ):
                yield models.BUILDERS[configured[name].builder], contents


class Player:
    """One scenario on one server.

    ``reach`` plays up to a step, ``verify`` looks whether a check of that step holds. Use both from the
    thread that made the player. ``evidence`` holds the exchanges of the last look.
    """

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        protocols: Iterable[Protocol],
        *,
        patience: float = PATIENCE,
        on_event: Callable[[Event], None] = lambda _: None,
        server: Server | None = None,
    ) -> None:
        """Start the server, unless it was started before, and wait for its models.

        Raises Unsupported, StartError, BuildError.
        """
        self.scenario = scenario
        self.target = target
        self.evidence: list[Exchange] = []
        self.position = -1
        self._patience = patience
        self._on_event = on_event
        self._clients: dict[Protocol, Client] = {}
        self._observers = Observers(self._connect, self._asker)
        self._disturbed: dict[tuple[int, str, Protocol | None], Mismatch] = {}
        self._passed: dict[tuple[int, str, Protocol | None], list[Exchange]] = {}
        self._errands = Errands(self.evidence)
        self._broken: Mismatch | None = None
        require(target, scenario.needs)
        cache.prepare(contents_needed(scenario), lambda text: self._tell("build", text))
        self.server = target.start(scenario) if server is None else server
        self._judge = self._new_judge()
        rest, grpc = self.server.addresses
        self._tell("start", f"server for scenario {scenario.id}: REST {rest}, gRPC {grpc}")
        try:
            self.protocols = tuple(protocol for protocol in protocols if self._address(protocol))
            if not self.protocols:
                raise Unsupported(f"target {target.spec} has no address for {', '.join(protocols)}")
            self._acted = time.monotonic()
            if scenario.opens:
                self._await_models()
        except BaseException:
            self.close()
            raise

    @property
    def pristine(self) -> bool:
        """Tell whether nothing has been done to the server yet."""
        return not any(step.actions for step in self.scenario.steps[: self.position + 1])

    def adopt(self, scenario: Scenario) -> None:
        """Go on with another scenario of the same setting, from its beginning."""
        self.scenario = scenario
        self._judge = self._new_judge()
        self.position = -1

    def client(self, protocol: Protocol) -> Client:
        """The player's own client. Raises Unsupported where the server does not speak ``protocol``.

        Raises Unreachable where a server that is not expected to be ready is not: a channel that fails to
        connect would wait before it tries again.
        """
        if protocol not in self._clients:
            address = self._address(protocol)
            if address is not None and not self.scenario.opens and not self.server.listens(protocol):
                raise Unreachable(f"nobody listens at {address}")
            self._clients[protocol] = self._connect(protocol, self.evidence.append)
        return self._clients[protocol]

    def address(self, protocol: Protocol) -> str:
        """Where the server is, for clients that are not the player's. Raises Unsupported."""
        require(self.target, frozenset({Capability.CONNECT}))
        address = self._address(protocol)
        if address is None:
            raise Unsupported(f"target {self.target.spec} has no {protocol} address")
        return address

    def can_reach(self, index: int) -> bool:
        """Tell whether step number ``index`` has not been passed by a later one."""
        return self.position <= index or self.position in self.scenario.together(index)

    def reach(self, index: int) -> None:
        """Play the steps up to number ``index``. Raises Unsupported where the target cannot."""
        if not self.can_reach(index):
            raise ValueError(f"step {index} is past; a scenario cannot be played backwards")
        last = self.scenario.together(index)[-1]
        for step in self.scenario.steps[: last + 1]:
            require(self.target, step.needs)
        while self.position < last and self._broken is None:
            together = self.scenario.together(self.position + 1)
            self.position = together[-1]
            self._play(together)

    def verify(self, index: int, check: Check, protocol: Protocol | None) -> None:
        """Play up to step ``index`` and wait until ``check`` holds. Raises Mismatch when time is up."""
        require(self.target, check.needs)
        self.reach(index)
        if protocol is not None and self._address(protocol) is None:
            raise Unsupported(f"target {self.target.spec} has no {protocol} address")
        if self._broken is not None:
            raise self._broken
        case = Case(index, check, protocol)
        if case.key in self._passed:
            self.evidence[:] = self._passed[case.key]
            return
        if case.key in self._disturbed:
            raise self._disturbed[case.key]
        while True:
            failure = self._look(case)
            if failure is None:
                return
            if time.monotonic() > self._deadline(index) or self._is_quiet(case):
                raise failure
            time.sleep(_LOOK)

    def perform(self, action: Action) -> None:
        """Carry out one action now, and wait for nothing but the server's own answer to a reload.

        Raises Refusal, BadReply and Unreachable where a reload is not accepted.
        """
        name, model = type(action).__name__.lower(), getattr(action, "model", None)
        self._tell(name, str(action), model, getattr(action, "version", None))
        match action:
            case Reload(id="", deadline=deadline):
                self._reload(action, self.evidence, deadline)
            case Reload(id=id, deadline=deadline):
                self._errands.start(id, lambda evidence: self._reload(action, evidence, deadline))
            case Send(id=id):
                self._errands.start(id, lambda evidence: self._send(action, evidence))
            case Configure(models=configured, text=text, gone=gone):
                content = model_config.text(configured, "$MODELS") if text is None else text
                self.server.configure(None if gone else content)
            case _:
                assert self.server.repository is not None, "a target that can edit has a repository"
                self.server.repository.apply(action)

    def close(self) -> None:
        """Stop observers, clients and the server."""
        self._observers.stop()
        for client in self._clients.values():
            client.close()
        self.server.stop()

    # ----------------------------------------------------------------- steps

    def _play(self, together: range) -> None:
        """Carry out steps that happen together, and wait until they show."""
        cases = [case for index in together for case in self._cases(index)]
        self._disturbed.clear()
        self._observers.start(cases)
        try:
            with tape.subject():
                for action in itertools.chain.from_iterable(self.scenario.steps[i].actions for i in together):
                    self.perform(action)
        except _FAILURES as error:
            self._broken = Mismatch(f"accepted: {action}", str(error))
        self._observers.await_drains()
        self._acted = time.monotonic()
        self._settle(cases)
        self._observers.stop()

    def _settle(self, cases: Sequence[Case]) -> None:
        """Wait until every check has held once, or its time is up; watch those of quiet steps meanwhile."""
        quiet = [case for case in cases if self._is_quiet(case)]
        waiting = [case for case in cases if not self._is_quiet(case)]
        end = self._acted + (2 * max(self.scenario.poll_seconds, 1) + _QUIET if quiet else 0)
        while True:
            waiting = [case for case in waiting if not self._held(case)]
            for case in quiet:
                failure = self._look(case)
                if failure is not None:
                    self._disturbed.setdefault(case.key, failure)
            if not waiting and time.monotonic() >= end:
                return
            time.sleep(_LOOK)

    def _is_quiet(self, case: Case) -> bool:
        """Tell whether a check must hold from the start."""
        return self.scenario.steps[case.step].quiet and not case.check.eventual

    def _held(self, case: Case) -> bool:
        """Tell whether a check needs no more waiting: it holds, or its time is up."""
        step = self.scenario.steps[case.step]
        failure = self._look(case)
        if failure is None and step.passing:
            self._passed[case.key] = list(self.evidence)
        return failure is None or time.monotonic() > self._deadline(case.step)

    def _deadline(self, index: int) -> float:
        """When the checks of a step must hold."""
        within = self.scenario.steps[index].within
        return self._acted + (self.scenario.poll_seconds + self._patience if within is None else within)

    def _cases(self, index: int) -> Iterable[Case]:
        for check in self.scenario.steps[index].checks:
            if check.needs <= self.target.capabilities:
                protocols: Iterable[Protocol | None] = check.protocols or (None,)
                yield from (
                    Case(index, check, protocol)
                    for protocol in protocols
                    if protocol is None or protocol in self.protocols
                )

    # ----------------------------------------------------------------- what runs meanwhile

    def _reload(self, action: Reload, evidence: list[Exchange], deadline: float) -> str:
        root = self.server.models_root
        config = (
            model_config.message(action.models, root)
            if action.text is None
            else model_config.parsed(action.text.replace("$MODELS", root))
        )
        client = self._connect(Protocol.GRPC, evidence.append, deadline)
        assert isinstance(client, GrpcClient)
        with contextlib.closing(client):
            client.connect()  # the server must have got the reload when the deadline comes
            client.reload(config)
        return "accepted"

    def _send(self, action: Send, evidence: list[Exchange]) -> int:
        protocol = Protocol.GRPC if self._address(Protocol.GRPC) else Protocol.REST
        client = self._connect(protocol, evidence.append, action.deadline)
        with contextlib.closing(client):
            return self._asker(client, action.request, (action.by,))()

    def _asker(self, client: Client, request: Request, versions: tuple[int, ...]) -> Callable[[], int]:
        """What sends a request over and over, with inputs of its own."""
        judge, right = self._new_judge(), self._right(request.model, *versions)
        return lambda: judge.ask(client, request, right)

    # ----------------------------------------------------------------- checks

    def _new_judge(self) -> Judge:
        needed = contents_needed(self.scenario)
        candidates = frozenset((builder.name, contents) for builder, contents in needed)
        return Judge(self.scenario, candidates, self.server.past)

    def _right(self, model: str, *versions: int) -> Mapping[int, int]:
        """Contents by version, after the step that is being played."""
        return {version: self.scenario.contents(model, version, self.position) for version in versions}

    def _look(self, case: Case) -> Mismatch | None:
        """Evaluate a check once; None where it holds."""
        self.evidence.clear()
        self._judge.begin(case.check.key)
        try:
            with tape.subject(self.scenario.id, *case.key):
                self._evaluate(case)
        except Mismatch as error:
            return error
        except _FAILURES as error:
            return Mismatch(str(case.check), str(error))
        return None

    def _evaluate(self, case: Case) -> None:
        if case.protocol is None or isinstance(case.check, Closed):
            self._evaluate_server(case)
        elif case in self._observers:
            self._observers.verify(case, self.evidence)
        else:
            self._evaluate_reply(case.check, self.client(case.protocol))

    def _evaluate_reply(self, check: Check, client: Client) -> None:
        match check:
            case Answers(request, by, contents):
                right = self._right(request.model, by) if contents is None else {by: contents}
                self._judge.ask(client, request, right)
            case Refuses():
                self._judge.refusal(client, check)
            case Shows():
                self._judge.listing(client, check)
            case Fails():
                self._judge.failure(client, check)
            case Describes(request, by):
                self._judge.metadata(client, request, by)
            case Pending() | Returned() | Answered():
                self._errands.verify(check)

    def _evaluate_server(self, case: Case) -> None:
        match case:
            case Case(_, Closed(), Protocol() as protocol):
                if self.server.listens(protocol):
                    raise Mismatch("a closed port", f"somebody listens at {self._address(protocol)}")
            case Case(_, Logs(times=times) as check):
                found = check.found(self.server.stderr())
                if found < times:
                    raise Mismatch(str(check), f"it says so {found} times")

    # ----------------------------------------------------------------- the server

    def _await_models(self) -> None:
        """Wait until all versions that the start serves are AVAILABLE: ports open earlier [3.4.3]."""
        client = self.client(self.protocols[0])
        for model in self.scenario.models:
            wanted = set(model.served())
            while wanted and time.monotonic() < self._acted + self.scenario.poll_seconds + self._patience:
                with contextlib.suppress(*_FAILURES):  # the checks of the first step will tell
                    status = client.status(model.name)
                    wanted -= {entry.version for entry in status if entry.state is State.AVAILABLE}
                if wanted:
                    time.sleep(_LOOK)

    def _address(self, protocol: Protocol) -> str | None:
        return self.server.addresses.of(protocol)

    def _connect(
        self, protocol: Protocol, on_exchange: Callable[[Exchange], None], timeout: float = 60.0
    ) -> Client:
        if self._address(protocol) is None:
            raise Unsupported(f"target {self.target.spec} has no {protocol} address")
        return self.server.client(protocol, on_exchange, timeout)

    def _tell(self, name: str, detail: str, model: str | None = None, version: int | None = None) -> None:
        self._on_event(Event(time.time(), name, model, version, detail))
