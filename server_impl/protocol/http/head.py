"""The head of an HTTP/1 request: request line and fields, judged as libevent judges them [4.8, 4.9]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from server_impl.protocol.http.target import authority_of, split

#: Methods that are handed on; all others, lower-case ones included, are answered 501 [4.2].
METHODS = frozenset({b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"})

#: Numbers are what C reads as such: with a sign, and after any blanks.
_VERSION = re.compile(rb"HTTP/\s*+([+-]?\d++)\.\s*+([+-]?\d++)")
_CONTENT_LENGTH = re.compile(rb"\s*+([+-]?\d++)")
_CHUNKED = re.compile(rb"[ \t]*+chunked(?:[ \t;].*)?", re.IGNORECASE | re.DOTALL)
_BLANK = (b" ", b"\t")
_INT64_MAX = 2**63 - 1
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
    """A request that is answered with an error page, after which the connection is closed [4.8].

    ``framing`` is what was known of the request by then.
    """

    status: int
    framing: Framing = Framing()


def parse(head: bytes) -> Head | Refusal:
    """Judge the lines before the empty one; ``head`` ends with the line end of the last of them."""
    # Clients on a kept connection send the same head again and again: a look-up instead of a parse.
    return _parse_cached(head) if len(head) <= _CACHED_HEAD_BYTES else _parse(head)


def _parse(head: bytes) -> Head | Refusal:
    first, _, rest = head.partition(b"\n")
    line = parse_request_line(first)
    if isinstance(line, Refusal):
        return line
    method, target, version, absolute = line
    headers, sound = parse_fields(rest)
    connection = headers.get(b"connection", b"").lower()
    if absolute:
        asks_close = headers.get(b"proxy-connection", b"").lower() != b"keep-alive"
    else:
        asks_close = connection == b"close"
    framing = Framing(version, _known(method), connection.startswith(b"keep-alive"), asks_close, absolute)
    encodings = headers.get(b"transfer-encoding")
    if encodings is not None:
        # Two ways to delimit a body, or one that is none, are how requests are smuggled.
        sound &= b"content-length" not in headers and _is_chunked(encodings) is not None
    if not sound:
        return Refusal(400, framing)
    return _with_body(target, headers, framing) if method in METHODS else Refusal(501, framing)


_parse_cached = lru_cache(maxsize=512)(_parse)


def _known(method: bytes) -> bytes:
    # Framings are kept in a cache: none of them may be as long as a client likes.
    return method if method in METHODS or method == b"CONNECT" else b""


class RequestLine(NamedTuple):
    """The first line of a request; ``absolute`` as in ``target.Target``."""

    method: bytes
    target: bytes
    version: tuple[int, int]
    absolute: bool


def parse_request_line(line: bytes) -> RequestLine | Refusal:
    """Judge the first line, without its end.

    The target is all between the first and the last blank. Any HTTP/1.x is accepted, HTTP/2.0 is not.
    """
    line = line.removesuffix(b"\r").rstrip(b" ")
    method, blank, rest = _c_string(line).partition(b" ")
    target, second_blank, version = rest.rpartition(b" ")
    if not blank or not second_blank or not target or len(line) < _SHORTEST_REQUEST_LINE:
        return Refusal(400)
    number = _VERSION.fullmatch(version)
    major, minor = (_int32(number[1]), _int32(number[2])) if number else (2, 0)
    if major > 1:
        return Refusal(400, Framing(method=_known(method)))
    if method == b"CONNECT":
        absolute = None if authority_of(target) is None else False
    else:
        parts = split(target)
        absolute = None if parts is None else parts.absolute
    if absolute is None:
        return Refusal(400, Framing((major, minor), _known(method)))
    return RequestLine(method, target, (major, minor), absolute)


def _c_string(line: bytes) -> bytes:
    """What C sees of ``line``."""
    return line.partition(b"\0")[0]


def _int32(digits: bytes) -> int:
    """As C's ``scanf`` reads an int: the low 32 bits of what it reads in 64."""
    return (_int64(digits) + 2**31) % 2**32 - 2**31


def _int64(digits: bytes) -> int:
    """As C's ``strtoll`` reads it. No more digits are looked at than can matter."""
    sign, magnitude = digits[:1] == b"-", digits.lstrip(b"+-").lstrip(b"0")[:20]
    number = int(magnitude or b"0")
    return max(-number, -_INT64_MAX - 1) if sign else min(number, _INT64_MAX)


def is_field(line: bytes, *, first: bool) -> bool:
    """Whether a line, without its end, is a header field or, unless it is the first, continues one."""
    line = _c_string(line.removesuffix(b"\r"))
    if line[:1] in _BLANK:
        return not first
    _, colon, _ = line.partition(b":")
    return bool(colon) and b"\r" not in line


def parse_fields(lines: bytes) -> tuple[dict[bytes, bytes], bool]:
    """The first value of each header field by lower-case name, and whether all lines are fields.

    Several fields ``Transfer-Encoding`` count as one list. Fields behind a line that is none are not read.
    Lines end with LF or CRLF. A line that begins with a blank or a tab continues the one before.
    """
    fields: dict[bytes, list[bytes]] = {}
    value: list[bytes] | None = None
    sound = True
    for line in lines.split(b"\n")[:-1]:
        if not is_field(line, first=value is None):
            sound = False
            break
        line = _c_string(line.removesuffix(b"\r"))
        if line[:1] in _BLANK:
            assert value is not None
            value.append(line.strip(b" \t"))
            continue
        name, _, text = line.partition(b":")
        name, value = name.lower(), [text.lstrip(b" ").rstrip(b" \t")]
        if name == b"transfer-encoding" and name in fields:
            fields[name] += [b",", *value]
            value = fields[name]
        else:
            fields.setdefault(name, value)
    return {name: b" ".join(parts) for name, parts in fields.items()}, sound


def _with_body(target: bytes, headers: dict[bytes, bytes], framing: Framing) -> Head | Refusal:
    """Settle how the body is delimited, and whether its sender wants to be asked for it."""
    declared = headers.get(b"content-length")
    length = 0
    if declared is not None:
        number = _CONTENT_LENGTH.fullmatch(declared)
        length = -1 if number is None else _int64(number[1])
        if length < 0:
            return Refusal(400, framing)
    expects_continue = False
    chunked = b"transfer-encoding" in headers and _is_chunked(headers[b"transfer-encoding"]) is True
    if (length or chunked) and framing.version >= (1, 1) and b"expect" in headers:
        if headers[b"expect"].lower() != b"100-continue":
            return Refusal(417, framing)
        expects_continue = True
    return Head(target, headers, framing, length, chunked, expects_continue)


def _is_chunked(encodings: bytes) -> bool | None:
    """Whether the last of the ``encodings`` is ``chunked``, None where another one is."""
    *others, last = (_CHUNKED.fullmatch(encoding) is not None for encoding in encodings.split(b","))
    return None if any(others) else last
