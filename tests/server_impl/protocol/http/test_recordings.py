"""What the real server answered to 287 requests, byte by byte, through the reader and the REST API."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server_impl.protocol.http.reader import Continue, Event, HttpReader, Request
from server_impl.protocol.http.response import Response, page, render, render_continue
from server_impl.protocol.reply import take_steps
from server_impl.protocol.rest.app import RestApp

GOLDEN = Path(__file__).parents[3] / "golden" / "rest"

#: Where we differ on purpose: replies to HEAD carry no body, replies to CONNECT close the connection.
DIFFERS = {"methods.019": "closed", "methods.020": "closed", "methods.021": "closed"}


def recordings(*groups: str) -> list[Any]:
    records = []
    for group in groups:
        with gzip.open(GOLDEN / f"{group}.jsonl.gz", "rt") as lines:
            records += [json.loads(line) for line in lines]
    return [pytest.param(record, id=record["id"]) for record in records]


class Connection:
    """One connection without a socket: what is sent back, and whether it was closed."""

    def __init__(self, app: RestApp) -> None:
        self._app = app
        self._reader = HttpReader()
        self.output = b""
        self.closed = False

    def send(self, data: bytes) -> None:
        for event in self._reader.receive(data):
            if not self.closed:
                self._answer(event)

    def _answer(self, event: Event) -> None:
        if isinstance(event, Continue):
            self.output += render_continue(event.version)
            return
        if isinstance(event, Request):
            framing = event.head.framing
            reply = take_steps(self._app.handle(event))
            response = reply if isinstance(reply, Response) else reply()
        else:
            framing = event.framing
            response = page(event.status)
        data, self.closed = render(response, framing)
        self.output += data


def normal(head: bytes) -> list[str]:
    return re.sub(rb"Date: [^\r]+", b"Date: <varies>", head).decode("latin-1").split("\r\n")


def normal_body(body: bytes) -> object:
    """The order of map entries in metadata is random on the real server."""
    return sorted(line.rstrip(b",") for line in body.split(b"\n")) if b'"signature_def"' in body else body


def replay(record: dict[str, Any], app: RestApp) -> None:
    connection = Connection(app)
    for part in record["sent"]:
        connection.send(part.encode("latin-1"))
    rest = connection.output
    for expected in record["received"]:
        head, found, rest = rest.partition(b"\r\n\r\n")
        assert found
        if expected["body"] is None:
            assert normal(head)[:2] == expected["head"][:2]
            return
        assert normal(head) == expected["head"]
        length = len(expected["body"])
        assert normal_body(rest[:length]) == normal_body(expected["body"].encode("latin-1"))
        rest = rest[length:]
    assert rest == b""
    if record["id"] not in DIFFERS:
        assert (connection.closed or record.get("half_close", False)) == record["closed"]


@pytest.mark.parametrize("record", recordings("url", "methods", "http"))
def test_same_bytes(record: dict[str, Any], make_rest_app: Callable[..., RestApp]) -> None:
    replay(record, make_rest_app())


@pytest.mark.parametrize("record", recordings("cors"))
def test_same_bytes_with_cors(record: dict[str, Any], make_rest_app: Callable[..., RestApp]) -> None:
    replay(record, make_rest_app(cors=True, metrics_path="/monitoring/prometheus/metrics"))
