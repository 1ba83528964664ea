"""Cases against a socket that says what the test tells it."""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import closing

import pytest

from harness import exchange
from harness.cases import AnyOf, HttpRequest, Long, Reply, RestCase, error, get, ok, post
from harness.client import Exchange, RestClient
from harness.verdict import Mismatch


def http(status: str, body: bytes) -> bytes:
    """A reply of the API."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


OK = http("200 OK", b"{}")
MISSING = http("404 Not Found", b'{\n    "error": "no"\n}')


class Script:
    """A server for one connection: answers each ``recv`` with the next of ``replies``, then closes."""

    def __init__(self, *replies: bytes) -> None:
        self.received: list[bytes] = []
        self._replies = replies
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            for reply in self._replies:
                self.received.append(connection.recv(65536))
                connection.sendall(reply)

    def join(self) -> None:
        self._thread.join(5)


@pytest.fixture
def observed() -> list[Exchange]:
    return []


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT", 2.0)


def case(request: HttpRequest | bytes, reply: Reply | AnyOf[Reply], **more: object) -> RestCase:
    return RestCase("id", "rule", request, reply, facts=("1.1",), **more)  # type: ignore[arg-type]


def play(played: RestCase, server: Script, observed: list[Exchange]) -> None:
    with closing(RestClient(server.address)) as client:
        exchange.play_rest(played, client, observed.append)
    server.join()


def test_a_right_reply(observed: list[Exchange]) -> None:
    server = Script(OK)
    play(case(post("/v1/x", "{}", ("X-A", "b")), ok("{}")), server, observed)
    host = server.address.encode()
    assert server.received == [
        b"POST /v1/x HTTP/1.1\r\nHost: " + host + b"\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"
    ]
    (seen,) = observed
    assert (seen.method, seen.request, seen.status, seen.reply) == ("POST /v1/x", b"{}", "200 OK", b"{}")
    assert seen.request_headers == (("X-A", "b"),)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(404), "status 200"),
        (Reply(200, reason="Fine"), "reason 'OK'"),
        (Reply(200, version="HTTP/1.0"), "version HTTP/1.1"),
        (Reply(200, headers={"Content-Type": "text/plain"}), "header Content-Type: application/json"),
        (Reply(200, headers={"Server": "x"}), "header Server: None"),
        (Reply(200, headers={"content-type": None}), "a header content-type"),
        (Reply(200, "{]"), "the body differs from byte 1 on"),
        (AnyOf(Reply(404), Reply(500)), "status 200"),
        (error(400, "x"), "status 200"),
    ],
)
def test_wrong_replies(reply: Reply, problem: str, observed: list[Exchange]) -> None:
    with pytest.raises(Mismatch) as caught:
        play(case(get("/"), reply), Script(OK), observed)
    assert caught.value.expected == str(reply)
    assert caught.value.actual.startswith(f"{problem}: HTTP/1.1 200 OK; Content-Type: application/json")


def test_one_of_several_replies(observed: list[Exchange]) -> None:
    play(case(get("/"), AnyOf(error(404, "no"), ok())), Script(MISSING), observed)


def test_several_turns_on_one_connection(observed: list[Exchange]) -> None:
    server = Script(OK, MISSING + OK)
    further = ((b"RAW\r\n\r\n", error(404, "no")), (None, ok()))
    play(case(get("/"), ok(), then=further), server, observed)
    assert server.received[1] == b"RAW\r\n\r\n"
    assert [seen.method for seen in observed] == ["GET /", "", ""]


def test_a_closed_connection(observed: list[Exchange], monkeypatch: pytest.MonkeyPatch) -> None:
    play(case(get("/"), Reply(200, closes=True)), Script(OK), observed)
    monkeypatch.setattr(exchange, "TIMEOUT", 0.3)
    with pytest.raises(Mismatch, match="the connection stays open"):
        play(case(get("/"), Reply(200, closes=True)), Script(OK, OK), observed)


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (b"", "closed the connection after b''"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "closed the connection after 2 of 9 bytes"),
        (b"nonsense\r\n\r\n", "sent no HTTP reply: 'nonsense'"),
    ],
)
def test_no_reply(sent: bytes, problem: str, observed: list[Exchange]) -> None:
    with pytest.raises(Mismatch) as caught:
        play(case(get("/"), ok()), Script(sent), observed)
    assert problem in caught.value.actual
    assert observed[0].status == "0 no reply"


def test_silence_ends(observed: list[Exchange], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT", 0.2)
    with pytest.raises(Mismatch, match="was silent"):
        play(case(get("/"), ok(), then=((get("/"), ok()),)), Script(OK, b"HTTP/1.1 200", b""), observed)


def test_nobody_listens(observed: list[Exchange]) -> None:
    with closing(RestClient("127.0.0.1:1")) as client, pytest.raises(Mismatch, match="Connection refused"):
        exchange.play_rest(case(get("/"), ok()), client, observed.append)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\nX-T: 1\r\n\r\n",
    ],
    ids=["until-closed", "chunked"],
)
def test_other_framings(sent: bytes, observed: list[Exchange]) -> None:
    play(case(get("/"), ok("{}")), Script(sent), observed)


def test_a_reply_to_head_has_no_body(observed: list[Exchange]) -> None:
    head = OK.removesuffix(b"{}")
    play(
        case(HttpRequest("HEAD", "/"), Reply(200, ""), then=((None, ok("{}")),)), Script(head + OK), observed
    )


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (get("/"), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        (post("/", ""), b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
        (post("/", "é"), b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n\xc3\xa9"),
        (post("/", b"", ("host", "x")), b"POST / HTTP/1.1\r\nhost: x\r\nContent-Length: 0\r\n\r\n"),
        (
            post("/", "a", ("content-length", "9")),
            b"POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 9\r\n\r\na",
        ),
        (
            post("/", "0", ("Transfer-Encoding", "chunked")),
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0",
        ),
    ],
)
def test_requests_as_bytes(request_: HttpRequest, expected: bytes) -> None:
    assert request_.encode("h") == expected


def test_long_bodies() -> None:
    assert Long((("a", 2), ("b", 3))).encode() == b"aabbb"
    assert gzip.decompress(Long((("a", 1000),), gzipped=True).encode()) == b"a" * 1000
