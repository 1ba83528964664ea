"""Plays a case on a server, and says what was expected and what came."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from harness.cases import Answer, AnyOf, Case, GrpcCase, HttpRequest, Refused, Reply, RestCase, show
from harness.client import Exchange, GrpcClient, Observer, Refusal, RestClient, Unreachable
from harness.client.grpc import GET_MODEL_STATUS
from harness.client.http_socket import Connection, WireReply
from harness.matching import body_problem, message_problem, text_fits
from harness.player import Player
from harness.scenario import Scenario
from harness.targets import Unsupported
from harness.terms import Protocol
from harness.verdict import Mismatch

_STATUS = re.compile(r"/v1/models/\w+(/(versions|labels)/\w+)?")
#: Seconds that one connection may take for all of a case.
TIMEOUT = 30.0
#: Characters of a body that a failure shows.
_SHOWN = 2000


def play(case: Case, player: Player) -> None:
    """Play a case on the player's server. Raises Mismatch, Unsupported."""
    try:
        _play(case, player)
    except Mismatch as mismatch:
        if any(player.server.past.values()) and asks_status(case):
            raise Unsupported(
                f"target {player.target.spec} also lists versions that other scenarios had"
            ) from mismatch
        raise


def _play(case: Case, player: Player) -> None:
    client = player.client(case.protocol)
    if isinstance(case, GrpcCase):
        assert isinstance(client, GrpcClient)
        play_grpc(case, client)
    else:
        assert isinstance(client, RestClient)
        play_rest(case, client, client.on_exchange or player.evidence.append)


def asks_status(case: Case) -> bool:
    """Tell whether a case asks in which states versions are."""
    if isinstance(case, GrpcCase):
        return case.request.method == GET_MODEL_STATUS
    return isinstance(case.request, HttpRequest) and bool(_STATUS.fullmatch(case.request.target))


def names_model(case: Case, scenario: Scenario) -> bool:
    """Tell whether a case's requests may name a model of the scenario."""
    if isinstance(case, GrpcCase):
        sent = case.request.encode()
        return any(name.encode() in sent for name in scenario.configured())
    requests = [case.request, *(request for request, _ in case.then)]
    sent = b" ".join(
        request if isinstance(request, bytes) else f"{request.target} ".encode()
        for request in requests
        if request is not None
    )
    return any(re.search(rf"/{re.escape(name)}(?!\w)".encode(), sent) for name in scenario.configured())


def play_rest(case: RestCase, client: RestClient, observe: Observer) -> None:
    """Send the requests over a connection of their own. Raises Mismatch."""
    turns: list[tuple[HttpRequest | bytes | None, Reply | AnyOf[Reply]]] = [
        (case.request, case.reply),
        *case.then,
    ]
    try:
        connection = client.connection(TIMEOUT)
    except Unreachable as error:
        raise Mismatch(_cut(show(case.reply)), str(error)) from error
    try:
        for request, expected in turns:
            _turn(connection, client, request, expected, observe)
    finally:
        connection.close()


def play_grpc(case: GrpcCase, client: GrpcClient) -> None:
    """Make the call; the client's own observer sees it. Raises Mismatch."""
    options = case.reply.options if isinstance(case.reply, AnyOf) else (case.reply,)
    came: bytes | Refusal
    try:
        came = client.exchange(case.request.method, case.request.encode(), timeout=case.request.timeout)
    except Refusal as refusal:
        came = refusal
    problems = [_grpc_problem(option, came) for option in options]
    if None not in problems:
        raise Mismatch(_cut(show(case.reply)), problems[0] or "")


def _turn(
    connection: Connection,
    client: RestClient,
    request: HttpRequest | bytes | None,
    expected: Reply | AnyOf[Reply],
    observe: Observer,
) -> None:
    options = expected.options if isinstance(expected, AnyOf) else (expected,)
    started, clock = time.time(), time.perf_counter()
    try:
        if request is not None:
            connection.send(_encoded(request, client))
        reply = connection.receive(request.method if isinstance(request, HttpRequest) else "")
    except Unreachable as error:
        observe(_exchange(request, None, started, time.perf_counter() - clock))
        raise Mismatch(_cut(show(expected)), str(error)) from error
    observe(_exchange(request, reply, started, time.perf_counter() - clock))
    closed = any(option.closes for option in options) and connection.closed()
    problems = [_rest_problem(option, reply, closed) for option in options]
    if None not in problems:
        raise Mismatch(_cut(show(expected)), f"{problems[0]}: {_shown(reply)}")


def _encoded(request: HttpRequest | bytes, client: RestClient) -> bytes:
    if isinstance(request, bytes):
        return request
    return replace(request, headers=(*request.headers, *client.headers)).encode(client.address)


def _rest_problem(expected: Reply, reply: WireReply, closed: bool) -> str | None:
    """What is wrong with the reply to a REST request."""
    if reply.status != expected.status:
        return f"status {reply.status}"
    if expected.reason not in (None, reply.reason):
        return f"reason {reply.reason!r}"
    if expected.version not in (None, reply.version):
        return f"version {reply.version}"
    for name, value in expected.headers.items():
        actual = reply.header(name)
        if value is None and actual is not None:
            return f"a header {name}"
        if value is not None and (actual is None or not text_fits(value, actual)):
            return f"header {name}: {actual}"
    if expected.closes and not closed:
        return "the connection stays open"
    return body_problem(expected.body, reply.body)


def _grpc_problem(expected: Answer | Refused, came: bytes | Refusal) -> str | None:
    """What is wrong with the reply to a call."""
    if isinstance(expected, Refused):
        if not isinstance(came, Refusal):
            return f"OK with {len(came)} bytes"
        fits = came.code is expected.code and text_fits(expected.text, came.text)
        return None if fits else str(came)
    if isinstance(came, Refusal):
        return str(came)
    actual = type(expected.message)()
    try:
        actual.ParseFromString(came)
    except Exception as error:  # protobuf's implementations raise classes of their own
        return f"not a {expected.message.DESCRIPTOR.name} ({error}): {came[:100]!r}"
    problem = message_problem(expected.message, actual, whole=expected.whole, tolerance=expected.tolerance)
    return None if problem is None else f"{problem}, in {{ {_cut(str(actual).strip())} }}"


def _exchange(
    request: HttpRequest | bytes | None, reply: WireReply | None, started: float, duration: float
) -> Exchange:
    """What happened, for the record; bytes sent as they are have no method."""
    method, content = "", b""
    headers: tuple[tuple[str, str], ...] = ()
    match request:
        case HttpRequest():
            method, headers = f"{request.method} {request.target}", request.headers
            content = request.content()
        case bytes():
            content = request
    return Exchange(
        protocol=Protocol.REST,
        method=method,
        request=content,
        request_headers=headers,
        status="0 no reply" if reply is None else f"{reply.status} {reply.reason}",
        text="",
        reply=b"" if reply is None else reply.body,
        reply_headers=() if reply is None else reply.headers,
        started=started,
        duration_s=duration,
    )


def _shown(reply: WireReply) -> str:
    fields = (f"{name}: {value}" for name, value in reply.headers)
    head = "; ".join([f"{reply.version} {reply.status} {reply.reason}", *fields])
    return f"{head}\n{_cut(reply.body.decode('utf-8', 'backslashreplace'))}"


def _cut(text: str) -> str:
    """The beginning of a long text, for failures."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ... {len(text)} characters"
