"""A server that answers at once whatever it is asked: what the load generator is measured against.

``python -m harness.loadgen.null_server`` reads one line of JSON from standard input, ``{"replies":
[base64, ...]}``, writes ``REST-PORT GRPC-PORT``, and serves until its input ends, so it never outlives
whoever started it. A request says in the header ``x-reply`` which reply it wants (the first if it does
not), on either protocol. With ``freeze: {"after": a, "for": f}`` the whole server stands still for ``f``
seconds, ``a`` seconds after its first request: a target to show coordinated omission with.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

import ngh2

#: Which reply a request wants.
REPLY_HEADER = "x-reply"

_HEAD_END, _LENGTH, _REPLY = b"\r\n\r\n", b"\r\ncontent-length: ", b"\r\nx-reply: "
_GRPC_HEAD = ((b":status", b"200"), (b"content-type", b"application/grpc"))
_GRPC_OK = ((b"grpc-status", b"0"),)
_WINDOW = 64 * 1024 * 1024


@dataclass(slots=True)
class Freeze:
    """Blocks the event loop once."""

    after: float
    length: float
    _due: float | None = None
    _over: bool = False

    def request(self) -> None:
        """Called for every request."""
        if self._over:
            return
        moment = time.perf_counter()
        if self._due is None:
            self._due = moment + self.after
        elif moment >= self._due:
            self._over = True
            time.sleep(self.length)


class Rest(asyncio.Protocol):
    """One HTTP/1.1 connection."""

    def __init__(self, replies: list[bytes], freeze: Freeze) -> None:
        self._replies = [
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(reply)
            + reply
            for reply in replies
        ]
        self._freeze = freeze
        self._received = b""
        self._missing = 0
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        while True:
            if self._missing:
                # Nobody looks at bodies: a large one is counted, not put together.
                taken = min(self._missing, len(data))
                data = data[taken:]
                self._missing -= taken
                if self._missing:
                    return
                self._answer()
            self._received += data
            end = self._received.find(_HEAD_END)
            if end < 0:
                return
            head, data = self._received[:end].lower(), self._received[end + 4 :]
            self._received = b""
            self._missing, self._wanted = _number(head, _LENGTH), _number(head, _REPLY)
            if not self._missing:
                self._answer()

    def _answer(self) -> None:
        self._freeze.request()
        self._transport.write(self._replies[self._wanted])


def _number(head: bytes, field: bytes) -> int:
    """The number in a header field, 0 if it is missing."""
    at = head.find(field)
    return int(head[at + len(field) :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class Grpc(asyncio.Protocol):
    """One HTTP/2 connection."""

    def __init__(self, replies: list[bytes], freeze: Freeze) -> None:
        self._replies = [b"\0" + len(reply).to_bytes(4, "big") + reply for reply in replies]
        self._freeze = freeze
        self._wanted: dict[int, int] = {}
        self._http2 = ngh2.Connection(ngh2.Role.SERVER)
        self._http2.initiate_connection({ngh2.Setting.INITIAL_WINDOW_SIZE: _WINDOW})
        self._http2.set_local_window_size(_WINDOW)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._http2.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        http2 = self._http2
        http2.receive_data(data)
        for event in http2.events():
            if not isinstance(event, ngh2.RequestReceived | ngh2.DataReceived):
                continue
            if isinstance(event, ngh2.RequestReceived):
                self._wanted[event.stream_id] = int(dict(event.headers).get(REPLY_HEADER.encode(), b"0"))
            if event.end_stream:
                self._freeze.request()
                http2.send_response(event.stream_id, _GRPC_HEAD)
                http2.send_data(event.stream_id, self._replies[self._wanted.pop(event.stream_id)])
                http2.send_trailers(event.stream_id, _GRPC_OK)
        self._transport.write(http2.data_to_send())


async def _serve(replies: list[bytes], freeze: Freeze) -> None:
    loop = asyncio.get_running_loop()
    rest = await loop.create_server(lambda: Rest(replies, freeze), "127.0.0.1", 0)
    grpc = await loop.create_server(lambda: Grpc(replies, freeze), "127.0.0.1", 0)
    ports = (server.sockets[0].getsockname()[1] for server in (rest, grpc))
    print(*ports, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Prefer uvloop where it is installed: the null server should cost as little as can be."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    run: Callable[[Coroutine[Any, Any, None]], None] = uvloop.run
    return run


def main() -> None:
    """Serve as the first line of standard input says."""
    given = json.loads(sys.stdin.readline())
    freeze = given.get("freeze", {"after": float("inf"), "for": 0.0})
    replies = [base64.b64decode(reply) for reply in given["replies"]]
    with contextlib.suppress(KeyboardInterrupt):
        _runner()(_serve(replies, Freeze(freeze["after"], freeze["for"])))


if __name__ == "__main__":
    main()
