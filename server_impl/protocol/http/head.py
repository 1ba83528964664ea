"""The head of an HTTP/1 request: request line and fields, judged as libevent judges them [4.8, 4.9]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from server_impl.protocol.http.target import split

#: Methods that are handed on; all others, lower-case ones included, are answered 501 [4.2].
METHODS = frozenset({b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"})

_VERSION = re.compile(rb"HTTP/([01])\.(\d{1,2})")
_CONTENT_LENGTH = re.compile(rb"\s*+[+]?(\d{1,18})")
_FOLD = re.compile(rb"\r?\n[ \t]++")
_SHORTEST_REQUEST_LINE = len("GET / HTTP/1.0")
_CACHED_HEAD_BYTES = 4096


class Framing(NamedTuple):
    """What decides about the first lines of a response and about the connection after it."""

    version: tuple[int, int] = (1, 1)
    method: bytes = b"GET"
    #: ``Connection: keep-alive`` was sent.
    asks_keep_alive: bool = False
    #: ``Connection: close`` was sent; to a proxy: ``Proxy-Connection: keep-alive`` was not.
    asks_close: bool = False
    #: The target was an absolute URI.
    to_proxy: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body.

    ``headers`` holds the first value of each field under its lower-case name: nothing else is ever
    asked for. ``length`` is the size of the body in bytes unless the body comes ``chunked``;
    ``expects_continue`` means that the client may hold the body back until told to go on.
    """

    target: bytes
    headers: Mapping[bytes, bytes]
    framing: Framing
    length: int = 0
    chunked: bool = False
    expects_continue: bool = False

    @property
    def method(self) -> bytes:
        """``GET``, ``POST`` ..."""
        return self.framing.method


class Refusal(NamedTuple):
    """A request that is answered with an error page, after which the connection is closed [4.8]."""

    status: int
    framing: Framing = Framing()


def parse(head: bytes) -> Head | Refusal:
    """Judge the lines before the empty one; ``head`` ends with the line end of the last of them."""
    # Clients on a kept connection send the same head again and again: a look-up instead of a parse.
    return _parse_cached(head) if len(head) <= _CACHED_HEAD_BYTES else _parse(head)


def _parse(head: bytes) -> Head | Refusal:
    if b"\0" in head:
        return Refusal(400)
    line, _, rest = head.partition(b"\n")
    request_line = parse_request_line(line)
    if request_line is None:
        return Refusal(400)
    method, target, version = request_line
    parts = split(target)
    headers = parse_fields(rest)
    if parts is None or headers is None:
        return Refusal(400)
    connection = headers.get(b"connection", b"").lower()
    if parts.absolute:
        asks_close = headers.get(b"proxy-connection", b"").lower() != b"keep-alive"
    else:
        asks_close = connection == b"close"
    framing = Framing(version, method, connection.startswith(b"keep-alive"), asks_close, parts.absolute)
    if method in METHODS:
        return _with_body(target, headers, framing)
    # Framings are kept in a cache: none of them may be as long as a client likes.
    return Refusal(501, framing if method == b"CONNECT" else framing._replace(method=b""))


_parse_cached = lru_cache(maxsize=512)(_parse)


def parse_request_line(line: bytes) -> tuple[bytes, bytes, tuple[int, int]] | None:
    """Method, target and version of a request line, or None when it is not one.

    The target is all between the first and the last blank. Any HTTP/1.x is accepted, HTTP/2.0 is not.
    """
    line = line.removesuffix(b"\r").rstrip(b" ")
    method, blank, rest = line.partition(b" ")
    target, second_blank, version = rest.rpartition(b" ")
    number = _VERSION.fullmatch(version)
    if not blank or not second_blank or not target or number is None or len(line) < _SHORTEST_REQUEST_LINE:
        return None
    return method, target, (int(number[1]), int(number[2]))


def parse_fields(lines: bytes) -> dict[bytes, bytes] | None:
    """The first value of each header field by lower-case name, or None when a line is not a field.

    Lines end with LF or CRLF. A line that begins with a blank or a tab continues the one before.
    """
    fields: dict[bytes, bytes] = {}
    if lines[:1] in (b" ", b"\t"):
        return None
    if b"\n " in lines or b"\n\t" in lines:
        lines = _FOLD.sub(b" ", lines)
    for line in lines.split(b"\n")[:-1]:
        name, colon, value = line.removesuffix(b"\r").partition(b":")
        if not colon or b"\r" in line[:-1]:
            return None
        fields.setdefault(name.lower(), value.lstrip(b" ").rstrip(b" \t"))
    return fields


def _with_body(target: bytes, headers: dict[bytes, bytes], framing: Framing) -> Head | Refusal:
    """Settle how the body is delimited, and whether its sender wants to be asked for it."""
    declared = headers.get(b"content-length")
    chunked = headers.get(b"transfer-encoding", b"").lower() == b"chunked"
    length = 0
    if declared is not None:
        number = _CONTENT_LENGTH.fullmatch(declared)
        if number is None or chunked:
            return Refusal(400, framing)
        length = int(number[1])
    expects_continue = False
    if (length or chunked) and framing.version >= (1, 1) and b"expect" in headers:
        if headers[b"expect"].lower() != b"100-continue":
            return Refusal(417, framing)
        expects_continue = True
    return Head(target, headers, framing, length, chunked, expects_continue)
