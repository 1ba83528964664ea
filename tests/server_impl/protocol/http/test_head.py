from __future__ import annotations

import pytest

from server_impl.protocol.http.head import Framing, Head, Refusal, parse
from server_impl.protocol.http.target import Target, split


def head(request_line: bytes = b"GET /v1/models/m HTTP/1.1", *fields: bytes) -> Head | Refusal:
    return parse(b"".join(line + b"\r\n" for line in (request_line, *fields)))


def accepted(*lines: bytes) -> Head:
    result = head(*lines)
    assert isinstance(result, Head)
    return result


def refused(*lines: bytes) -> int:
    result = head(*lines)
    assert isinstance(result, Refusal)
    return result.status


@pytest.mark.parametrize(
    ("version", "number"),
    [
        (b"1.0", (1, 0)),
        (b"1.1", (1, 1)),
        (b"1.2", (1, 2)),
        (b"0.9", (0, 9)),
        (b"01.012", (1, 12)),
        (b"+1.+1", (1, 1)),
        (b"-1.-1", (-1, -1)),
        (b"1.\t1", (1, 1)),
        (b"1.1\0 and more", (1, 1)),
        (b"1.4294967297", (1, 1)),
        (b"1." + b"9" * 30, (1, -1)),
    ],
)
def test_versions_accepted(version: bytes, number: tuple[int, int]) -> None:
    assert accepted(b"GET /v1/models/m HTTP/" + version).framing.version == number


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GARBAGE",
        b"GET /v1/models/m",
        b"GET  HTTP/1.1",
        b"G / HTTP/1.1",  # shorter than any request can be
        b"GET /v1/models/m HTTP/2.0",
        b"GET /v1/models/m http/1.1",
        b"GET /v1/models/m HTTP/1.1x",
        b"GET /v1/models/m HTTP/1.",
        b"GET /v1/models/m HTTP/1.1.1",
        b"GET /v1/mod\0els/m HTTP/1.1",
        b"GET 1:2/v1/models/m HTTP/1.1",
        b"GET http://ho^st/v1/models/m HTTP/1.1",
    ],
)
def test_lines_that_are_no_request_line(line: bytes) -> None:
    assert refused(line) == 400


def test_blanks_after_the_version_and_within_the_target() -> None:
    assert accepted(b"GET /a b HTTP/1.1  ").target == b"/a b"


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"FOO", b"get", b"Post", b"PROPFIND"])
def test_other_methods_are_not_implemented(method: bytes) -> None:
    assert refused(method + b" /v1/models/m HTTP/1.1") == 501


def test_first_of_equal_fields_counts_and_names_ignore_case() -> None:
    headers = accepted(b"PUT /v1/models/m HTTP/1.1", b"A: 1", b"a: 2", b"B :3", b"C:", b": x").headers
    assert headers == {b"a": b"1", b"b ": b"3", b"c": b"", b"": b"x"}


def test_folded_lines_continue_the_value() -> None:
    assert accepted(b"PUT /v1/models/m HTTP/1.1", b"A: one", b"\t two").headers == {b"a": b"one two"}


@pytest.mark.parametrize(
    "field", [b"no colon", b" folded from nothing: 1", b"A\r: b", b"A: b\rc", b"A: \r b", b"A\0: "]
)
def test_lines_that_are_no_field(field: bytes) -> None:
    assert refused(b"PUT /v1/models/m HTTP/1.1", field) == 400


@pytest.mark.parametrize("value", [b"0", b"-0", b"27", b"+27", b"0027"])
def test_lengths(value: bytes) -> None:
    assert accepted(b"PUT /v1/models/m HTTP/1.1", b"Content-Length: " + value).length == int(value)


@pytest.mark.parametrize("value", [b"", b"-5", b"abc", b"27x", b"2 7", b"1.0", b"0x10", "２".encode()])
def test_lengths_that_are_none(value: bytes) -> None:
    assert refused(b"PUT /v1/models/m HTTP/1.1", b"Content-Length: " + value) == 400


def test_length_and_chunks_exclude_each_other() -> None:
    both = (b"Content-Length: 3", b"Transfer-Encoding: chunked")
    assert refused(b"PUT /v1/models/m HTTP/1.1", *both) == 400
    assert refused(b"PUT /v1/models/m HTTP/1.1", both[0], b"Transfer-Encoding:") == 400
    assert refused(b"FOO /v1/models/m HTTP/1.1", *both) == 400
    assert accepted(b"PUT /v1/models/m HTTP/1.1", both[0], both[0]).length == 3


@pytest.mark.parametrize(
    ("encodings", "chunked"),
    [
        ((b"chunked",), True),
        ((b"\tCHUNKED ; a=b",), True),
        ((b"gzip, chunked",), True),
        ((b", chunked",), True),
        ((b"gzip", b"chunked"), True),
        ((b"",), False),
        ((b"gzip",), False),
        ((b"unchunked",), False),
        ((b"gzip; chunked",), False),
        ((b"chunked, gzip",), None),
        ((b"chunked, chunked",), None),
        ((b"chunked,",), None),
        ((b"chunked", b"gzip"), None),
        ((b"chunked", b""), None),
    ],
)
def test_transfer_encodings(encodings: tuple[bytes, ...], chunked: bool | None) -> None:
    judged = head(b"PUT /v1/models/m HTTP/1.1", *(b"Transfer-Encoding: " + each for each in encodings))
    assert (judged.chunked if isinstance(judged, Head) else None) is chunked


@pytest.mark.parametrize(
    ("lines", "framing"),
    [
        ((b"GARBAGE",), Framing()),
        ((b"HEAD /v1/models/m HTTP/2.0",), Framing(method=b"HEAD")),
        ((b"PUT 1:2 HTTP/1.2",), Framing((1, 2), b"PUT")),
        ((b"CONNECT a:b HTTP/1.0",), Framing((1, 0), b"CONNECT")),
        (
            (b"FOO /v1 HTTP/1.0", b"Connection: keep-alive", b"none", b"Connection: close"),
            Framing((1, 0), b"", asks_keep_alive=True),
        ),
        (
            (b"PUT http://h/v1 HTTP/1.1", b"none"),
            Framing(method=b"PUT", asks_close=True, to_proxy=True),
        ),
    ],
)
def test_a_refusal_knows_what_was_read_before(lines: tuple[bytes, ...], framing: Framing) -> None:
    assert head(*lines) == Refusal(400, framing)


def test_expectations() -> None:
    put = (b"PUT /v1/models/m HTTP/1.1", b"Content-Length: 3")
    assert accepted(*put, b"Expect: 100-CONTINUE").expects_continue
    assert refused(*put, b"Expect: 200-ok") == 417
    assert not accepted(put[0], b"Expect: 200-ok").expects_continue
    assert not accepted(b"PUT /v1/models/m HTTP/1.0", put[1], b"Expect: 200-ok").expects_continue


@pytest.mark.parametrize(
    ("line", "field", "keep_alive", "close", "to_proxy"),
    [
        (b"GET /v1/models/m HTTP/1.1", b"X: y", False, False, False),
        (b"GET /v1/models/m HTTP/1.1", b"Connection: Close", False, True, False),
        (b"GET /v1/models/m HTTP/1.1", b"Connection: close, x", False, False, False),
        (b"GET /v1/models/m HTTP/1.0", b"Connection: Keep-Alive", True, False, False),
        (b"GET /v1/models/m HTTP/1.0", b"Connection: keep-alive, x", True, False, False),
        (b"GET http://h/v1/models/m HTTP/1.1", b"X: y", False, True, True),
        (b"GET HTTPS://u:p@h:1/v1/models/m HTTP/1.1", b"Connection: close", False, True, True),
        (b"GET http://[::1]:80/v1/models/m HTTP/1.1", b"Proxy-Connection: Keep-Alive", False, False, True),
        (b"GET ftp://h/v1/models/m HTTP/1.1", b"X: y", False, False, False),
    ],
)
def test_what_is_asked_of_the_connection(
    line: bytes, field: bytes, keep_alive: bool, close: bool, to_proxy: bool
) -> None:
    framing = accepted(line, field).framing
    assert (framing.asks_keep_alive, framing.asks_close, framing.to_proxy) == (keep_alive, close, to_proxy)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (b"/a/b?c=d#e", Target(False, b"/a/b", b"/a/b?c=d#e", True)),
        (b"/a#b?c", Target(False, b"/a", b"/a#b?c", True)),
        (b"http://h:80/a?b", Target(True, b"/a", b"/a?b", True)),
        (b"http://h", Target(True, b"", b"", True)),
        (b"http:///a", Target(True, b"/a", b"/a", True)),
        (b"http://h:/a", Target(True, b"/a", b"/a", True)),
        (b"mail:a", Target(False, b"a", b"a", True)),
        (b"//h/a", Target(False, b"/a", b"/a", True)),
        (b"*", Target(False, b"*", b"*", True)),
        (b"/a%2f", Target(False, b"/a%2f", b"/a%2f", True)),
        (b"/a%2", Target(False, b"/a%2", b"/a%2", False)),
        (b"/a^", Target(False, b"/a^", b"/a^", False)),
        (b"/\xc3\xbc", Target(False, b"/\xc3\xbc", b"/\xc3\xbc", False)),
        (b"/a#b#c", Target(False, b"/a", b"/a#b#c", False)),
        (b"1:2", None),
        (b"http://h:65536/", None),
        (b"http://h:99999999999999999999/", None),
        (b"http://h i/", None),
    ],
)
def test_targets(target: bytes, parts: Target | None) -> None:
    assert split(target) == parts
