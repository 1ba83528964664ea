"""Reading HTTP/1.x requests from bytes as they arrive, with libevent's tolerance and its refusals [4.8, 4.9].

No sockets here: ``HttpReader`` is fed with whatever came, and gives what that has completed. Time is
linear in the bytes received; memory is what was received and not yet handed on, never what a client
merely announced.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import NamedTuple

from msgspec import Struct

from server_impl.protocol.http.head import Head, Refusal, is_field, parse, parse_fields, parse_request_line

_EMPTY_LINE = re.compile(rb"\n\r?\n")
#: As ``strtoll`` reads it; a blank ends the number, a chunk extension (``;``) is an error.
_CHUNK_SIZE = re.compile(rb"\s*+(?:[+]|(-))?(?:0[xX])?([0-9a-fA-F]++)(?: .*)?", re.DOTALL)
#: Larger chunks are read as if they had this many bytes.
_LARGEST_CHUNK = 2**63 - 1
#: Longer heads are not kept to be recognised.
_KEPT_HEAD_BYTES = 4096


class Request(Struct, frozen=True):
    """One whole request. ``body`` is as sent: chunks are joined, encodings are not undone."""

    head: Head
    body: bytes


class Continue(NamedTuple):
    """The client waits to be told ``100 Continue`` before it sends its body [4.9.3]."""

    version: tuple[int, int]


Event = Request | Refusal | Continue


class HttpReader:
    """Turns the bytes of one connection into requests.

    After a ``Refusal`` all that follows is ignored: the connection is to be closed once the refusal has
    been answered. The same bytes give the same requests however they are cut into pieces; only
    ``Continue`` depends on timing, as it says that no byte of the body had come yet.
    """

    def __init__(self) -> None:
        self._pending = bytearray()  # received, not yet consumed
        self._searched = 0  # so many of the bytes not yet consumed hold no end of what is looked for
        self._judged = 0  # so many of the bytes of an incomplete head are lines as they should be
        self._first_field = 0  # where the second of them begins
        self._head: Head | None = None  # set while its body is being read
        self._last: tuple[bytes, Head] | None = None  # the head before, and its bytes with the empty line
        self._body = BytesIO()
        self._missing = 0  # bytes of the body, or of the present chunk, that have not come yet
        self._in_trailer = False
        self._refused = False

    @property
    def idle(self) -> bool:
        """Nothing of a next request has come yet."""
        return self._head is None and not self._pending

    def receive(self, data: bytes) -> list[Event]:
        """What ``data`` has completed, in order. Never raises."""
        if self._refused:
            return []
        # The usual case: one whole request in one piece, with the same head as the one before.
        if self._last is not None and self.idle:
            lines, head = self._last
            if data.startswith(lines) and len(data) - len(lines) == head.length and not head.chunked:
                return [Request(head, data[len(lines) :])]
        events: list[Event] = []
        # A request that came in one piece is read where it lies.
        buffer: bytes | bytearray = data
        if self._pending:
            self._pending += data
            buffer = self._pending
        position = 0
        while position < len(buffer):
            position, event = self._next(buffer, position)
            if event is None:
                break
            events.append(event)
            if type(event) is Refusal:
                self._refused = True
                self._pending = bytearray()
                return events
        if buffer is self._pending:
            del self._pending[:position]
        elif position < len(data):
            self._pending += data[position:]
        return events

    def _next(self, buffer: bytes | bytearray, start: int) -> tuple[int, Event | None]:
        """Read on from ``start``; gives where reading stopped, and an event unless more is needed."""
        if self._head is None:
            return self._read_head(buffer, start)
        if self._head.chunked:
            return self._read_chunks(self._head, buffer, start)
        end = self._take(buffer, start)
        return end, None if self._missing else self._complete(self._head)

    def _read_head(self, buffer: bytes | bytearray, start: int) -> tuple[int, Event | None]:
        # Clients on a kept connection send the same head again and again.
        if self._last is not None and buffer.startswith(self._last[0], start):
            lines, head = self._last
            position = start + len(lines)
            self._searched = 0
        else:
            span = self._lines_until_empty_one(buffer, start)
            if span is None:
                return start, self._judge_early(buffer, start)
            end, position = span
            parsed = parse(bytes(buffer[start:end]))
            if isinstance(parsed, Refusal):
                return position, parsed
            head = parsed
            if position - start <= _KEPT_HEAD_BYTES:
                self._last = bytes(buffer[start:position]), head
        self._judged = 0
        if not head.chunked:
            after = position + head.length
            if len(buffer) >= after:
                return after, Request(head, bytes(buffer[position:after]))
        self._head = head
        self._missing = head.length
        if position < len(buffer):
            return self._next(buffer, position)
        return position, Continue(head.framing.version) if head.expects_continue else None

    def _judge_early(self, buffer: bytes | bytearray, start: int) -> Refusal | None:
        """Refuse an incomplete head as soon as one of its lines turns out not to be what it should be."""
        last = buffer.rfind(b"\n", start + self._judged) + 1
        while start + self._judged < last:
            begin = start + self._judged
            end = buffer.index(b"\n", begin)
            self._judged = end + 1 - start
            line = bytes(buffer[begin:end])
            if begin == start:
                self._first_field = self._judged
                sound = not isinstance(parse_request_line(line), Refusal)
            else:
                sound = is_field(line, first=begin == start + self._first_field)
            if not sound:
                refusal = parse(bytes(buffer[start : end + 1]))
                assert isinstance(refusal, Refusal)
                return refusal
        return None

    def _read_chunks(self, head: Head, buffer: bytes | bytearray, start: int) -> tuple[int, Event | None]:
        while not self._in_trailer:
            if self._missing:
                start = self._take(buffer, start)
            end = buffer.find(b"\n", start + self._searched)
            if end < 0:
                self._searched = len(buffer) - start
                return start, None
            self._searched = 0
            line = bytes(buffer[start:end]).removesuffix(b"\r")
            start = end + 1
            if line:  # empty lines are skipped: one comes after the data of each chunk
                size = _CHUNK_SIZE.fullmatch(line)
                digits = size[2].lstrip(b"0")[:17] if size else b""
                if size is None or (size[1] and digits):
                    return start, Refusal(413, head.framing)
                self._missing = min(int(digits or b"0", 16), _LARGEST_CHUNK)
                self._in_trailer = not self._missing
        span = self._lines_until_empty_one(buffer, start)
        if span is None:
            return start, None
        end, position = span
        self._in_trailer = False
        # Trailer fields must be well-formed, and are of no use to anyone.
        if not parse_fields(bytes(buffer[start:end]))[1]:
            return position, Refusal(413, head.framing)
        return position, self._complete(head)

    def _lines_until_empty_one(self, buffer: bytes | bytearray, start: int) -> tuple[int, int] | None:
        """Where the lines from ``start`` on end, and where the empty line after them does."""
        for empty in (b"\n", b"\r\n"):
            if buffer.startswith(empty, start):
                return start, start + len(empty)
        found = _EMPTY_LINE.search(buffer, start + max(0, self._searched - 2))
        if found is None:
            self._searched = len(buffer) - start
            return None
        self._searched = 0
        return found.start() + 1, found.end()

    def _take(self, buffer: bytes | bytearray, start: int) -> int:
        """Move what has come of the missing bytes to the body."""
        end = min(len(buffer), start + self._missing)
        self._body.write(memoryview(buffer)[start:end])
        self._missing -= end - start
        return end

    def _complete(self, head: Head) -> Request:
        request = Request(head, self._body.getvalue())
        self._head = None
        self._body = BytesIO()
        return request
