"""The HTTP server: connections of an asyncio event loop in front of an application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol, cast

from server_impl.protocol.http.head import Framing, Refusal
from server_impl.protocol.http.reader import Continue, Event, HttpReader, Request
from server_impl.protocol.http.response import Response, page, render, render_continue
from server_impl.protocol.reply import COHORT_LIMIT, Cohorts, Reply, Steps, Work

_log = logging.getLogger(__name__)

#: So many connections may wait to be accepted (libevent's figure).
_BACKLOG = 128


class App(Protocol):
    """What answers requests. ``handle`` runs on the event loop and must not block it."""

    def handle(self, request: Request) -> Reply[Response]:
        """The reply to one request."""


def listen(port: int, address: str | None = None) -> socket.socket:
    """A listening socket on ``address``; without one on all of IPv6 and IPv4, failing that on all of IPv4.

    Port 0 means any free port; only the low 16 bits of ``port`` count, as in TensorFlow Serving.
    Raises OSError if no address can be bound [1.2 #3, 1.3.11].
    """
    port %= 1 << 16
    if address is not None:
        return _bound(address, port)
    try:
        return _bound("::", port)
    except OSError:
        return _bound("0.0.0.0", port)


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


class HttpFront:
    """Serves ``app`` on one listening socket. Belongs to the event loop on which it was started.

    Replies that may take long are made on ``executor``. The responses of one connection keep the order
    of its requests. Idle connections are kept for ever [4.9.2].
    """

    def __init__(self, app: App, executor: Executor) -> None:
        self.app = app
        self.executor = executor
        self.closing = False
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._gone = asyncio.Event()
        self._cohorts = Cohorts()
        # Connections that have something to do, in the order in which they got it.
        self._ready: list[_Connection] = []

    async def start(self, sock: socket.socket) -> None:
        """Accept connections on ``sock``, which from now on belongs to the front."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self, loop), sock=sock, backlog=_BACKLOG)

    async def close(self, grace_s: float) -> None:
        """Stop accepting, let requests in flight be answered for up to ``grace_s`` seconds, close everything.

        Idle connections are closed at once, the others after the response that they wait for.
        """
        self.closing = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close_if_idle()
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), grace_s)
        for connection in tuple(self._connections):
            connection.abort()

    def attend(self, connection: _Connection) -> None:
        """Let ``connection`` go on, together with the others that have something to do."""
        if not self._ready:
            connection.loop.call_soon(self._gather, 0)
        self._ready.append(connection)

    def _gather(self, before: int) -> None:
        """Let the event loop read again as long as it finds more to do: many at a time cost less each."""
        ready = len(self._ready)
        if before < ready < min(COHORT_LIMIT, len(self._connections)):
            self._ready[0].loop.call_soon(self._gather, ready)
        else:
            self._advance()

    def _advance(self) -> None:
        connections, self._ready = self._ready, []
        # What goes wrong with one connection must not touch the others.
        requests = []
        for connection in connections:
            try:
                steps = connection.advance()
            except Exception:
                connection.give_up()
            else:
                if steps is not None:
                    requests.append((connection, steps))
        for outcomes in self._cohorts.outcomes(requests):
            for connection, outcome in outcomes:
                try:
                    connection.answer(_crashed(outcome) if isinstance(outcome, Exception) else outcome)
                except Exception:
                    connection.give_up()

    def add(self, connection: _Connection) -> None:
        """A client has come."""
        self._connections.add(connection)

    def remove(self, connection: _Connection) -> None:
        """A client has gone."""
        self._connections.discard(connection)
        if self.closing and not self._connections:
            self._gone.set()


class _Connection(asyncio.Protocol):
    """One client. Its requests are handled one at a time, in their order."""

    def __init__(self, front: HttpFront, loop: asyncio.AbstractEventLoop) -> None:
        self._front = front
        self.loop = loop
        self._reader = HttpReader()
        self._queue: deque[Event] = deque()  # understood, not yet handled
        self._framing: Framing | None = None  # of the request whose reply is being made
        self._clogged = False  # the client does not read what it is sent
        self._half_closed = False  # the client has sent its last byte
        self._ended = False  # no more responses will be sent
        self._reading = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._front.add(self)
        if self._front.closing:
            self._end()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._ended = True
        self._queue.clear()
        self._front.remove(self)

    def data_received(self, data: bytes) -> None:
        events = self._reader.receive(data)
        if events and not self._ended:
            self._queue.extend(events)
            self._front.attend(self)

    def eof_received(self) -> bool:
        # A client that has closed its half still gets the answers it waits for.
        self._half_closed = True
        return self._has_work

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        self._front.attend(self)

    @property
    def _has_work(self) -> bool:
        return bool(self._framing or self._queue or self._clogged)

    def close_if_idle(self) -> None:
        """Close now unless a request is being received, handled or answered."""
        if not self._has_work and self._reader.idle:
            self._end()

    def abort(self) -> None:
        """Close now, whatever is under way."""
        self._ended = True
        self._transport.abort()

    def give_up(self) -> None:
        """Close now, because of the error that is being handled."""
        _log.exception("Unexpected error while a response was written. Its connection is closed.")
        self.abort()

    def advance(self) -> Steps[Response] | None:
        """Handle what is queued as far as that is possible without waiting, then pace the reading.

        Gives the steps of the request that it has come to, if any; ``answer`` is to be told what they gave.
        """
        queue = self._queue
        steps = None
        while queue and not (self._framing or self._clogged or self._ended):
            event = queue.popleft()
            if type(event) is Request:
                steps = self._handle(event)
            elif type(event) is Refusal:
                self._send(page(event.status), event.framing)
            elif type(event) is Continue:
                self._transport.write(render_continue(event.version))
        if self._ended:
            return steps
        # Nothing more is read from a client whose last requests have not had their turn yet.
        reading = not queue
        if reading != self._reading:
            self._reading = reading
            (self._transport.resume_reading if reading else self._transport.pause_reading)()
        if self._half_closed and not self._has_work:
            self._end()
        return steps

    def _handle(self, request: Request) -> Steps[Response] | None:
        framing = request.head.framing
        try:
            reply = self._front.app.handle(request)
        except Exception as error:
            reply = _crashed(error)
        if isinstance(reply, Response):
            self._send(reply, framing)
            return None
        self._framing = framing
        if not callable(reply):
            return reply
        self._front.executor.submit(self._make, reply)
        return None

    def _make(self, work: Callable[[], Response]) -> None:
        """Make a reply; runs on the executor."""
        try:
            response = work()
        except Exception as error:
            response = _crashed(error)
        with contextlib.suppress(RuntimeError):  # the loop has been closed: there is nobody left to tell
            self.loop.call_soon_threadsafe(self.answer, response)

    def answer(self, reply: Work[Response]) -> None:
        """Send the reply to the request that is being handled, or have it made."""
        if not isinstance(reply, Response):
            self._front.executor.submit(self._make, reply)
            return
        framing, self._framing = self._framing, None
        assert framing is not None
        self._send(reply, framing)
        if self._queue or self._half_closed:
            self._front.attend(self)

    def _send(self, response: Response, framing: Framing) -> None:
        if self._ended:
            return
        data, closes = render(response, framing)
        self._transport.write(data)
        if closes or self._front.closing:
            self._end()

    def _end(self) -> None:
        """Close once everything written has been sent."""
        self._ended = True
        self._queue.clear()
        self._transport.close()


def _crashed(error: Exception) -> Response:
    _log.error(
        "Unexpected error while a request was handled. It is answered with status 500.", exc_info=error
    )
    return page(500)
