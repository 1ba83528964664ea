from __future__ import annotations

import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_impl.protocol.http.head import Framing, Refusal
from server_impl.protocol.http.reader import Continue, Event, HttpReader, Request

GET = b"GET /v1/models/m HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
LF_ONLY = b"PUT /x HTTP/1.1\nA: b\n\n"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6 x\r\n world\r\n0\r\nT: 1\r\n\r\n"
)
LONG = b"POST /l HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000
WHOLE = [GET, POST, LF_ONLY, CHUNKED, LONG]
REFUSED = [
    b"GARBAGE\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"TRACE / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;ext\r\nx\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
]


def read(*pieces: bytes) -> list[Event]:
    reader = HttpReader()
    return [event for piece in pieces for event in reader.receive(piece)]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def requests(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Continue)]


def bodies(*pieces: bytes) -> list[bytes]:
    return [event.body for event in read(*pieces) if isinstance(event, Request)]


def test_request_in_one_piece() -> None:
    (request,) = read(POST)
    assert isinstance(request, Request)
    assert request.head.method == b"POST"
    assert request.head.target == b"/v1/models/m:predict"
    assert request.head.headers == {b"host": b"h", b"content-length": b"4"}
    assert request.body == b"body"


def test_pipelined_requests_keep_their_order() -> None:
    assert bodies(b"".join(WHOLE)) == [b"", b"body", b"", b"hello world", b"x" * 3000]


def test_incomplete_request_waits() -> None:
    assert read(POST[:-1]) == []


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3\nabc\n0\n\n", b"abc"),
        (b"3\r\nabc2\r\nde\r\n0\r\n\r\n", b"abcde"),  # no line end behind the data
        (b"\r\n\r\n3\r\nabc\r\n\r\n0\r\n\r\n", b"abc"),
        (b"0x3\r\nabc\r\n00\r\n\r\n", b"abc"),
        (b"+3 anything\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"0\r\n\r\n", b""),
        (b"0\r\nX: 1\r\n Y\r\n\r\n", b""),
    ],
)
def test_chunks(coding: bytes, body: bytes) -> None:
    assert bodies(b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n", coding + GET) == [body, b""]


@pytest.mark.parametrize("size", [b"zz", b"3;a=b", b"-3", b"g", b" ", b"3x", b"-f"])
def test_bad_chunk_size_is_too_large(size: bytes) -> None:
    (refusal,) = read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nabc\r\n")
    assert isinstance(refusal, Refusal)
    assert refusal.status == 413


def test_continue_is_asked_for_only_while_the_body_is_held_back() -> None:
    head = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
    assert [type(event) for event in read(head, b"ab")] == [Continue, Request]
    assert [type(event) for event in read(head + b"ab")] == [Request]
    assert [type(event) for event in read(head + b"a", b"b")] == [Request]
    # HTTP/1.0 knows no such thing, and without a body there is nothing to wait for.
    assert [type(event) for event in read(head.replace(b"1.1", b"1.0"), b"ab")] == [Request]
    assert [type(event) for event in read(head.replace(b": 2", b": 0"))] == [Request]


def test_first_line_is_judged_before_the_head_is_complete() -> None:
    assert read(b"SSH-2.0-OpenSSH_9.6\r\n") == [Refusal(400)]
    assert read(b"GET / HTTP/1.1\r\n") == []
    assert read(b"GET / HTTP/1.1\r\nA: b\r\n", b" c\r\nD:", b" e\r\n") == []


@pytest.mark.parametrize(
    "pieces",
    [
        (b"PUT / HTTP/1.0\r\nA: b\r\nnone\r\n",),
        (b"PUT / HTTP/1.0\r\nA", b": b\r", b"\nnone\r", b"\n"),
        (b"PUT / HTTP/1.0\r\n", b" folded from nothing: 1\r\n"),
    ],
)
def test_lines_are_judged_before_the_head_is_complete(pieces: tuple[bytes, ...]) -> None:
    assert read(*pieces) == [Refusal(400, Framing((1, 0), b"PUT"))]


@pytest.mark.parametrize("size", [b"f" * 16, b"0" * 20 + b"f" * 20])
def test_a_chunk_larger_than_can_be_is_waited_for(size: bytes) -> None:
    assert read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nabc") == []


@pytest.mark.parametrize("trailer", [b"none", b" folded from nothing", b"A\r: b"])
def test_a_trailer_that_is_no_field(trailer: bytes) -> None:
    (refusal,) = read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + trailer + b"\r\n\r\n")
    assert isinstance(refusal, Refusal)
    assert refusal.status == 413


@pytest.mark.parametrize("data", REFUSED)
def test_nothing_is_read_after_a_refusal(data: bytes) -> None:
    reader = HttpReader()
    *_, last = reader.receive(data + GET)
    assert isinstance(last, Refusal)
    assert reader.receive(GET) == []


def test_idle_means_nothing_received_of_a_next_request() -> None:
    reader = HttpReader()
    states = [reader.idle]
    for piece in (POST[:1], POST[1:60], POST[60:-2], POST[-2:]):
        reader.receive(piece)
        states.append(reader.idle)
    assert states == [True, False, False, False, True]


@given(st.lists(st.sampled_from(WHOLE + REFUSED), max_size=6), st.lists(st.integers(0, 10**6), max_size=12))
@settings(derandomize=True, deadline=None)
def test_cutting_changes_nothing(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    assert requests(read(*cut(data, places))) == requests(read(data))


@given(
    st.lists(st.sampled_from([*WHOLE, POST[:-4] + b"more"]), max_size=6),
    st.lists(st.integers(0, 10**6), max_size=12),
)
@settings(derandomize=True, deadline=None)
def test_requests_do_not_depend_on_those_before(parts: list[bytes], places: list[int]) -> None:
    alone = [event for part in parts for event in read(part)]
    assert requests(read(*cut(b"".join(parts), places))) == alone


@given(st.sampled_from(WHOLE + REFUSED))
@settings(derandomize=True, deadline=None)
def test_byte_by_byte(data: bytes) -> None:
    assert requests(read(*(data[i : i + 1] for i in range(len(data))))) == requests(read(data))


TOKENS = [
    b"GET",
    b"POST",
    b" ",
    b"/",
    b"/v1/models",
    b"HTTP/1.1",
    b"\r\n",
    b"\n",
    b"\r",
    b":",
    b"\0",
    b"\xff",
]
FIELDS = [
    b"Content-Length",
    b"Transfer-Encoding",
    b"chunked",
    b"Expect",
    b"100-continue",
    b"1",
    b"9" * 30,
    b"0",
]


@given(st.lists(st.sampled_from(TOKENS + FIELDS) | st.binary(max_size=5), max_size=60), st.integers(1, 64))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_garbage_is_refused_or_waited_for(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    events = read(*(data[i : i + size] for i in range(0, len(data), size)))
    assert all(isinstance(event, (Request, Continue, Refusal)) for event in events)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"x" * 400_000,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 60_000,
        b"GET / HTTP/1.1\r\nA: b\r\n" + b" folded\r\n" * 40_000 + b"\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 60_000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 400_000,
        b"GET http://" + b"a:" * 200_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["target", "fields", "folded", "chunks", "size", "authority"],
)
def test_time_is_linear_however_slowly_it_comes(data: bytes) -> None:
    reader = HttpReader()
    started = time.process_time()
    for i in range(0, len(data), 16):
        reader.receive(data[i : i + 16])
    # A quadratic reader takes minutes.
    assert time.process_time() - started < 5


def test_announced_bytes_take_no_memory() -> None:
    reader = HttpReader()
    tracemalloc.start()
    try:
        reader.receive(b"POST / HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n" + b"x" * 1000)
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
