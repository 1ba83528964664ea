"""Sends a recorded request to a server, and says which part of the answer is not what was recorded."""

from __future__ import annotations

import json
import math
import re
import socket
from typing import Any, NamedTuple

from google.protobuf.message import Message

from harness.client import GrpcClient, Refusal
from harness.client.grpc import (
    CLASSIFY,
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    MULTI_INFERENCE,
    PREDICT,
    REGRESS,
)
from harness.wire import messages as wire
from tests.golden.recordings import Record
from tests.golden.wording import steady

#: Seconds until an answer must be there.
_TIMEOUT = 15.0
#: Seconds in which a server that should say no more could do so, or close the connection.
_SETTLE = 0.02

_REPLIES: dict[str, type[Message]] = {
    PREDICT: wire.PredictResponse,
    CLASSIFY: wire.ClassificationResponse,
    REGRESS: wire.RegressionResponse,
    MULTI_INFERENCE: wire.MultiInferenceResponse,
    GET_MODEL_METADATA: wire.GetModelMetadataResponse,
    GET_MODEL_STATUS: wire.GetModelStatusResponse,
}
#: Lines of a metrics page that depend on the requests alone.
_STEADY_METRIC = re.compile(
    r"^(?:# TYPE :tensorflow:serving:\S+ \S+"
    r"|:tensorflow:serving:(?:request_count|request_example_count_total)\{.*\} .*"
    r"|:tensorflow:serving:request_latency_count\{[^}]*\} \d+)$",
    re.MULTILINE,
)


class Difference(NamedTuple):
    """The first part of an answer that is not as recorded."""

    part: str
    expected: object
    actual: object

    def __str__(self) -> str:
        return f"{self.part}\nexpected: {self.expected!r}\nactual:   {self.actual!r}"


# --------------------------------------------------------------------------- REST


class _Stream:
    """What a server says on one connection."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), _TIMEOUT)
        self.received = b""
        self.ended = False

    def read(self, wait: float) -> bool:
        """Wait for more; False when none came."""
        self.socket.settimeout(wait)
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            return False
        except ConnectionError:
            data = b""
        self.received += data
        self.ended = not data
        return bool(data)

    def reply(self, *, has_body: bool) -> tuple[list[str], bytes] | None:
        """Head and body of the next reply, or None where none comes."""
        while b"\r\n\r\n" not in self.received:
            if not self.read(_TIMEOUT):
                return None
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        lines = re.sub(rb"\r\nDate: [^\r]+", b"\r\nDate: <varies>", head).decode("latin-1").split("\r\n")
        length = next((int(line[16:]) for line in lines if line.startswith("Content-Length: ")), None)
        if not has_body or lines[0].split(" ")[1] == "100":
            length = 0
        while (length is None or len(self.received) < length) and self.read(_TIMEOUT):
            pass
        body = self.received[:length]
        self.received = self.received[len(body) :]
        return lines, body


def rest_difference(record: Record, address: str) -> Difference | None:
    """Send a recorded HTTP request, or several. None where the answer is the recorded one."""
    stream = _Stream(address)
    replies = []
    with stream.socket:
        parts = [part.encode("latin-1") for part in record["sent"]]
        stream.socket.sendall(parts[0])
        if record.get("half_close"):
            stream.socket.shutdown(socket.SHUT_WR)
        for at, _ in enumerate(record["received"]):
            replies.append(stream.reply(has_body=not parts[0].startswith(b"HEAD ")))
            if at + 1 < len(parts):
                stream.socket.sendall(parts[at + 1])
        stream.ended or stream.read(_TIMEOUT if record["closed"] else _SETTLE)
    for expected, actual in zip(record["received"], replies, strict=True):
        if actual is None:
            return Difference("reply", expected, None)
        difference = _reply_difference(record, expected, *actual)
        if difference is not None:
            return difference
    if stream.received != record.get("extra", "").encode("latin-1"):
        return Difference("extra", record.get("extra", ""), stream.received)
    return None if stream.ended == record["closed"] else Difference("closed", record["closed"], stream.ended)


def _reply_difference(record: Record, expected: Record, head: list[str], body: bytes) -> Difference | None:
    wanted = list(expected["head"])
    if wanted[0] != head[0]:
        return Difference("status", wanted, [*head, body])
    if "metrics" in record:
        lines = sorted(_STEADY_METRIC.findall(body.decode()))
        return None if lines == record["metrics"] else Difference("metrics", record["metrics"], lines)
    # The length tells nothing where the body depends on machine or exporter, or is one of several.
    loose = expected["body"] is None or "also" in record or "{{function_node" in expected["body"]
    if _headers(wanted, loose) != _headers(head, loose):
        return Difference("headers", wanted, head)
    if expected["body"] is None:
        return None
    options = [text.encode("latin-1") for text in (expected["body"], *record.get("also", ()))]
    return None if any(_same_body(option, body) for option in options) else Difference("body", options, body)


def _headers(head: list[str], loose: bool) -> list[str]:
    return [line for line in head[1:] if not (loose and line.startswith("Content-Length: "))]


def _same_body(expected: bytes, actual: bytes) -> bool:
    """Equal byte by byte, but for the order of members: that of several outputs or signatures is random."""
    expected, actual = steady(expected), steady(actual)
    return expected == actual or (
        _letters(expected) == _letters(actual)
        and sorted(line.rstrip(b",") for line in expected.split(b"\n"))
        == sorted(line.rstrip(b",") for line in actual.split(b"\n"))
    )


def _letters(body: bytes) -> Any:
    """A document with its numbers as they are written; bytes that are none, as they are."""
    try:
        return json.loads(body.decode("latin-1"), parse_int=_written, parse_float=_written)
    except ValueError:
        return body


def _written(number: str) -> tuple[str]:
    return (number,)


# --------------------------------------------------------------------------- gRPC


def grpc_difference(record: Record, client: GrpcClient) -> Difference | None:
    """Make a recorded call. None where the answer is the recorded one."""
    code, details, received = "OK", "", None
    try:
        received = client.exchange(
            record["method"], record["sent"].encode("latin-1"), timeout=record.get("timeout", _TIMEOUT)
        )
    except Refusal as refusal:
        code, details = str(refusal).partition(":")[0], refusal.text
    if code != record["code"]:
        return Difference("code", (record["code"], record["details"]), (code, details))
    # The client itself makes the text of a deadline.
    if code != "DEADLINE_EXCEEDED" and steady(details.encode()) != steady(record["details"].encode()):
        return Difference("details", record["details"], details)
    if received is None or _same_message(record["method"], record["received"].encode("latin-1"), received):
        return None
    return Difference("message", record["received"], received)


def _same_message(method: str, expected: bytes, actual: bytes) -> bool:
    """Equal to the last bit, but for the order of maps, which is random."""
    if expected == actual:
        return True
    if method not in _REPLIES:
        return False
    return _in_order(_REPLIES[method].FromString(expected)) == _in_order(_REPLIES[method].FromString(actual))


def _in_order(message: Message) -> bytes:
    """A message with its maps sorted, those in packed metadata included, and with one kind of NaN.

    The sign of a NaN that a computation gives is up to the processor.
    """
    if isinstance(message, wire.GetModelMetadataResponse):
        for packed in message.metadata.values():
            signatures = wire.SignatureDefMap.FromString(packed.value)
            packed.value = signatures.SerializeToString(deterministic=True)
    if isinstance(message, wire.PredictResponse):
        for tensor in message.outputs.values():
            tensor.float_val[:] = [math.nan if math.isnan(value) else value for value in tensor.float_val]
    return message.SerializeToString(deterministic=True)
