from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from server_impl.errors import HTTP_STATUS
from server_impl.protocol.http.head import Framing
from server_impl.protocol.http.response import REASON, Response, page, render, render_continue

JSON = Response(200, ((b"Content-Type", b"application/json"),), b"{}")
BARE = Response(200, (), b"")
NOT_FOUND = page(404)


def rendered(response: Response, framing: Framing) -> tuple[list[str], bytes, bool]:
    data, closes = render(response, framing)
    head, _, body = data.partition(b"\r\n\r\n")
    return re.sub("Date: .*? GMT", "Date", head.decode()).split("\r\n"), body, closes


@pytest.mark.parametrize(
    ("framing", "first", "rest", "closes"),
    [
        (Framing(), "HTTP/1.1 200 OK", ["Date", "Content-Length: 2"], False),
        (Framing((1, 2)), "HTTP/1.2 200 OK", ["Date", "Content-Length: 2"], False),
        (
            Framing(asks_close=True),
            "HTTP/1.1 200 OK",
            ["Date", "Content-Length: 2", "Connection: close"],
            True,
        ),
        (Framing(asks_close=True, to_proxy=True), "HTTP/1.1 200 OK", ["Date", "Content-Length: 2"], True),
        (Framing(to_proxy=True), "HTTP/1.1 200 OK", ["Date", "Content-Length: 2"], True),
        (Framing((1, 0)), "HTTP/1.0 200 OK", [], True),
        (
            Framing((1, 0), asks_keep_alive=True),
            "HTTP/1.0 200 OK",
            ["Connection: keep-alive", "Content-Length: 2"],
            False,
        ),
        (Framing(asks_keep_alive=True), "HTTP/1.1 200 OK", ["Date", "Content-Length: 2"], False),
        (Framing((0, 9), asks_keep_alive=True), "HTTP/0.9 200 OK", [], True),
    ],
)
def test_framing_of_a_reply(framing: Framing, first: str, rest: list[str], closes: bool) -> None:
    assert rendered(JSON, framing) == ([first, "Content-Type: application/json", *rest], b"{}", closes)


@pytest.mark.parametrize(
    ("framing", "first", "rest"),
    [
        (Framing(), "HTTP/1.1", ["Connection: close", "Date", "Content-Length: 90"]),
        (Framing((1, 0)), "HTTP/1.1", ["Connection: close", "Date", "Content-Length: 90"]),
        (Framing((0, 9)), "HTTP/1.1", ["Connection: close", "Date", "Content-Length: 90"]),
        (Framing((1, 2)), "HTTP/1.2", ["Connection: close", "Date", "Content-Length: 90"]),
        (Framing(asks_close=True), "HTTP/1.1", ["Date", "Content-Length: 90", "Connection: close"]),
        (Framing(method=b"CONNECT"), "HTTP/1.1", ["Connection: close", "Date"]),
    ],
)
def test_framing_of_a_page(framing: Framing, first: str, rest: list[str]) -> None:
    head = [f"{first} 404 Not Found", "Content-Type: text/html", *rest]
    assert rendered(NOT_FOUND, framing) == (head, NOT_FOUND.body, True)


def test_text_of_a_page() -> None:
    html = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"
    assert NOT_FOUND.body == html


def test_reply_without_content_type() -> None:
    head, body, _ = rendered(BARE, Framing())
    assert head[1:] == ["Date", "Content-Length: 0", "Content-Type: text/html; charset=ISO-8859-1"]
    assert body == b""


@pytest.mark.parametrize("response", [JSON, NOT_FOUND])
def test_head_gets_no_body_and_no_length(response: Response) -> None:
    head, body, closes = rendered(response, Framing(method=b"HEAD"))
    assert body == b""
    assert not any(line.startswith("Content-Length") for line in head)
    assert closes == (response is NOT_FOUND)


def test_interim_response() -> None:
    assert render_continue((1, 1)) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "Client Error"), (499, "Client Error"), (504, "Gateway Time-out")]
)
def test_odd_reasons(status: int, reason: str) -> None:
    assert render(replace(BARE, status=status), Framing())[0].startswith(
        f"HTTP/1.1 {status} {reason}\r\n".encode()
    )


def test_every_code_has_a_reason() -> None:
    assert {*HTTP_STATUS.values(), 413, 417} <= REASON.keys()
