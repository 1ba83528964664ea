"""Plays a scenario step by step against one server, and checks what each step says."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from harness import model_config, models
from harness.client import BadReply, Client, Exchange, GrpcClient, Refusal, RestClient, Unreachable
from harness.models import cache
from harness.scenario import (
    Action,
    Answers,
    Call,
    Check,
    Describes,
    Drains,
    Fails,
    NoGap,
    Protocol,
    Publish,
    Refuses,
    Reload,
    Replace,
    Request,
    Scenario,
    Shows,
    State,
    Step,
)
from harness.targets import Target, Unsupported, require
from harness.verdict import Mismatch, answering, difference
from harness.watch import Drain, Stream

#: Seconds after a poll until everything that a step causes must be visible.
PATIENCE = 10.0
#: Seconds between two looks at something that is awaited.
_LOOK = 0.05

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
    for action in itertools.chain.from_iterable(step.actions for step in scenario.steps):
        if isinstance(action, Publish | Replace):
            model = configured[action.model]
            default = model.contents(action.version)
            contents = default if action.contents is None else action.contents
            yield models.BUILDERS[model.builder], contents


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
    ) -> None:
        """Start the server and wait for its models. Raises Unsupported, StartError, BuildError."""
        self.scenario = scenario
        self.target = target
        self.evidence: list[Exchange] = []
        self.position = -1
        self._patience = patience
        self._on_event = on_event
        self._numbers = itertools.count()
        self._clients: dict[Protocol, Client] = {}
        self._observing: list[Client] = []
        self._observers: dict[tuple[str, Protocol], Stream | Drain] = {}
        self._disturbed: dict[tuple[str, Protocol], Mismatch] = {}
        self._broken: Mismatch | None = None
        require(target, scenario.needs)
        cache.prepare(contents_needed(scenario), lambda text: self._tell("build", text))
        self.server = target.start(scenario)
        rest, grpc = self.server.addresses
        self._tell("start", f"server for scenario {scenario.id}: REST {rest}, gRPC {grpc}")
        try:
            self._protocols = tuple(protocol for protocol in protocols if self._address(protocol))
            if not self._protocols:
                raise Unsupported(f"target {target.spec} has no address for {', '.join(protocols)}")
            self._deadline = time.monotonic() + scenario.poll_seconds + patience
            self._await_models()
        except BaseException:
            self.close()
            raise

    @property
    def pristine(self) -> bool:
        """Tell whether nothing has been done to the server yet."""
        return not any(step.actions for step in self.scenario.steps[: self.position + 1])

    def adopt(self, scenario: Scenario) -> None:
        """Go on with another scenario of the same models and flags, from its beginning."""
        self.scenario = scenario
        self.position = -1

    def client(self, protocol: Protocol) -> Client:
        """The player's own client. Raises Unsupported where the server does not speak ``protocol``."""
        if protocol not in self._clients:
            self._clients[protocol] = self._connect(protocol, self.evidence.append)
        return self._clients[protocol]

    def reach(self, index: int) -> None:
        """Play the steps up to number ``index``. Raises Unsupported where the target cannot."""
        if index < self.position:
            raise ValueError(f"step {index} is past; a scenario cannot be played backwards")
        for step in self.scenario.steps[: index + 1]:
            require(self.target, step.needs)
        while self.position < index and self._broken is None:
            self.position += 1
            self._play(self.scenario.steps[self.position])

    def verify(self, index: int, check: Check, protocol: Protocol) -> None:
        """Play up to step ``index`` and wait until ``check`` holds. Raises Mismatch when time is up."""
        self.reach(index)
        self.client(protocol)
        if self._broken is not None:
            raise self._broken
        disturbed = self._disturbed.get((check.key, protocol))
        if disturbed is not None:
            raise disturbed
        while True:
            failure = self._look(check, protocol)
            if failure is None:
                return
            if time.monotonic() > self._deadline or self.scenario.steps[index].quiet:
                raise failure
            time.sleep(_LOOK)

    def perform(self, action: Action) -> None:
        """Carry out one action now, and wait for nothing but the server's own answer to a reload.

        Raises Refusal, BadReply and Unreachable where a reload is not accepted.
        """
        name, model = type(action).__name__.lower(), getattr(action, "model", None)
        self._tell(name, str(action), model, getattr(action, "version", None))
        if isinstance(action, Reload):
            client = self._connect(Protocol.GRPC, self.evidence.append)
            assert isinstance(client, GrpcClient)
            with contextlib.closing(client):
                client.reload(model_config.message(action.models, self.server.models_root))
        else:
            assert self.server.repository is not None, "a target that can edit has a repository"
            self.server.repository.apply(action)

    def ask(self, client: Client, request: Request, right: Mapping[int, int]) -> int:
        """Send ``request`` and give the version that answered it.

        ``right`` maps each version that may answer to its contents. Raises Mismatch where the answer is
        none of theirs or names another version, and what the client raises.
        """
        model = self.scenario.configured()[request.model]
        builder = models.BUILDERS[model.builder]
        inputs = request.inputs or builder.signature(request.signature).sample(next(self._numbers))
        answer = client.predict(
            request.model, inputs, version=request.version, label=request.label, signature=request.signature
        )
        for version, contents in right.items():
            wrong = difference(builder, request.signature, contents, inputs, answer)
            if wrong is None and answer.version in (None, version):
                return version
        known = {number for kind, number in contents_needed(self.scenario) if kind is builder}
        actual = answering(builder, request.signature, inputs, answer, sorted(known))
        seen = f"a wrong answer: {wrong}" if actual is None else f"the answer of contents {actual}"
        named = "" if answer.version is None else f", said to come from version {answer.version}"
        expected = (f"version {version} (contents {contents})" for version, contents in right.items())
        raise Mismatch(f"the answer of {' or '.join(expected)}", seen + named)

    def close(self) -> None:
        """Stop observers, clients and the server."""
        self._stop_observers()
        for client in self._clients.values():
            client.close()
        self.server.stop()

    def _play(self, step: Step) -> None:
        """Carry out a step and wait until it shows."""
        self._observe(step)
        try:
            for action in step.actions:
                self.perform(action)
        except _FAILURES as error:
            self._broken = Mismatch(f"accepted: {action}", str(error))
        for observer in self._observers.values():
            if isinstance(observer, Drain):
                observer.await_answer()
        self._deadline = time.monotonic() + self.scenario.poll_seconds + self._patience
        if step.quiet:
            self._keep_quiet(step)
        else:
            self._settle(step)
        self._stop_observers()

    def _stop_observers(self) -> None:
        """End what ran while the step happened; what it has seen stays."""
        for observer in self._observers.values():
            observer.stop()
        for client in self._observing:
            client.close()
        self._observing.clear()

    def _settle(self, step: Step) -> None:
        """Wait until every check of the step has held once, or time is up."""
        for check, protocol in self._cases(step):
            while self._look(check, protocol) is not None:
                if time.monotonic() > self._deadline:
                    return
                time.sleep(_LOOK)

    def _keep_quiet(self, step: Step) -> None:
        """Look at the checks until the server must have seen the disk twice; the first failure counts."""
        end = time.monotonic() + 2 * self.scenario.poll_seconds + 0.5
        while time.monotonic() < end:
            for check, protocol in self._cases(step):
                failure = self._look(check, protocol)
                if failure is not None:
                    self._disturbed.setdefault((check.key, protocol), failure)
            time.sleep(_LOOK)

    def _cases(self, step: Step) -> Iterable[tuple[Check, Protocol]]:
        return [
            (check, protocol)
            for check in step.checks
            for protocol in check.protocols
            if protocol in self._protocols
        ]

    def _observe(self, step: Step) -> None:
        """Start what has to run while the step happens."""
        self._observers = {}
        self._disturbed = {}
        for check, protocol in self._cases(step):
            match check:
                case NoGap():
                    self._observers[check.key, protocol] = self._stream(check, protocol)
                case Drains():
                    self._observers[check.key, protocol] = self._drain(check, protocol)

    def _stream(self, check: NoGap, protocol: Protocol) -> Stream:
        latest: deque[Exchange] = deque(maxlen=1)
        client = self._connect(protocol, latest.append)
        self._observing.append(client)
        right = self._right(check.request.model, check.before, check.after)
        return Stream(lambda: self.ask(client, check.request, right), latest)

    def _drain(self, check: Drains, protocol: Protocol) -> Drain:
        evidence: list[Exchange] = []
        client, reader = self._connect(protocol, evidence.append), self._connect(protocol, lambda _: None)
        self._observing += [client, reader]
        right = self._right(check.request.model, check.by)
        return Drain(
            lambda: self.ask(client, check.request, right), reader, check.request.model, check.by, evidence
        )

    def _right(self, model: str, *versions: int) -> dict[int, int]:
        """Contents by version, after the step that is being played."""
        return {version: self.scenario.contents(model, version, self.position) for version in versions}

    def _look(self, check: Check, protocol: Protocol) -> Mismatch | None:
        """Evaluate a check once; None where it holds."""
        self.evidence.clear()
        try:
            self._evaluate(check, protocol)
        except Mismatch as error:
            return error
        except _FAILURES as error:
            return Mismatch(str(check), str(error))
        return None

    def _evaluate(self, check: Check, protocol: Protocol) -> None:
        client = self.client(protocol)
        match check:
            case Answers(request, by, contents):
                right = self._right(request.model, by) if contents is None else {by: contents}
                self.ask(client, request, right)
            case Refuses():
                self._expect_refusal(client, check)
            case Shows(model, states):
                expected = [f"{version} {states[version].name}" for version in sorted(states, reverse=True)]
                actual = [str(entry) for entry in client.status(model)]
                if actual != expected:
                    raise Mismatch(", ".join(expected), ", ".join(actual) or "no versions")
            case Fails():
                self._expect_failure(client, check)
            case Describes(request, by):
                self._expect_metadata(client, request, by)
            case NoGap(_, before, after):
                stream = self._observers[check.key, protocol]
                assert isinstance(stream, Stream)
                self.evidence.extend(stream.evidence)
                stream.verify(before, after)
            case Drains():
                drain = self._observers[check.key, protocol]
                assert isinstance(drain, Drain)
                self.evidence.extend(drain.evidence)
                drain.verify()

    def _expect_refusal(self, client: Client, check: Refuses) -> None:
        request = check.request
        try:
            match check.call:
                case Call.PREDICT:
                    model = self.scenario.configured().get(request.model, self.scenario.models[0])
                    sample = models.BUILDERS[model.builder].signature(None).sample(next(self._numbers))
                    came: object = client.predict(
                        request.model,
                        request.inputs or sample,
                        version=request.version,
                        label=request.label,
                        signature=request.signature,
                    )
                case Call.STATUS:
                    came = [str(entry) for entry in client.status(request.model, version=request.version)]
                case Call.METADATA:
                    came = client.metadata(request.model, version=request.version, label=request.label)
        except Refusal as refusal:
            if refusal.agrees(check.code, check.text):
                return
            came = refusal
        text = check.text if isinstance(check.text, str) else f"/{check.text.pattern}/"
        raise Mismatch(f"{check.code.name}: {text}", str(came))

    def _expect_failure(self, client: Client, check: Fails) -> None:
        states = {entry.version: entry for entry in client.status(check.model)}
        entry = states.get(check.version)
        if (
            entry is None
            or entry.state is not State.END
            or entry.code is not check.code
            or not agrees(entry.text, check.text)
        ):
            raise Mismatch(str(check), "no such version" if entry is None else str(entry))

    def _expect_metadata(self, client: Client, request: Request, by: int) -> None:
        metadata = client.metadata(request.model, version=request.version, label=request.label)
        if metadata.version != by:
            raise Mismatch(f"metadata of version {by}", f"metadata of version {metadata.version}")
        builder = models.BUILDERS[self.scenario.configured()[request.model].builder]
        for name, signature in builder.signatures.items():
            actual = metadata.signatures.get(name)
            if actual is None:
                raise Mismatch(f"signature {name!r}", f"signatures {sorted(metadata.signatures)}")
            if (actual.inputs, actual.outputs) != (signature.inputs, signature.outputs):
                raise Mismatch(
                    f"{name}: {signature.inputs} -> {signature.outputs}",
                    f"{name}: {actual.inputs} -> {actual.outputs}",
                )

    def _await_models(self) -> None:
        """Wait until all versions that the start serves are AVAILABLE: ports open earlier [3.4.3]."""
        client = self.client(self._protocols[0])
        for model in self.scenario.models:
            wanted = set(model.served())
            while wanted and time.monotonic() < self._deadline:
                with contextlib.suppress(*_FAILURES):  # the checks of the first step will tell
                    status = client.status(model.name)
                    wanted -= {entry.version for entry in status if entry.state is State.AVAILABLE}
                if wanted:
                    time.sleep(_LOOK)

    def _address(self, protocol: Protocol) -> str | None:
        addresses = self.server.addresses
        return addresses.rest if protocol is Protocol.REST else addresses.grpc

    def _connect(self, protocol: Protocol, on_exchange: Callable[[Exchange], None]) -> Client:
        address = self._address(protocol)
        if address is None:
            raise Unsupported(f"target {self.target.spec} has no {protocol} address")
        if protocol is Protocol.REST:
            return RestClient(address, on_exchange=on_exchange)
        return GrpcClient(address, on_exchange=on_exchange)

    def _tell(self, name: str, detail: str, model: str | None = None, version: int | None = None) -> None:
        self._on_event(Event(time.time(), name, model, version, detail))
