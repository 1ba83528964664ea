"""HTTP as bytes: one connection, whatever the caller sends, and the replies with their framing.

For checks of what HTTP libraries hide: malformed requests, pipelining, who closes the connection.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import NamedTuple

from harness.client.outcome import Unreachable
from harness.client.tls import Tls

#: Statuses whose replies have no body.
_BODILESS = (204, 304)


class WireReply(NamedTuple):
    """A reply as it came: ``version`` is ``HTTP/1.1``, headers are in order with their names as sent."""

    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Connection:
    """A connection to ``host:port``. Every wait ends after ``timeout`` seconds.

    Each method raises Unreachable where the connection does not serve, a time-out included.
    """

    def __init__(self, address: str, timeout: float, tls: Tls | None = None) -> None:
        self._address = address
        self._deadline = time.monotonic() + timeout
        self._received = bytearray()
        host, _, port = address.rpartition(":")
        try:
            self._socket = socket.create_connection((host, int(port)), timeout)
            if tls is not None:
                self._socket = tls.context().wrap_socket(self._socket, server_hostname=tls.name or host)
        except OSError as error:
            raise Unreachable(f"{address}: {error!r}") from error

    def send(self, data: bytes) -> None:
        """Send all of ``data``; a server that closes while it comes may still have answered."""
        self._socket.settimeout(max(0.01, self._deadline - time.monotonic()))
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)

    def receive(self, method: str) -> WireReply:
        """Read one reply to a request with ``method``; a reply to HEAD is its head alone."""
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if not self._more():
                raise Unreachable(f"{self._address} closed the connection after {bytes(self._received)!r}")
        head, self._received = self._received[:end], self._received[end + 4 :]
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, line = first.partition(" ")
        code, _, reason = line.partition(" ")
        if not code.isdigit():
            raise Unreachable(f"{self._address} sent no HTTP reply: {first!r}")
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name, value.strip()) for name, _, value in pairs)
        reply = WireReply(version, int(code), reason, headers, b"")
        if method == "HEAD" or int(code) < 200 or int(code) in _BODILESS:
            return reply
        return reply._replace(body=self._body(reply))

    def closed(self) -> bool:
        """Wait for the end of the connection; False where the server says more or keeps it open."""
        try:
            return not self._received and not self._more()
        except Unreachable:
            return False

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _body(self, reply: WireReply) -> bytes:
        length = reply.header("Content-Length")
        if length is not None:
            return self._take(int(length))
        if "chunked" in (reply.header("Transfer-Encoding") or ""):
            return self._chunks()
        while self._more():
            pass
        return self._take(len(self._received))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._line().partition(b";")[0], 16):
            body += self._take(size)
            self._line()
        while self._line():
            pass
        return body

    def _line(self) -> bytes:
        while (end := self._received.find(b"\r\n")) < 0:
            if not self._more():
                raise Unreachable(f"{self._address} closed the connection within a chunked body")
        return self._take(end + 2)[:-2]

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            if not self._more():
                have = len(self._received)
                raise Unreachable(f"{self._address} closed the connection after {have} of {size} bytes")
        taken, self._received = bytes(self._received[:size]), self._received[size:]
        return taken

    def _more(self) -> bool:
        """Read on; False at the end of the connection."""
        try:
            self._socket.settimeout(max(0.01, self._deadline - time.monotonic()))
            data = self._socket.recv(1 << 18)
        except TimeoutError as error:
            raise Unreachable(
                f"{self._address} was silent; came so far: {bytes(self._received[:500])!r}"
            ) from error
        except ConnectionError:
            return False
        self._received += data
        return bool(data)
