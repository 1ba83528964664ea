"""Both gRPC fronts, told apart by nothing that a client can see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, current_thread
from time import monotonic

import grpc
import pytest

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, invalid_argument
from server_impl.protocol.grpc import front as grpc_front
from server_impl.protocol.grpc.front import FrontOptions, GrpcFront, Handler, Methods, create_front
from server_impl.protocol.grpc.grpcio_front import GrpcioFront
from server_impl.protocol.reply import Steps, Work

FRONTS = ["grpcio"]
try:
    from server_impl.protocol.grpc.native import NativeFront
except ImportError:
    pass
else:
    FRONTS.append("native")

LOCAL = "127.0.0.1:0"
PATIENCE_S = 20
CERTIFICATES = Path(__file__).parent / "certificates"

MakeFront = Callable[..., GrpcFront]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture(params=FRONTS)
def make_front(request: pytest.FixtureRequest, executor: ThreadPoolExecutor) -> Iterator[MakeFront]:
    made: list[GrpcFront] = []

    def make(methods: dict[str, Handler], *addresses: str, **options: object) -> GrpcFront:
        front_options = FrontOptions(addresses or (LOCAL,), **options)  # type: ignore[arg-type]
        kind = GrpcioFront if request.param == "grpcio" else NativeFront
        front = kind(
            Methods(methods, {"/h/Watch": lambda payload: b"seen " + payload}), executor, front_options
        )
        made.append(front)
        front.start()
        return front

    yield make
    for front in made:
        front.close(0)


class Client:
    def __init__(self, target: object, credentials: grpc.ChannelCredentials | None = None) -> None:
        address = f"127.0.0.1:{target}" if isinstance(target, int) else str(target)
        options = [("grpc.max_receive_message_length", -1)]
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            self.channel = grpc.secure_channel(address, credentials, options)

    def call(self, path: str, payload: bytes = b"", timeout: float = PATIENCE_S) -> bytes:
        return bytes(self.channel.unary_unary(path)(payload, timeout=timeout))

    def error(self, path: str, payload: bytes = b"") -> tuple[grpc.StatusCode, str | None]:
        with pytest.raises(grpc.RpcError) as raised:
            self.call(path, payload)
        return raised.value.code(), raised.value.details()  # type: ignore[attr-defined]


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(*arguments: object) -> Client:
        clients.append(Client(*arguments))  # type: ignore[arg-type]
        return clients[-1]

    yield make
    for client in clients:
        client.channel.close()


def echo(payload: bytes, deadline: float | None) -> bytes:
    return payload


def test_calls(make_front: MakeFront, connect: Callable[..., Client]) -> None:
    front = make_front({"/s/Echo": echo, "/s/Late": lambda payload, deadline: lambda: payload[::-1]})
    client = connect(front.ports[0])
    assert client.call("/s/Echo", b"abc") == b"abc"
    assert client.call("/s/Late", b"abc") == b"cba"
    assert client.call("/s/Echo", b"") == b""


def test_large_messages(make_front: MakeFront, connect: Callable[..., Client]) -> None:
    client = connect(make_front({"/s/Echo": echo}).ports[0])
    large = bytes(20_000_000)
    assert client.call("/s/Echo", large) == large


def test_a_limit_that_is_asked_for(executor: ThreadPoolExecutor, connect: Callable[..., Client]) -> None:
    arguments = {"grpc.max_receive_message_length": 1000}
    front = create_front(Methods({"/s/Echo": echo}, {}), executor, FrontOptions([LOCAL], arguments))
    front.start()
    client = connect(front.ports[0])
    assert client.call("/s/Echo", bytes(1000)) == bytes(1000)
    assert client.error("/s/Echo", bytes(1001))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    front.close(0)


def steps(answer: Callable[[], Work[bytes]], noted: list[str]) -> Steps[bytes]:
    """A request that notes its steps."""
    noted.append("first")
    yield
    noted.append("last")
    return answer()


def test_calls_in_steps(make_front: MakeFront, connect: Callable[..., Client]) -> None:
    noted: list[str] = []
    methods: dict[str, Handler] = {
        "/s/Steps": lambda payload, deadline: steps(lambda: payload, noted),
        "/s/Large": lambda payload, deadline: steps(lambda: lambda: payload[::-1], noted),
    }
    client = connect(make_front(methods).ports[0])
    assert client.call("/s/Steps", b"abc") == b"abc"
    assert client.call("/s/Large", b"abc") == b"cba"
    assert noted == ["first", "last"] * 2


@pytest.mark.skipif("native" not in FRONTS, reason="no pygrpc-native for this platform")
def test_calls_that_come_together_take_their_steps_together(
    executor: ThreadPoolExecutor, connect: Callable[..., Client]
) -> None:
    noted: list[str] = []

    def in_steps(payload: bytes, deadline: float | None) -> Steps[bytes]:
        return steps(lambda: payload, noted)

    front = NativeFront(Methods({"/s/Steps": in_steps}, {}), executor, FrontOptions([LOCAL]))
    front.start()
    call = connect(front.ports[0]).channel.unary_unary("/s/Steps")
    give_up = monotonic() + PATIENCE_S
    while noted[:2] != ["first", "first"] and monotonic() < give_up:
        noted.clear()
        payloads = [b"%d" % number for number in range(8)]
        calls = [call.future(payload, timeout=PATIENCE_S) for payload in payloads]
        assert [each.result() for each in calls] == payloads
    assert noted[:2] == ["first", "first"]
    assert noted.count("last") == 8
    front.close(0)


class Choosy:
    """The library's front, but that it takes no reply ``b"no"``."""

    def __init__(self, front: object) -> None:
        self._front = front

    def __getattr__(self, name: str) -> object:
        return getattr(self._front, name)

    def respond(self, call: int, reply: bytes) -> None:
        if reply == b"no":
            raise OverflowError("no")
        self._front.respond(call, reply)  # type: ignore[attr-defined]


@pytest.mark.skipif("native" not in FRONTS, reason="no pygrpc-native for this platform")
def test_a_reply_that_cannot_be_sent_fails_its_own_call_alone(
    executor: ThreadPoolExecutor, connect: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    front = NativeFront(Methods({"/s/Echo": echo}, {}), executor, FrontOptions([LOCAL]))
    (listener,) = front._listeners
    listener._front = Choosy(listener._front)
    front.start()
    client = connect(front.ports[0])
    assert client.error("/s/Echo", b"no")[0] is grpc.StatusCode.INTERNAL
    assert client.call("/s/Echo", b"yes") == b"yes"
    assert "OverflowError" in caplog.text
    front.close(0)


def raising(error: Exception) -> Handler:
    def fail() -> bytes:
        raise error

    ways: dict[bytes, Handler] = {
        b"now": lambda payload, deadline: fail(),
        b"late": lambda payload, deadline: fail,
        b"steps": lambda payload, deadline: steps(fail, []),
    }
    return lambda payload, deadline: ways[payload or b"now"](payload, deadline)


@pytest.mark.parametrize("when", [b"now", b"late", b"steps"])
@pytest.mark.parametrize(
    ("code", "message", "seen"),
    [
        (Code.INVALID_ARGUMENT, "bad\nthing: é\0%", "bad\nthing: é\0%"),
        (Code.INTERNAL, "", ""),
        (Code.NOT_FOUND, "x" * 1025, "x" * 1024 + "...TRUNCATED"),
        (Code.UNAUTHENTICATED, "not UTF-8: \udcff", "not UTF-8: \ufffd"),
    ],
)
def test_errors(
    make_front: MakeFront,
    connect: Callable[..., Client],
    when: bytes,
    code: Code,
    message: str,
    seen: str,
) -> None:
    client = connect(make_front({"/s/Fail": raising(ServingError(code, message))}).ports[0])
    assert client.error("/s/Fail", when) == (grpc.StatusCode[code.name], seen)


@pytest.mark.parametrize("when", [b"now", b"late", b"steps"])
def test_a_defect_fails_its_own_call_alone(
    make_front: MakeFront, connect: Callable[..., Client], caplog: pytest.LogCaptureFixture, when: bytes
) -> None:
    methods: dict[str, Handler] = {"/s/Fail": raising(ZeroDivisionError()), "/s/Echo": echo}
    client = connect(make_front(methods).ports[0])
    code, _ = client.error("/s/Fail", when)
    assert code is grpc.StatusCode.INTERNAL
    assert client.call("/s/Echo", b"on") == b"on"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("path", ["/s/Nope", "/tensorflow.serving.SessionService/SessionRun", "/Nope"])
def test_unknown_methods(make_front: MakeFront, connect: Callable[..., Client], path: str) -> None:
    code, _ = connect(make_front({"/s/Echo": echo}).ports[0]).error(path)
    assert code is grpc.StatusCode.UNIMPLEMENTED


def test_deadlines_reach_the_handler(make_front: MakeFront, connect: Callable[..., Client]) -> None:
    def left(payload: bytes, deadline: float | None) -> bytes:
        return b"none" if deadline is None else str(deadline - monotonic()).encode()

    client = connect(make_front({"/s/Left": left}).ports[0])
    # Timeouts are rounded up on their way.
    assert 0 < float(client.call("/s/Left", timeout=15)) < 16
    assert client.channel.unary_unary("/s/Left")(b"") == b"none"


def test_deferred_work_runs_on_the_executor(make_front: MakeFront, connect: Callable[..., Client]) -> None:
    def where(payload: bytes, deadline: float | None) -> Callable[[], bytes]:
        return lambda: current_thread().name.encode()

    client = connect(make_front({"/s/Where": where}).ports[0])
    assert client.call("/s/Where").startswith(b"ThreadPoolExecutor")


def test_deferred_work_does_not_hold_up_other_calls(
    make_front: MakeFront, connect: Callable[..., Client]
) -> None:
    release = Event()

    def slow(payload: bytes, deadline: float | None) -> Callable[[], bytes]:
        return lambda: b"released" if release.wait(PATIENCE_S) else b"not released"

    client = connect(make_front({"/s/Slow": slow, "/s/Echo": echo}).ports[0])
    waiting = client.channel.unary_unary("/s/Slow").future(b"", timeout=PATIENCE_S)
    assert client.call("/s/Echo", b"quick") == b"quick"
    release.set()
    assert waiting.result() == b"released"


def test_watch_stays_open(make_front: MakeFront, connect: Callable[..., Client]) -> None:
    client = connect(make_front({"/s/Echo": echo}).ports[0])
    streams = [client.channel.unary_stream("/h/Watch")(b"me", timeout=PATIENCE_S) for _ in range(5)]
    # More watchers than the executor has threads, and calls go on.
    assert [next(stream) for stream in streams] == [b"seen me"] * 5
    assert client.call("/s/Echo", b"on") == b"on"
    assert all(stream.is_active() for stream in streams)
    for stream in streams:
        stream.cancel()


def test_unix_socket_beside_a_port(
    make_front: MakeFront, connect: Callable[..., Client], tmp_path: Path
) -> None:
    socket = f"unix:{tmp_path}/s"
    front = make_front({"/s/Echo": echo}, LOCAL, socket)
    assert len(front.ports) == 1
    assert connect(front.ports[0]).call("/s/Echo", b"tcp") == b"tcp"
    assert connect(socket).call("/s/Echo", b"unix") == b"unix"


def test_unix_socket_alone(make_front: MakeFront, connect: Callable[..., Client], tmp_path: Path) -> None:
    socket = f"unix:{tmp_path}/s"
    front = make_front({"/s/Echo": echo}, socket)
    assert list(front.ports) == []
    assert connect(socket).call("/s/Echo", b"unix") == b"unix"


def test_ports_are_shared_unless_forbidden(make_front: MakeFront) -> None:
    address = f"127.0.0.1:{make_front({'/s/Echo': echo}).ports[0]}"
    make_front({"/s/Echo": echo}, address)
    with pytest.raises(OSError, match=r"in use|bind"):
        make_front({"/s/Echo": echo}, address, channel_arguments={"grpc.so_reuseport": 0})


def test_close_lets_calls_in_flight_finish(make_front: MakeFront, connect: Callable[..., Client]) -> None:
    begun, release = Event(), Event()

    def work() -> bytes:
        begun.set()
        return b"done" if release.wait(PATIENCE_S) else b"late"

    front = make_front({"/s/Slow": lambda payload, deadline: work})
    client = connect(front.ports[0])
    waiting = client.channel.unary_unary("/s/Slow").future(b"", timeout=PATIENCE_S)
    assert begun.wait(PATIENCE_S)
    with ThreadPoolExecutor(1) as closer:
        closing = closer.submit(front.close, PATIENCE_S)
        release.set()
        assert waiting.result() == b"done"
        closing.result(PATIENCE_S)
    assert client.error("/s/Slow")[0] is grpc.StatusCode.UNAVAILABLE


def test_close_cuts_off_what_takes_too_long(make_front: MakeFront, connect: Callable[..., Client]) -> None:
    begun, release = Event(), Event()

    def work() -> bytes:
        begun.set()
        release.wait(PATIENCE_S)
        return b"late"

    front = make_front({"/s/Slow": lambda payload, deadline: work})
    waiting = connect(front.ports[0]).channel.unary_unary("/s/Slow").future(b"", timeout=PATIENCE_S)
    assert begun.wait(PATIENCE_S)
    try:
        front.close(0.1)
        assert waiting.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    finally:
        release.set()


@pytest.mark.skipif("native" not in FRONTS, reason="no pygrpc-native for this platform")
def test_client_that_leaves_calls_off_work_that_was_not_begun(connect: Callable[..., Client]) -> None:
    release, begun, ran = Event(), Event(), []

    def handler(payload: bytes, deadline: float | None) -> Callable[[], bytes]:
        def work() -> bytes:
            ran.append(payload)
            begun.set()
            release.wait(PATIENCE_S)
            return payload

        return work

    with ThreadPoolExecutor(1) as pool:
        front = NativeFront(Methods({"/s/Slow": handler, "/s/Echo": echo}, {}), pool, FrontOptions([LOCAL]))
        front.start()
        client = connect(front.ports[0])
        slow = client.channel.unary_unary("/s/Slow")
        first = slow.future(b"first", timeout=PATIENCE_S)
        assert begun.wait(PATIENCE_S)
        second = slow.future(b"second", timeout=PATIENCE_S)
        client.call("/s/Echo")  # by now the second has arrived
        second.cancel()
        client.call("/s/Echo")  # and has been cancelled
        last = slow.future(b"last", timeout=PATIENCE_S)
        release.set()
        assert first.result() == b"first"
        assert last.result() == b"last"
        front.close(PATIENCE_S)
    assert ran == [b"first", b"last"]


# TLS, and which front is chosen.


def pem(name: str) -> str:
    return (CERTIFICATES / name).read_text()


def client_credentials(*, certificate: bool) -> grpc.ChannelCredentials:
    if not certificate:
        return grpc.ssl_channel_credentials(pem("ca.pem").encode())
    return grpc.ssl_channel_credentials(
        pem("ca.pem").encode(), pem("client.key").encode(), pem("client.pem").encode()
    )


@pytest.mark.parametrize("verify", [False, True])
def test_tls(executor: ThreadPoolExecutor, connect: Callable[..., Client], verify: bool) -> None:
    ssl = wire.SSLConfig(
        server_key=pem("server.key"),
        server_cert=pem("server.pem"),
        custom_ca=pem("ca.pem"),
        client_verify=verify,
    )
    front = create_front(Methods({"/s/Echo": echo}, {}), executor, FrontOptions([LOCAL], ssl=ssl))
    assert isinstance(front, GrpcioFront)
    front.start()
    try:
        port = front.ports[0]
        assert connect(port, client_credentials(certificate=True)).call("/s/Echo", b"tls") == b"tls"
        stranger = connect(port, client_credentials(certificate=False))
        if verify:
            assert stranger.error("/s/Echo")[0] is grpc.StatusCode.UNAVAILABLE
        else:
            assert stranger.call("/s/Echo", b"tls") == b"tls"
        assert connect(port).error("/s/Echo")[0] is grpc.StatusCode.UNAVAILABLE
    finally:
        front.close(0)


FAILED = invalid_argument("Failed to BuildAndStart gRPC server")


@pytest.mark.parametrize(
    "options",
    [
        FrontOptions(["127.0.0.1:99999"]),
        FrontOptions(["unix:/nowhere/at/all"]),
        FrontOptions([LOCAL], ssl=wire.SSLConfig(server_key="rubbish", server_cert="rubbish")),
        FrontOptions([LOCAL], ssl=wire.SSLConfig()),
    ],
)
def test_what_cannot_be_opened(executor: ThreadPoolExecutor, options: FrontOptions) -> None:
    with pytest.raises(ServingError) as raised:
        create_front(Methods({}, {}), executor, options)
    assert (raised.value.code, raised.value.message) == (FAILED.code, FAILED.message)


@pytest.mark.parametrize(
    ("arguments", "native"),
    [
        ({}, True),
        ({"grpc.so_reuseport": 0, "grpc.max_concurrent_streams": 7}, True),
        ({"grpc.keepalive_time_ms": "soon"}, True),
        ({"grpc.max_connection_age_ms": 60000}, False),
    ],
)
def test_choice_of_front(executor: ThreadPoolExecutor, arguments: dict[str, int | str], native: bool) -> None:
    front = create_front(Methods({"/s/Echo": echo}, {}), executor, FrontOptions([LOCAL], arguments))
    front.close(0)
    assert isinstance(front, GrpcioFront) != (native and "native" in FRONTS)


def test_without_the_native_library(executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "server_impl.protocol.grpc.native", None)
    front = grpc_front.create_front(Methods({"/s/Echo": echo}, {}), executor, FrontOptions([LOCAL]))
    front.close(0)
    assert isinstance(front, GrpcioFront)
