"""Requests that are almost HTTP, and some that are not."""

from __future__ import annotations

import gzip
import json
import re
import socket

from hypothesis import given
from hypothesis import strategies as st

from tests.hostile.conftest import Server
from tests.hostile.damage import campaign, spoiled

#: Seconds until the whole conversation must be over.
DEADLINE = 10.0

_HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]+\r\n((?:[A-Za-z-]+: [^\r\n]*\r\n)*)\r\n")

BODY = b'{"instances": [1.0, 2.0, 5.0]}'
_PREDICT = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: h\r\n"
_ZIPPED = gzip.compress(BODY, mtime=0)

REQUESTS = (
    _PREDICT + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    _PREDICT + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n",
    _PREDICT + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_ZIPPED) + _ZIPPED,
    _PREDICT + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    b"GET /v1/models/m HTTP/1.1\r\n\r\nGET /v1/models/m/metadata HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD /v1/models/m HTTP/1.1\r\n\r\n",
    b"OPTIONS /v1/models/m HTTP/1.1\r\nOrigin: http://page.test\r\n\r\n",
    b"GET /v1/models/m%2f%00%zz?x=1#y HTTP/1.1\r\nConnection: close\r\n\r\n",
)


def converse(address: str, data: bytes) -> bytes:
    """Send all of it, say that no more comes, and give what is answered until the end."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), DEADLINE) as connection:
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(1 << 16):
                received += more
        except ConnectionError:
            pass  # the server may close while there is more to read
        return received


def must_be_replies(received: bytes, *, to_head: bool) -> None:
    """The bytes are well-formed replies, one after the other; JSON where they say so."""
    while received:
        head = _HEAD.match(received)
        assert head, received[:300]
        received = received[head.end() :]
        if head[1] == b"100":
            continue
        fields = dict(line.lower().split(b": ", 1) for line in head[2].split(b"\r\n") if line)
        length = int(fields.get(b"content-length", len(received)))
        if to_head and (not received or received.startswith(b"HTTP/1.")):
            length = 0  # a request line that cannot be read is not known to be HEAD, and gets a page
        assert len(received) >= length
        body, received = received[:length], received[length:]
        assert head[1] in (b"200", b"400", b"404", b"413", b"417", b"501"), head[0]
        if body and fields.get(b"content-type") == b"application/json":
            document = json.loads(body.decode("utf-8", "replace"))
            assert (list(document) == ["error"]) == (head[1] != b"200")


@campaign(700)
@given(spoiled(REQUESTS))
def test_spoiled_requests(server: Server, data: bytes) -> None:
    received = converse(server.rest.address, data)
    must_be_replies(received, to_head=b"HEAD " in data)


@campaign(200)
@given(st.binary(max_size=300))
def test_bytes_at_random(server: Server, data: bytes) -> None:
    must_be_replies(converse(server.rest.address, data), to_head=False)


def test_many_connections_that_say_nothing_more(server: Server) -> None:
    """Connections with half a request stay open until their client leaves, and others are served."""
    host, _, port = server.rest.address.rpartition(":")
    idle = [socket.create_connection((host, int(port)), DEADLINE) for _ in range(200)]
    try:
        for connection in idle:
            connection.sendall(REQUESTS[0][:-10])
        server.must_be_well()
    finally:
        for connection in idle:
            connection.close()
