"""Sends prepared HTTP requests over one connection and reads replies: nothing more than load needs.

A whole request is one ``bytes`` object, written in one piece; of a reply only status, length and body are
looked at. That costs a quarter of what an HTTP library takes, so the server is the limit and not the client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gevent import socket

from harness.client import BadReply, Refusal, Unreachable, json_form

_CHUNK = 65536
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)


def prepare(address: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A POST as it goes over the wire. ``address`` is ``host:port``."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {address}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class RestSender:
    """One keep-alive connection to ``host:port``, opened when needed; for one greenlet at a time."""

    def __init__(self, address: str, timeout: float) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._timeout = timeout
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Open the connection now. Raises Unreachable."""
        if self._socket is None:
            try:
                self._socket = socket.create_connection((self._host, self._port), self._timeout)
            except OSError as error:
                raise Unreachable(f"{self._host}:{self._port}: {error}") from error
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> bytes:
        """Send a prepared request and give the reply's body.

        Raises Refusal for any status but 200, Unreachable where no reply came.
        """
        reused = self._socket is not None
        try:
            try:
                return self._exchange(request)
            except (BrokenPipeError, ConnectionResetError):
                self.close()
                if not reused:
                    raise
            # The server had closed the idle connection, which is its right: any client would try again.
            return self._exchange(request)
        except (OSError, EOFError) as error:
            self.close()
            raise Unreachable(f"{self._host}:{self._port}: {error}") from error
        except BaseException as error:
            if not isinstance(error, Refusal):
                self.close()  # killed amid a reply: its rest must not be read as the next one
            raise

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, request: bytes) -> bytes:
        self.connect()
        connection = self._socket
        assert connection is not None
        connection.sendall(request)
        received: bytes = connection.recv(_CHUNK)
        if not received:
            raise ConnectionResetError("the server closed the connection without a reply")
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head = received[:end]
        length = _LENGTH.search(head)
        body = received[end + 4 :]
        if length is not None:
            missing = int(length[1]) - len(body)
            if missing > 0:
                body = self._rest(body, missing)
        elif _CHUNKED.search(head):
            body = self._dechunk(body)
        else:
            body = self._until_closed(body)
        if _CLOSE.search(head):
            self.close()
        if head[9:12] != b"200":
            raise Refusal(_error_text(body), http_status=int(head[9:12]))
        return body

    def _more(self) -> bytes:
        assert self._socket is not None
        data: bytes = self._socket.recv(_CHUNK)
        if not data:
            raise EOFError("the server closed the connection before the reply was complete")
        return data

    def _rest(self, body: bytes, missing: int) -> bytes:
        parts = [body]
        while missing > 0:
            parts.append(self._more())
            missing -= len(parts[-1])
        return b"".join(parts)

    def _until_closed(self, body: bytes) -> bytes:
        assert self._socket is not None
        while data := self._socket.recv(_CHUNK):
            body += data
        self.close()
        return body

    def _dechunk(self, received: bytes) -> bytes:
        body = b""
        while True:
            while (end := received.find(b"\r\n")) < 0:
                received += self._more()
            size = int(received[:end].split(b";")[0], 16)
            while len(received) < end + 2 + size + 2:
                received += self._more()
            if not size:
                return body
            body += received[end + 2 : end + 2 + size]
            received = received[end + 2 + size + 2 :]


def _error_text(body: bytes) -> str:
    """The text of an error document, or of whatever else came [4.5.2]."""
    try:
        return str(json_form.document(body)["error"])
    except (BadReply, KeyError):
        return body[:500].decode("utf-8", "replace")
