"""The server under load and the requests for it: started, prepared, and tried once before it counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import gevent

from harness import model_config, targets
from harness.actions import Action, Publish, Reload, Rename, Replace, Withdraw
from harness.client import BadReply, Client, GrpcClient, Metadata, Refusal, RestClient, Unreachable
from harness.client.grpc import RELOAD_CONFIG
from harness.loadgen import grpc_sender, traffic, user_traffic
from harness.loadgen.checking import Check, WrongReply
from harness.loadgen.course import Course
from harness.loadgen.generator import Load
from harness.loadgen.options import BadOption, Settings
from harness.loadgen.plan import Plan, Prepared
from harness.models import cache
from harness.player import contents_needed
from harness.scenario import Scenario, Step
from harness.terms import Capability, Protocol, Request
from harness.wire import messages as wire

#: Seconds that a server which was just started gets until it answers every request of the traffic.
_WARM_UP = 30.0
#: Seconds that a reload may take.
_RELOAD_DEADLINE = 120.0

#: The actions that edit the repository.
_EDITS = (Publish, Withdraw, Replace, Rename)

_NO_SCENARIO = Scenario("own", "Models of a running server", models=(), steps=())


class Session:
    """A server, ready for requests, and the traffic for it.

    ``say`` is told what is going on. Raises BadOption where what was asked for cannot be had. Close it.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.scenario = settings.scenario or _NO_SCENARIO
        try:
            self.target = targets.parse(settings.target)
            targets.require(self.target, frozenset({Capability.LOAD}))
            self.target.prepare(say)
            cache.prepare(contents_needed(self.scenario), say)
            self.server = self.target.start(self.scenario)
        except (targets.UsageError, targets.Unsupported, targets.StartError, cache.BuildError) as error:
            raise BadOption(str(error)) from error
        try:
            self.addresses = _addresses(self.server.addresses, settings.mix.protocols)
            self._requests, self.plan = self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the server, if it was started here."""
        self.server.stop()

    @property
    def pid(self) -> int | None:
        """The server's process, if it was started here."""
        pid: int | None = getattr(self.server, "pid", None)
        return pid

    def acting_steps(self) -> list[tuple[int, Step]]:
        """The scenario's steps that change something, with their numbers, as far as they fit under load.

        Raises BadOption where the target cannot play them.
        """
        steps: list[tuple[int, Step]] = []
        for number, step in enumerate(self.scenario.steps):
            if not all(_playable(action) for action in step.actions):
                break  # what follows builds on it
            if step.actions:
                steps.append((number, step))
        for _, step in steps:
            try:
                targets.require(self.target, step.needs)
            except targets.Unsupported as error:
                raise BadOption(f"{error}: leave the steps out by --no-steps") from error
        return steps

    def unanswered(self, number: int) -> list[int]:
        """Numbers of the plan's requests that nobody is there to answer after step ``number``."""
        situation = Course(self.scenario).situations[number + 1]
        return [
            at
            for at, request in enumerate(self._requests)
            if request is not None and not situation.answering(request)
        ]

    def act(self, action: Action) -> None:
        """Carry out an action, without holding up other greenlets. Raises Refusal, Unreachable."""
        if isinstance(action, _EDITS):
            repository = self.server.repository
            assert repository is not None, "a target that can edit has a repository"
            # Copying a model blocks, so it goes to a thread of its own.
            gevent.get_hub().threadpool.apply(repository.apply, (action,))
            return
        assert isinstance(action, Reload), "other actions are not playable under load"
        config = model_config.message(action.models, self.server.models_root)
        message = wire.ReloadConfigRequest(config=config).SerializeToString()
        address = self.server.addresses.grpc
        if address is None:
            raise Unreachable("a reload needs the server's gRPC address")
        sender = grpc_sender.GrpcSender(address, _RELOAD_DEADLINE)
        try:
            sender.send(grpc_sender.prepare(address, RELOAD_CONFIG, message))
        finally:
            sender.close()

    def await_answers(self, numbers: Sequence[int]) -> None:
        """Wait until requests ``numbers`` of the plan are answered (again). Raises BadOption."""
        self._try_once(replace(self.plan, requests=[self.plan.requests[number] for number in numbers]))

    def _prepare(self) -> tuple[list[Request | None], Plan]:
        """The requests that are answered from the start, each tried once."""
        settings = self.settings
        mix = replace(settings.mix, protocols=tuple(self.addresses))
        try:
            pairs: list[tuple[Request | None, Prepared]] = []
            if settings.requests is not None:
                pairs += [(None, one) for one in user_traffic.of_file(settings.requests, mix, self._describe)]
            elif settings.scenario is None:
                pairs += [(None, one) for one in user_traffic.of_models(settings.models, mix, self._describe)]
            else:
                start = Course(self.scenario).situations[0]
                pairs += [
                    (request, one)
                    for request, one in traffic.of_scenario(self.scenario, mix)
                    if start.answering(request)
                ]
        except (traffic.TrafficError, Refusal, BadReply, Unreachable) as error:
            raise BadOption(str(error)) from error
        if not pairs:
            raise BadOption(f"nobody answers this traffic when scenario {self.scenario.id} starts")
        latency = settings.slo.latency
        plan = Plan(
            {str(protocol): address for protocol, address in self.addresses.items()},
            [one for _, one in pairs],
            settings.timeout,
            settings.patience,
            None if latency is None else latency.bound,
            settings.seed,
        )
        try:
            settings.slo.check_scopes(sorted({one.endpoint.name for one in plan.requests}))
        except ValueError as error:
            raise BadOption(str(error)) from error
        return [request for request, _ in pairs], replace(plan, requests=self._try_once(plan))

    def _try_once(self, plan: Plan) -> list[Prepared]:
        """Send every request once; the replies that are right become samples. Raises BadOption."""
        load = Load(plan)
        senders = load.senders()
        deadline = time.monotonic() + _WARM_UP if self.server.repository is not None else 0.0
        try:
            return [
                replace(one, sample=_ask(senders[protocol], request, check, one, deadline))
                for one, (protocol, _, request, check) in zip(plan.requests, load.requests, strict=True)
            ]
        finally:
            for sender in senders.values():
                sender.close()

    def _describe(self, request: Request) -> Metadata:
        """The metadata of a model, over whichever protocol there is."""
        rest = self.addresses.get(Protocol.REST)
        client: Client = RestClient(rest) if rest else GrpcClient(self.addresses[Protocol.GRPC])
        try:
            return client.metadata(request.model, version=request.version, label=request.label)
        finally:
            client.close()


def _playable(action: Action) -> bool:
    """Tell whether an action fits under load: an edit of the repository, or a reload that is accepted."""
    if isinstance(action, Reload):
        return action.text is None and not action.id
    return isinstance(action, _EDITS)


def _addresses(there: targets.Addresses, wanted: Sequence[Protocol]) -> dict[Protocol, str]:
    """Where to send over each protocol that is wanted and there. Raises BadOption."""
    known = {Protocol.REST: there.rest, Protocol.GRPC: there.grpc}
    found = {protocol: address for protocol in wanted if (address := known[protocol]) is not None}
    if not found:
        raise BadOption(f"the target has no {' or '.join(wanted)} address")
    return found


def _ask(sender: Any, request: Any, check: Check, one: Prepared, deadline: float) -> bytes:
    """The right reply to a request, or nothing where the reply is wrong: the load will count that."""
    while True:
        try:
            reply: bytes = sender.send(request)
            check(reply)
            return reply
        except WrongReply:
            return b""
        except (Refusal, Unreachable) as error:
            if time.monotonic() > deadline:
                raise BadOption(f"{one.endpoint.name}: the first request failed: {error}") from error
        time.sleep(0.1)
