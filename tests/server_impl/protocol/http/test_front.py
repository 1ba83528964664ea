from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop

from server_impl.protocol.http.front import HttpFront, listen
from server_impl.protocol.http.reader import Request
from server_impl.protocol.http.response import Response, page
from server_impl.protocol.reply import Reply, Steps, Work

DEADLINE_S = 10
Test = Callable[[HttpFront, int], Awaitable[None]]


def steps(name: bytes, answer: Callable[[], Work[Response]], noted: list[bytes]) -> Steps[Response]:
    """A request that notes its steps."""
    noted.append(b"first " + name)
    yield
    noted.append(b"last " + name)
    return answer()


#: No response can be written with this status.
UNWRITABLE = Response(999, (), b"")


class EchoApp:
    """Answers with the target; ``/slow`` once ``gate`` is open, on the executor; ``/steps`` in steps."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.handled: list[bytes] = []
        self.steps: list[bytes] = []
        self.size = 0

    def handle(self, request: Request) -> Reply[Response]:
        target = request.head.target
        self.handled.append(target)
        if target == b"/crash":
            raise RuntimeError("a bug")
        if target == b"/missing":
            return page(404)
        if target == b"/unwritable":
            return UNWRITABLE
        if target == b"/steps-unwritable":
            return steps(target, lambda: UNWRITABLE, self.steps)
        response = Response(200, (), target + request.body + b"." * self.size)
        if target.startswith(b"/steps"):

            def answer() -> Work[Response]:
                if target == b"/steps-crash":
                    raise RuntimeError("a bug")
                return (lambda: response) if target == b"/steps-large" else response

            return steps(target, answer, self.steps)
        if not target.startswith(b"/slow"):
            return response

        def work() -> Response:
            assert self.gate.wait(DEADLINE_S)
            if target == b"/slow-crash":
                raise RuntimeError("a bug")
            return response

        return work


@pytest.fixture
def app() -> Iterator[EchoApp]:
    app = EchoApp()
    yield app
    app.gate.set()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest, app: EchoApp) -> Callable[[Test], None]:
    """Runs a coroutine beside a front; both in one event loop, bounded in time."""

    def run(test: Test) -> None:
        async def body(executor: ThreadPoolExecutor) -> None:
            front = HttpFront(app, executor)
            sock = listen(0, "127.0.0.1")
            await front.start(sock)
            try:
                await asyncio.wait_for(test(front, sock.getsockname()[1]), DEADLINE_S)
            finally:
                app.gate.set()
                await front.close(0)

        with ThreadPoolExecutor(2) as executor, asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(body(executor))

    return run


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


def get(target: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", *fields, "", ""]).encode()


async def body_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # bounded by the deadline of the whole test
        await asyncio.sleep(0.001)


def test_kept_connection(serve: Callable[[Test], None]) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer):
            for target in ("/a", "/b"):
                writer.write(get(target))
                assert await body_of(reader) == target.encode()

    serve(test)


def test_responses_keep_the_order_of_requests(serve: Callable[[Test], None], app: EchoApp) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(get("/slow1") + get("/quick") + get("/slow2") + get("/quick"))
            await until(lambda: bool(app.handled))
            assert app.handled == [b"/slow1"]
            app.gate.set()
            assert [await body_of(reader) for _ in range(4)] == [b"/slow1", b"/quick", b"/slow2", b"/quick"]

    serve(test)


def test_requests_that_come_together_take_their_steps_together(
    serve: Callable[[Test], None], app: EchoApp
) -> None:
    names = [b"/steps0", b"/steps1", b"/steps2"]

    async def test(front: HttpFront, port: int) -> None:
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in names]
        # Bounded by the deadline of the whole test.
        while app.steps[:3] != [b"first " + name for name in names]:
            app.steps.clear()
            for (_, writer), name in zip(clients, names, strict=True):
                writer.write(get(name.decode()))
            for (reader, _), name in zip(clients, names, strict=True):
                assert await body_of(reader) == name
        assert app.steps[3:] == [b"last " + name for name in names]
        for _, writer in clients:
            writer.close()

    serve(test)


def test_requests_are_gathered_as_long_as_more_come(serve: Callable[[Test], None]) -> None:
    async def test(front: HttpFront, port: int) -> None:
        log = []

        class Client:
            loop = asyncio.get_running_loop()

            def __init__(self, name: str) -> None:
                self.name = name

            def advance(self) -> None:
                log.append(f"answered {self.name}")

        clients = [Client(name) for name in ("a", "b", "idle")]
        for client in clients:
            front.add(client)  # type: ignore[arg-type]
        for client in clients[:2]:
            log.append(f"came {client.name}")
            front.attend(client)  # type: ignore[arg-type]
            await asyncio.sleep(0)  # one round of the event loop
        await until(lambda: len(log) == 4)
        assert log == ["came a", "came b", "answered a", "answered b"]
        # When all have come there is nobody to wait for.
        for client in clients:
            front.attend(client)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert log[4:] == ["answered a", "answered b", "answered idle"]
        for client in clients:
            front.remove(client)  # type: ignore[arg-type]

    serve(test)


def test_requests_of_one_connection_are_answered_in_order(serve: Callable[[Test], None]) -> None:
    targets = ["/steps1", "/quick", "/steps-large", "/steps2"]

    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(b"".join(map(get, targets)))
            assert [await body_of(reader) for _ in targets] == [target.encode() for target in targets]

    serve(test)


def test_slow_reply_does_not_hold_up_other_connections(serve: Callable[[Test], None]) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (_, slow), connected(port) as (reader, writer):
            slow.write(get("/slow"))
            writer.write(get("/quick"))
            assert await body_of(reader) == b"/quick"

    serve(test)


@pytest.mark.parametrize("data", [get("/x", "Connection: close"), get("/missing"), b"GARBAGE\r\n\r\n"])
def test_closing_responses(serve: Callable[[Test], None], data: bytes) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(data + get("/never"))
            answer = await reader.read()
            assert answer.count(b"HTTP/1.1") == 1

    serve(test)


def test_body_on_request(serve: Callable[[Test], None]) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(b"POST /x HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"ab")
            assert await body_of(reader) == b"/xab"

    serve(test)


@pytest.mark.parametrize("target", ["/quick", "/slow", "/steps", "/steps-large"])
def test_half_closed_client_gets_its_answer(serve: Callable[[Test], None], app: EchoApp, target: str) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(get(target))
            writer.write_eof()
            await until(lambda: bool(app.handled))
            app.gate.set()
            assert await body_of(reader) == target.encode()
            assert await reader.read() == b""

    serve(test)


def test_half_closed_within_a_request(serve: Callable[[Test], None], app: EchoApp) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(get("/x")[:-1])
            writer.write_eof()
            assert await reader.read() == b""
            assert app.handled == []

    serve(test)


def test_client_that_does_not_read_is_not_served_further(serve: Callable[[Test], None], app: EchoApp) -> None:
    app.size = 1 << 20
    requests = 30

    async def test(front: HttpFront, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(get("/x") * requests)
            served = 0
            while not served or served != len(app.handled):
                served = len(app.handled)
                await asyncio.sleep(0.1)  # no more comes although there is time
            assert served < requests
            reader, writer = await asyncio.open_connection(sock=client.dup())
            for _ in range(requests):
                assert len(await body_of(reader)) == app.size + 2
            writer.close()
        assert len(app.handled) == requests

    serve(test)


@pytest.mark.parametrize("target", ["/crash", "/slow-crash", "/steps-crash"])
def test_bug_in_the_application(
    serve: Callable[[Test], None], app: EchoApp, caplog: pytest.LogCaptureFixture, target: str
) -> None:
    app.gate.set()

    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(get(target))
            assert (await reader.read()).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")

    with caplog.at_level(logging.ERROR):
        serve(test)
    assert "Unexpected error while a request was handled" in caplog.text
    assert "RuntimeError: a bug" in caplog.text


@pytest.mark.parametrize("target", ["/unwritable", "/steps-unwritable"])
def test_response_that_cannot_be_written_costs_its_own_connection_alone(
    serve: Callable[[Test], None], caplog: pytest.LogCaptureFixture, target: str
) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (broken, writer), connected(port) as (reader, other):
            writer.write(get(target))
            other.write(get("/steps1"))
            assert await body_of(reader) == b"/steps1"
            with suppress(ConnectionError):
                assert await broken.read() == b""

    with caplog.at_level(logging.ERROR):
        serve(test)
    assert "Unexpected error while a response was written" in caplog.text


def test_close_ends_idle_connections_and_waits_for_the_others(
    serve: Callable[[Test], None], app: EchoApp
) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (idle, used), connected(port) as (busy, writer):
            used.write(get("/x"))
            await body_of(idle)
            writer.write(get("/slow"))
            await until(lambda: b"/slow" in app.handled)
            closing = asyncio.create_task(front.close(DEADLINE_S))
            assert await idle.read() == b""
            assert not closing.done()
            app.gate.set()
            assert await body_of(busy) == b"/slow"
            assert await busy.read() == b""
            await closing
            with pytest.raises(ConnectionError):
                await asyncio.open_connection("127.0.0.1", port)

    serve(test)


def test_close_does_not_wait_for_ever(serve: Callable[[Test], None], app: EchoApp) -> None:
    async def test(front: HttpFront, port: int) -> None:
        async with connected(port) as (reader, writer), connected(port) as (half, unfinished):
            writer.write(get("/slow"))
            unfinished.write(b"GET /")
            await until(lambda: b"/slow" in app.handled)
            await front.close(0.05)
            for stream in (reader, half):
                with suppress(ConnectionError):
                    assert await stream.read() == b""

    serve(test)


def test_listening_on_both_protocols() -> None:
    with listen(0) as server:
        port = server.getsockname()[1]
        for address in ("127.0.0.1", "::1") if server.family == socket.AF_INET6 else ("127.0.0.1",):
            socket.create_connection((address, port), timeout=DEADLINE_S).close()


def test_only_the_low_bits_of_a_port_count() -> None:
    with listen(0, "127.0.0.1") as free:
        port = free.getsockname()[1]
    with listen(port + 65536, "127.0.0.1") as server:
        assert server.getsockname()[1] == port


@pytest.mark.parametrize("address", [None, "127.0.0.1"])
def test_port_in_use(address: str | None) -> None:
    with listen(0, address) as server, pytest.raises(OSError, match="in use"):
        listen(server.getsockname()[1], address)
