"""The REST API as an ASGI application: behind any ASGI server, for instance one that terminates TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from typing import Any

from server_impl.protocol.http.front import App
from server_impl.protocol.http.head import METHODS, Framing, Head
from server_impl.protocol.http.reader import Request
from server_impl.protocol.http.response import Response, page
from server_impl.protocol.reply import Work, take_steps

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """``app`` behind ASGI; replies that may take long are made on ``executor``.

    What HTTP itself demands (framing, malformed requests, 100 Continue) is the business of the ASGI server,
    so libevent's texts and header order come only from our own front.
    """

    def __init__(self, app: App, executor: Executor) -> None:
        self._app = app
        self._executor = executor

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; other kinds of connection are refused by raising ValueError."""
        if scope["type"] != "http":
            raise ValueError(
                f"ASGI scope of type {scope['type']!r}: only http is served; set lifespan to off"
            )
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), value)
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        reply: Work[Response]
        method = scope["method"].encode()
        if method in METHODS:
            query = scope.get("query_string", b"")
            target = (scope.get("raw_path") or scope["path"].encode()) + (b"?" + query if query else b"")
            request = Request(Head(target, headers, Framing(method=method)), bytes(body))
            reply = take_steps(self._app.handle(request))
        else:
            reply = page(501)
        if not isinstance(reply, Response):
            reply = await asyncio.get_running_loop().run_in_executor(self._executor, reply)
        fields = [field for field in reply.fields if field[0] != b"Connection"]
        await send({"type": "http.response.start", "status": reply.status, "headers": fields})
        await send({"type": "http.response.body", "body": reply.body})
