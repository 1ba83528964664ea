"""A proxy that distorts HTTP: it makes a right server wrong in one way."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Message:
    """A request or reply: its first line, header lines, body."""

    first: str
    headers: tuple[str, ...]
    body: bytes

    def encode(self) -> bytes:
        """The bytes, with the right length."""
        lines = [line for line in self.headers if not line.lower().startswith("content-length:")]
        if len(lines) < len(self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([self.first, *lines, "", ""]).encode("latin-1") + self.body

    @property
    def is_json(self) -> bool:
        return any(line == "Content-Type: application/json" for line in self.headers)


class Fault:
    """No fault: everything passes."""

    #: Whether the connection is closed after every reply.
    closes = False

    def request(self, message: Message) -> Message:
        """What the server gets."""
        return message

    def reply(self, message: Message) -> Message:
        """What the client gets."""
        return message


class Proxy:
    """Listens on a free port and passes messages to ``upstream`` and back; a context manager."""

    def __init__(self, upstream: str, fault: Fault) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._fault = fault
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Pass messages both ways until both ends have closed."""
        with client, contextlib.suppress(OSError), socket.create_connection(self._upstream) as server:
            back = threading.Thread(target=self._pass, args=(server, client, self._fault.reply), daemon=True)
            back.start()
            self._pass(client, server, self._fault.request)
            back.join()

    def _pass(self, source: socket.socket, sink: socket.socket, change: Callable[[Message], Message]) -> None:
        with contextlib.suppress(OSError):
            for data in messages(source, change):
                sink.sendall(data)
                if self._fault.closes and change == self._fault.reply:
                    sink.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def messages(source: socket.socket, change: Callable[[Message], Message]) -> Iterator[bytes]:
    """Messages as they come, changed; what is not a whole message of known length passes as it is."""
    received = b""
    while data := source.recv(1 << 18):
        received += data
        while received:
            head, end, rest = received.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)\r\n", head + b"\r\n")
            chunked = b"transfer-encoding" in head.lower() or b"expect:" in head.lower()
            size = int(length[1]) if length else 0
            if not end or chunked:
                yield received
                received = b""
            elif len(rest) < size:
                break
            else:
                first, *headers = head.decode("latin-1").split("\r\n")
                message = Message(first, tuple(headers), rest[:size])
                changed = change(message)
                yield head + end + rest[:size] if changed is message else changed.encode()
                received = rest[size:]
    yield received


# --------------------------------------------------------------------------- faults


class Right(Fault):
    """Everything passes: the checks must, too."""


class CompactJson(Fault):
    """Documents in one line."""

    def reply(self, message: Message) -> Message:
        if not message.is_json or not message.body:
            return message
        document = json.loads(message.body.decode("utf-8", "surrogateescape"))
        return replace(
            message, body=json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape")
        )


class PlainErrors(Fault):
    """Errors as text."""

    def reply(self, message: Message) -> Message:
        if " 200 " in message.first:
            return message
        headers = tuple(line.replace("application/json", "text/plain") for line in message.headers)
        return replace(message, headers=headers)


class InternalErrors(Fault):
    """Every error of the API is 500."""

    def reply(self, message: Message) -> Message:
        if " 200 " in message.first or not message.is_json:
            return message
        return replace(message, first="HTTP/1.1 500 Internal Server Error")


class CutErrors(Fault):
    """Error texts of at most a kilobyte, as gRPC has them."""

    def reply(self, message: Message) -> Message:
        if " 200 " in message.first or len(message.body) < 1100:
            return message
        return replace(message, body=message.body[:1024] + b'...TRUNCATED"\n}')


class ShortestFloats(Fault):
    """As few digits as tell a float of 32 bits, in Python's way."""

    def reply(self, message: Message) -> Message:
        return replace(
            message, body=re.sub(rb"\d+\.\d{6,}", lambda number: b"%.8g" % float(number[0]), message.body)
        )


class RoundsIntegers(Fault):
    """Integers pass through doubles."""

    def reply(self, message: Message) -> Message:
        return replace(
            message, body=re.sub(rb"\b\d{16,}\b", lambda number: b"%d" % float(number[0]), message.body)
        )


class NullForNaN(Fault):
    """Strict JSON has no NaN."""

    def reply(self, message: Message) -> Message:
        return replace(message, body=re.sub(rb"-?(NaN|Infinity)", b"null", message.body))


class AsciiText(Fault):
    """All text escaped."""

    def reply(self, message: Message) -> Message:
        text = message.body.decode("utf-8", "surrogateescape")
        escaped = re.sub(r"[^\x00-\x7f]", lambda character: json.dumps(character[0])[1:-1], text)
        return replace(message, body=escaped.encode("ascii"))


class AlwaysCors(Fault):
    """Cross-origin headers without being asked."""

    def reply(self, message: Message) -> Message:
        return replace(message, headers=(*message.headers, "Access-Control-Allow-Origin: *"))


class ClosesAlways(Fault):
    """One request a connection."""

    closes = True


class FoldsCase(Fault):
    """Targets in small letters."""

    def request(self, message: Message) -> Message:
        method, _, target = message.first.partition(" ")
        path, _, version = target.rpartition(" ")
        return replace(message, first=f"{method} {path.lower()} {version}")


class DropsQuery(Fault):
    """Queries are cut off."""

    def request(self, message: Message) -> Message:
        return replace(message, first=re.sub(r"\?\S*", "", message.first))


class TakesDecimals(Fault):
    """A whole decimal number is as good as an integer."""

    def request(self, message: Message) -> Message:
        return replace(message, body=re.sub(rb"(\d)\.0\b", rb"\1", message.body))


class HeadIsGet(Fault):
    """HEAD is answered as GET would be."""

    def request(self, message: Message) -> Message:
        return replace(message, first=re.sub("^HEAD ", "GET ", message.first))


class AnyGzip(Fault):
    """The name of a coding in any letters."""

    def request(self, message: Message) -> Message:
        return replace(message, headers=tuple(line.replace("GZIP", "gzip") for line in message.headers))


class StopsAtFirstLine(Fault):
    """Line ends within texts are lost."""

    def reply(self, message: Message) -> Message:
        return replace(message, body=message.body.replace(b"\\n", b" "))
