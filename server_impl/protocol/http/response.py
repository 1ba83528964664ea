"""Writing HTTP/1.x responses with libevent's header order, framing and pages [4.5, 4.8]."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from server_impl.protocol.http.head import Framing

#: Header fields in the order in which they are written.
Fields = tuple[tuple[bytes, bytes], ...]

_CONNECTION_CLOSE = (b"Connection", b"close")
_PAGE_FIELDS: Fields = ((b"Content-Type", b"text/html"), _CONNECTION_CLOSE)
_DEFAULT_CONTENT_TYPE = (b"Content-Type", b"text/html; charset=ISO-8859-1")

#: libevent's reason phrases for all statuses in use; 429 and 499 have none of their own [4.4].
REASON = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    417: "Expectation Failed",
    429: "Client Error",
    499: "Client Error",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}


class Response(Struct, frozen=True):
    """What is answered to one request, before it is put into HTTP's frame."""

    status: int
    fields: Fields
    body: bytes


def page(status: int) -> Response:
    """The page that libevent makes for an error of its own; the connection is closed after it [4.8]."""
    reason = REASON[status]
    html = (
        f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n<H1>{reason}</H1>\n</BODY></HTML>\n"
    )
    return Response(status, _PAGE_FIELDS, html.encode("ascii"))


def render(response: Response, framing: Framing) -> tuple[bytes, bool]:
    """The bytes of a response, and whether the connection is to be closed after them.

    A reply to HEAD has no body (TensorFlow Serving sends one, which a client on a kept connection takes
    for the next response), and a reply to CONNECT closes the connection, as its header says.
    """
    frame = _frame(response.status, response.fields, framing)
    body = response.body
    head = frame.opening
    if frame.dated:
        head += _date_line()
    head += frame.before_length
    if frame.has_length:
        head += b"Content-Length: %d\r\n" % len(body)
    head += frame.closing
    return (head + body if frame.has_body else head), frame.closes


def render_continue(version: tuple[int, int]) -> bytes:
    """The interim response that invites a client to send its body [4.9.3]."""
    return b"HTTP/%d.%d 100 Continue\r\n\r\n" % version


class _Frame(NamedTuple):
    """The lines of a response that are the same each time, cut where a varying line goes between."""

    opening: bytes
    dated: bool
    before_length: bytes
    has_length: bool
    closing: bytes
    has_body: bool
    closes: bool


@lru_cache(maxsize=512)
def _frame(status: int, fields: Fields, framing: Framing) -> _Frame:
    version, method, asks_keep_alive, asks_close, to_proxy = framing
    is_page = _CONNECTION_CLOSE in fields
    if is_page and 0 in version:
        version = (1, 1)
    current = version >= (1, 1)
    declares_body = method not in (b"HEAD", b"CONNECT")
    closing: list[tuple[bytes, bytes]] = []
    if declares_body and all(name != b"Content-Type" for name, _ in fields):
        closing.append(_DEFAULT_CONTENT_TYPE)
    if asks_close:
        fields = tuple(field for field in fields if field != _CONNECTION_CLOSE)
        if not to_proxy:
            closing.append(_CONNECTION_CLOSE)
    return _Frame(
        opening=b"HTTP/%d.%d %d %s\r\n" % (*version, status, REASON[status].encode("ascii")) + _lines(fields),
        dated=current,
        before_length=b"Connection: keep-alive\r\n" if asks_keep_alive and version == (1, 0) else b"",
        has_length=declares_body and version[0] == 1 and (current or asks_keep_alive),
        closing=_lines(closing) + b"\r\n",
        has_body=method != b"HEAD",
        closes=is_page or asks_close or to_proxy or not (current or (asks_keep_alive and version[0] == 1)),
    )


def _lines(fields: Fields | list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%s: %s\r\n" % field for field in fields)


_date = (0, b"")


def _date_line() -> bytes:
    """The Date header; made once a second, as a request costs little more than its text would."""
    global _date
    second, line = _date
    now = int(time.time())
    if now != second:
        line = f"Date: {formatdate(now, usegmt=True)}\r\n".encode("ascii")
        _date = now, line
    return line
