"""Answers recorded once and given again: ``--record-golden FILE`` and the target ``replay:FILE``.

Between the checks and the server stand clients that either ask it and keep what it says, or say again what
was kept (:mod:`harness.targets.tape`). So a recording from an image serves where there is no engine. It
knows the requests of the checks that were recorded and nothing else: what it was not asked is skipped, and
so is what can only be seen while it happens, and what needs a server of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf.message import DecodeError

from harness.actions import Action
from harness.client import Client, Exchange, GrpcClient, Observer, Refusal, RestClient, Unreachable
from harness.client.grpc import RELOAD_CONFIG
from harness.client.http_socket import Connection, WireReply
from harness.client.rest import HttpReply
from harness.repository import Repository
from harness.scenario import Scenario
from harness.startup import StartUp
from harness.targets import tape
from harness.targets.base import Addresses, Launched, Say, Server, Target, Unsupported, UsageError
from harness.targets.tape import Tape
from harness.terms import Capability, Code, Protocol
from harness.wire import messages as wire

#: What no recording can do.
_BEYOND = frozenset({Capability.LAUNCH, Capability.CONNECT, Capability.LOAD, Capability.WATCH})
#: The address of a client that has no server.
_NOWHERE = "127.0.0.1:9"


class RecordedTarget:
    """A target whose answers are kept in ``file``. It is what it is otherwise, and says so."""

    def __init__(self, target: Target, file: Path) -> None:
        self._target = target
        self._file = file
        self._begun = False
        self.spec = target.spec
        self.kind = target.kind
        self.capabilities = target.capabilities

    def prepare(self, say: Say) -> None:
        """Prepare the target. Raises StartError."""
        self._target.prepare(say)

    def start(self, scenario: Scenario) -> TapedServer:
        """Start a server. Raises Unsupported, StartError."""
        if not self._begun:
            about = {
                "target": {"spec": self.spec, "kind": self.kind, **self.describe()},
                "capabilities": sorted(capability.name for capability in self.capabilities - _BEYOND),
                "recorded": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            }
            tape.begin(self._file, about)
            self._begun = True
        server = self._target.start(scenario)
        spoken = [protocol.value for protocol in Protocol if server.addresses.of(protocol)]
        kept = Tape(tape.setting(scenario), server.models_root, spoken, server.past)
        return TapedServer(kept, scenario, server, lambda: tape.append(self._file, kept.lines()))

    def launch(self, start_up: StartUp) -> Launched:
        """Start a server with a command line of its own; what it says is not kept."""
        return self._target.launch(start_up)

    def describe(self) -> Mapping[str, Any]:
        """What the target says of itself."""
        return self._target.describe()


class ReplayTarget:
    """The answers in a file. Raises UsageError where it cannot be read."""

    kind = "replay"

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self._file = Path(spec.removeprefix("replay:"))
        try:
            self._about, self._settings = tape.load(self._file)
        except tape.TapeError as error:
            raise UsageError(f"target {spec}: {error}") from error
        self.capabilities = frozenset(Capability[name] for name in self._about["capabilities"])

    def prepare(self, say: Say) -> None:
        """Nothing: the file has been read."""

    def start(self, scenario: Scenario) -> TapedServer:
        """The answers of servers with the scenario's setting. Raises Unsupported."""
        lines = self._settings.get(tape.setting(scenario))
        if lines is None:
            raise Unsupported(f"target {self.spec} was not recorded with what {scenario.id} starts with")
        starts = [line for line in lines if line["kind"] == "start"]
        kept = Tape(**{name: starts[-1][name] for name in ("setting", "root", "spoken", "past")})
        for line in lines:
            if line["kind"] == "replies":
                kept.learn(line)
        return TapedServer(kept, scenario)

    def launch(self, start_up: StartUp) -> NoReturn:  # noqa: ARG002 - the interface of targets
        """Raises Unsupported: nothing can be started here."""
        raise Unsupported(f"target {self.spec} cannot {Capability.LAUNCH}")

    def describe(self) -> Mapping[str, Any]:
        """What was recorded, and when."""
        target = self._about["target"]
        return {
            "label": f"{target['label']}, recorded {self._about['recorded']}",
            "server": target["server"],
            "image": target.get("image"),
        }


class TapedServer:
    """A server that is asked and kept, or without ``server`` one that only says again what was kept."""

    def __init__(
        self,
        kept: Tape,
        scenario: Scenario,
        server: Server | None = None,
        save: Callable[[], None] | None = None,
    ) -> None:
        self._tape = kept
        self._server = server
        self._save = save
        self.models_root = kept.root
        self.past = kept.past
        self.addresses = (
            Addresses(*(_NOWHERE if protocol in kept.spoken else None for protocol in Protocol))
            if server is None
            else server.addresses
        )
        within = None if server is None else server.repository
        self.repository: Repository | None = _TapedRepository(kept, scenario, within)

    def client(self, protocol: Protocol, on_exchange: Observer, timeout: float) -> Client:
        """A client that asks and keeps, or says again."""
        inner = None if self._server is None else self._server.client(protocol, on_exchange, timeout)
        if protocol is Protocol.REST:
            assert inner is None or isinstance(inner, RestClient)
            return _TapedRest(self._tape, inner, on_exchange)
        assert inner is None or isinstance(inner, GrpcClient)
        return _TapedGrpc(self._tape, inner, on_exchange)

    def listens(self, protocol: Protocol) -> bool:
        """Tell whether the server accepts, or accepted, connections for ``protocol``."""
        asked = tape.request("listens", protocol.value)
        if self._server is not None:
            self._tape.put(asked, {"listens": self._server.listens(protocol)})
        return bool(_entry(self._tape, asked, f"a connection for {protocol}")["listens"])

    def configure(self, text: str | None) -> None:
        """Put another text into the configuration file at once, or remove the file."""
        if self._server is not None:
            self._server.configure(text)
        self._tape.acts += 1

    def stderr(self) -> str:
        """The server's log."""
        asked = tape.request("log")
        if self._server is not None:
            self._tape.put(asked, {"log": self._server.stderr()})
        return str(_entry(self._tape, asked, "a look at the log")["log"])

    def logs(self) -> str:
        """The end of the server's log; a recording has none."""
        return "" if self._server is None else self._server.logs()

    def stop(self) -> None:
        """Stop the server, and put what it said into the file."""
        if self._server is not None:
            self._server.stop()
        if self._save is not None:
            self._save()
            self._save = None


class _TapedRepository(Repository):
    """Counts edits, and hands them to the folder where there is one."""

    def __init__(self, kept: Tape, scenario: Scenario, within: Repository | None) -> None:
        super().__init__(Path() if within is None else within.root, scenario.configured())
        self._tape = kept
        self._within = within

    def apply(self, action: Action) -> None:
        """Carry out an action."""
        if self._within is not None:
            self._within.apply(action)
        self._tape.acts += 1


class _TapedRest(RestClient):
    """A REST client in front of another, or of none."""

    def __init__(self, kept: Tape, inner: RestClient | None, on_exchange: Observer) -> None:
        super().__init__(
            _NOWHERE if inner is None else inner.address,
            on_exchange=on_exchange,
            headers=() if inner is None else inner.headers,
        )
        self._tape = kept
        self._inner = inner

    def exchange(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Ask and keep, or say again. Raises Unreachable, Unsupported."""
        asked = tape.request("rest", method, path, body or b"", sorted((headers or {}).items()))
        if self._inner is not None:
            try:
                reply = self._inner.exchange(method, path, body, headers)
            except Unreachable as error:
                self._tape.put(asked, {"unreachable": str(error)})
                raise
            self._tape.put(asked, _kept(WireReply("", *reply)))
            return reply
        entry = _entry(self._tape, asked, f"{method} {path}")
        reply = HttpReply(*_wire_reply(entry)[1:])
        if self.on_exchange is not None:
            self.on_exchange(
                Exchange(
                    protocol=Protocol.REST,
                    method=f"{method} {path}",
                    request=body or b"",
                    request_headers=tuple((headers or {}).items()),
                    status=f"{reply.status} {reply.reason}",
                    text="",
                    reply=reply.body,
                    reply_headers=reply.headers,
                    started=time.time(),
                    duration_s=0.0,
                )
            )
        return reply

    def connection(self, timeout: float) -> Connection:
        """A connection that sends and keeps, or says again. Raises Unreachable."""
        inner = None if self._inner is None else self._inner.connection(timeout)
        return _TapedConnection(self._tape, inner, self.address)

    def close(self) -> None:
        """Close the connection."""
        super().close()
        if self._inner is not None:
            self._inner.close()


class _TapedConnection(Connection):
    """A connection in front of another, or of none; a request is all that was sent and received so far."""

    def __init__(self, kept: Tape, inner: Connection | None, address: str) -> None:
        self._tape = kept
        self._inner = inner
        self._host = address.encode()
        self._so_far: list[object] = []

    def send(self, data: bytes) -> None:
        """Send."""
        if self._inner is not None:
            self._inner.send(data)
        self._so_far.append(data.replace(self._host, b"$REST"))

    def receive(self, method: str) -> WireReply:
        """Receive and keep, or say again. Raises Unreachable, Unsupported."""
        self._so_far.append("receive")
        asked = tape.request("raw", *self._so_far)
        if self._inner is not None:
            try:
                reply = self._inner.receive(method)
            except Unreachable as error:
                self._tape.put(asked, {"unreachable": str(error)})
                raise
            self._tape.put(asked, _kept(reply))
            return reply
        return _wire_reply(_entry(self._tape, asked, "these bytes"))

    def closed(self) -> bool:
        """Tell whether the server closes, or closed, the connection."""
        asked = tape.request("closed", *self._so_far)
        if self._inner is not None:
            self._tape.put(asked, {"closed": self._inner.closed()})
        return bool(_entry(self._tape, asked, "these bytes")["closed"])

    def close(self) -> None:
        """Close this end."""
        if self._inner is not None:
            self._inner.close()


class _TapedGrpc(GrpcClient):
    """A gRPC client in front of another, or of none."""

    def __init__(self, kept: Tape, inner: GrpcClient | None, on_exchange: Observer) -> None:
        super().__init__(_NOWHERE if inner is None else inner.address, on_exchange=on_exchange)
        self._tape = kept
        self._inner = inner

    def exchange(self, method: str, request: bytes, *, timeout: float | None = None) -> bytes:
        """Ask and keep, or say again. Raises Refusal, Unsupported."""
        reloads = method == RELOAD_CONFIG
        asked = tape.request("grpc", method, self._anywhere(request) if reloads else request)
        self._tape.acts += reloads  # at once: others ask on while a server is reloading
        if self._inner is not None:
            return self._ask(self._inner, asked, method, request, timeout)
        return self._repeat(asked, method, request)

    def connect(self) -> None:
        """Connect the other one."""
        if self._inner is not None:
            self._inner.connect()

    def _anywhere(self, request: bytes) -> str:
        """A request to reload, without the folder of this one server."""
        try:
            message = wire.ReloadConfigRequest.FromString(request)
        except DecodeError:
            return request.hex()
        return str(message).replace(self._tape.root, "$MODELS")

    def close(self) -> None:
        """Close the channel."""
        super().close()
        if self._inner is not None:
            self._inner.close()

    def _ask(
        self, inner: GrpcClient, asked: str, method: str, request: bytes, timeout: float | None
    ) -> bytes:
        try:
            reply = inner.exchange(method, request, timeout=timeout)
        except Refusal as refusal:
            code = (refusal.code or Code.UNKNOWN).name
            told = {"code": code, "details": refusal.text, "message": ""}
            self._tape.put(asked, told, act=method == RELOAD_CONFIG)
            raise
        told = {"code": Code.OK.name, "details": "", "message": tape.encoded(reply)}
        self._tape.put(asked, told, act=method == RELOAD_CONFIG)
        return reply

    def _repeat(self, asked: str, method: str, request: bytes) -> bytes:
        entry = _entry(self._tape, asked, method, act=method == RELOAD_CONFIG)
        code, text, reply = Code[entry["code"]], entry["details"], tape.decoded(entry["message"])
        if self.on_exchange is not None:
            self.on_exchange(
                Exchange(
                    protocol=Protocol.GRPC,
                    method=method,
                    request=request,
                    request_headers=(),
                    status=code.name,
                    text=text,
                    reply=reply,
                    reply_headers=(),
                    started=time.time(),
                    duration_s=0.0,
                )
            )
        if code is not Code.OK:
            raise Refusal(text, code=code)
        return reply


def _entry(kept: Tape, asked: str, what: str, *, act: bool = False) -> tape.Entry:
    """A recorded reply. Raises Unreachable where that was recorded, Unsupported where nothing was."""
    entry = kept.get(asked, act=act)
    if entry is None:
        raise Unsupported(f"the recording has no reply to {what} in this situation")
    if "unreachable" in entry:
        raise Unreachable(entry["unreachable"])
    return entry


def _kept(reply: WireReply) -> tape.Entry:
    return {
        "version": reply.version,
        "status": reply.status,
        "reason": reply.reason,
        "headers": [list(pair) for pair in reply.headers],
        "body": tape.encoded(reply.body),
    }


def _wire_reply(entry: tape.Entry) -> WireReply:
    return WireReply(
        entry["version"],
        entry["status"],
        entry["reason"],
        tuple((name, value) for name, value in entry["headers"]),
        tape.decoded(entry["body"]),
    )
