"""A REST client: the few calls of the API, and raw exchanges for letter-exact checks."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from harness.client import json_form
from harness.client.http_socket import Connection
from harness.client.outcome import (
    BadReply,
    Exchange,
    Metadata,
    Observer,
    Prediction,
    Refusal,
    SignatureInfo,
    Unreachable,
    VersionStatus,
)
from harness.client.tls import Tls
from harness.terms import Code, Protocol, State, Tensors, TensorSpec

#: Seconds that a reply may take where the caller does not say otherwise.
TIMEOUT = 60.0


class HttpReply(NamedTuple):
    """A reply as it came; headers in order."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def model_path(model: str, version: int | None = None, label: str | None = None) -> str:
    """Path of a model's resources [4.1.2]; names are percent-encoded."""
    path = f"/v1/models/{quote(model, safe='')}"
    if version is not None:
        return f"{path}/versions/{version}"
    return path if label is None else f"{path}/labels/{quote(label, safe='')}"


class RestClient:
    """One keep-alive connection to ``host:port``; not for several threads at once.

    ``on_exchange`` is told every exchange. ``headers`` go with every request and are told nobody.
    """

    protocol = Protocol.REST

    def __init__(
        self,
        address: str,
        *,
        form: json_form.Form = "row",
        timeout: float = TIMEOUT,
        on_exchange: Observer | None = None,
        tls: Tls | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.address = address
        self.on_exchange = on_exchange
        self.headers = headers
        self._form = form
        self._tls = tls
        self._connection = (
            http.client.HTTPConnection(address, timeout=timeout)
            if tls is None
            else _TlsConnection(address, timeout, tls)
        )

    def predict(
        self,
        model: str,
        inputs: Tensors,
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
        form: json_form.Form | None = None,
    ) -> Prediction:
        """Run a signature. Raises Refusal, BadReply, Unreachable."""
        body = json_form.predict_body(inputs, signature=signature, form=form or self._form)
        return json_form.prediction(self._call("POST", model_path(model, version, label) + ":predict", body))

    def status(self, model: str, *, version: int | None = None) -> tuple[VersionStatus, ...]:
        """States of versions in the server's order. Raises Refusal, BadReply, Unreachable."""
        reply = json_form.document(self._call("GET", model_path(model, version)))
        try:
            return tuple(_version_status(entry) for entry in reply["model_version_status"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadReply(f"not a model status ({error!r}): {str(reply)[:200]}") from error

    def metadata(self, model: str, *, version: int | None = None, label: str | None = None) -> Metadata:
        """Signatures. Raises Refusal, BadReply, Unreachable."""
        reply = json_form.document(self._call("GET", model_path(model, version, label) + "/metadata"))
        try:
            signatures = reply["metadata"]["signature_def"]["signature_def"]
            return Metadata(
                int(reply["model_spec"]["version"]),
                {name: _signature(definition) for name, definition in signatures.items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadReply(f"not model metadata ({error!r}): {str(reply)[:200]}") from error

    def exchange(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Send a request as it is and read the reply. Raises Unreachable."""
        sent = dict(headers or {})
        started, clock = time.time(), time.perf_counter()
        try:
            reply = self._send(method, path, body, sent)
            content = reply.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unreachable(f"{method} {path} at {self.address}: {error!r}") from error
        done = HttpReply(reply.status, reply.reason, tuple(reply.getheaders()), content)
        if self.on_exchange is not None:
            self.on_exchange(
                Exchange(
                    protocol=Protocol.REST,
                    method=f"{method} {path}",
                    request=body or b"",
                    request_headers=tuple(sent.items()),
                    status=f"{done.status} {done.reason}",
                    text="",
                    reply=content,
                    reply_headers=done.headers,
                    started=started,
                    duration_s=time.perf_counter() - clock,
                )
            )
        return done

    def connection(self, timeout: float) -> Connection:
        """Another connection to the same server, for bytes as they are. Raises Unreachable."""
        return Connection(self.address, timeout, self._tls)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        """Send on the open connection, or on a new one if the server has meanwhile closed it."""
        reused = self._connection.sock is not None
        try:
            self._connection.request(method, path, body, {**dict(self.headers), **headers})
            return self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            if not reused:
                raise
        self._connection.request(method, path, body, {**dict(self.headers), **headers})
        return self._connection.getresponse()

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        reply = self.exchange(method, path, body)
        if reply.status != 200:
            raise Refusal(_error_text(reply.body), http_status=reply.status)
        return reply.body


class _TlsConnection(http.client.HTTPConnection):
    """HTTP over TLS with a name of one's own choice; the library's takes the host's."""

    def __init__(self, address: str, timeout: float, tls: Tls) -> None:
        super().__init__(address, timeout=timeout)
        self._tls = tls

    def connect(self) -> None:
        """Connect and shake hands."""
        super().connect()
        self.sock = self._tls.context().wrap_socket(self.sock, server_hostname=self._tls.name or self.host)


def raw(address: str, data: bytes, *, timeout: float = TIMEOUT) -> bytes:
    """Send any bytes and read until the server closes or ``timeout`` seconds pass in silence.

    Raises Unreachable where there is no connection.
    """
    host, _, port = address.rpartition(":")
    received = bytearray()
    try:
        with socket.create_connection((host, int(port)), timeout) as connection:
            connection.sendall(data)
            while chunk := connection.recv(65536):
                received += chunk
    except TimeoutError:
        pass  # an open connection without more to say: what has come is the answer
    except OSError as error:
        if not received:
            raise Unreachable(f"{address}: {error!r}") from error
    return bytes(received)


def _error_text(body: bytes) -> str:
    """The text of an error document, or of whatever else came [4.5.2]."""
    try:
        return str(json_form.document(body)["error"])
    except (BadReply, KeyError):
        return body.decode("utf-8", "replace")


def _version_status(entry: Mapping[str, Any]) -> VersionStatus:
    return VersionStatus(
        version=int(entry["version"]),
        state=State[entry["state"]],
        code=Code[entry["status"]["error_code"]],
        text=entry["status"]["error_message"],
    )


def _signature(definition: Mapping[str, Any]) -> SignatureInfo:
    return SignatureInfo(
        definition["method_name"],
        {alias: _tensor_spec(info) for alias, info in definition["inputs"].items()},
        {alias: _tensor_spec(info) for alias, info in definition["outputs"].items()},
    )


def _tensor_spec(info: Mapping[str, Any]) -> TensorSpec:
    shape = tuple(int(dim["size"]) for dim in info["tensor_shape"]["dim"])
    return TensorSpec(info["dtype"], None if info["tensor_shape"]["unknown_rank"] else shape)
