from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from server_impl.lifecycle.states import ServableId
from server_impl.protocol.rest.app import RestApp
from server_impl.protocol.rest.asgi import AsgiApp

ROWS = b'{"instances":[1.0,2.0,5.0]}'


def ask(app: RestApp, method: str, path: str, *chunks: bytes, query: bytes = b"") -> list[dict[str, Any]]:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"Origin", b"http://page.test")],
    }
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request"})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(AsgiApp(app, executor)(scope, receive, send))
    return sent


@pytest.mark.parametrize("inline", [True, False])
def test_predict(make_rest_app: Callable[..., RestApp], runners: dict, inline: bool) -> None:
    runners[ServableId("lin", 3)].inline = inline
    start, body = ask(make_rest_app(), "POST", "/v1/models/lin:predict", ROWS[:7], ROWS[7:])
    assert start == {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"Content-Type", b"application/json")],
    }
    assert body["body"] == b'{\n    "predictions": [3.5, 4.0, 5.5\n    ]\n}'


@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("GET", "/v1/models/lin", b"", 200),
        ("GET", "/v1/models/lin", b"x", 404),  # the query belongs to the name
        ("OPTIONS", "/v1/x", b"", 200),
        ("GET", "/", b"", 404),
        ("TRACE", "/v1/models/lin", b"", 501),
    ],
)
def test_statuses(
    make_rest_app: Callable[..., RestApp], method: str, path: str, query: bytes, status: int
) -> None:
    start, _ = ask(make_rest_app(), method, path, query=query)
    assert start["status"] == status
    # The connection is the business of the ASGI server.
    assert all(name != b"Connection" for name, _ in start["headers"])


def test_client_that_left(make_rest_app: Callable[..., RestApp]) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody listens")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with ThreadPoolExecutor(1) as executor:
        asyncio.run(AsgiApp(make_rest_app(), executor)(scope, receive, send))


def test_only_http(make_rest_app: Callable[..., RestApp]) -> None:
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="lifespan"):
        asyncio.run(AsgiApp(make_rest_app(), executor)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
