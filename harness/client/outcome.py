"""What comes back from a server, whichever protocol carried it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.terms import Code, Protocol, State, Tensors, TensorSpec

#: HTTP status of a REST reply for each code [4.4].
HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

#: The alias of a REST output that came without one: a signature's only output has no name in JSON.
UNNAMED = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply, byte for byte.

    ``method`` is ``POST /v1/models/m:predict`` or the path of a gRPC method, ``status`` the status line
    or the code's name, ``text`` the details of a gRPC status. Times are seconds, ``started`` since the epoch.
    """

    protocol: Protocol
    method: str
    request: bytes
    request_headers: tuple[tuple[str, str], ...]
    status: str
    text: str
    reply: bytes
    reply_headers: tuple[tuple[str, str], ...]
    started: float
    duration_s: float


#: Is told every exchange of a client.
Observer = Callable[[Exchange], None]


class Prediction(NamedTuple):
    """A successful inference. ``version`` is None where the protocol does not tell it (REST)."""

    outputs: Tensors
    version: int | None = None


class VersionStatus(NamedTuple):
    """One entry of a model's status."""

    version: int
    state: State
    code: Code
    text: str

    def __str__(self) -> str:
        failure = f" [{self.code.name}: {self.text}]" if self.code or self.text else ""
        return f"{self.version} {self.state.name}{failure}"


class SignatureInfo(NamedTuple):
    """A signature as metadata describe it."""

    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


class Metadata(NamedTuple):
    """A model's metadata: the version they come from, and its signatures by name."""

    version: int
    signatures: Mapping[str, SignatureInfo]


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, often the right one
    """The server answered with an error. REST tells ``http_status`` only, gRPC ``code`` only."""

    def __init__(self, text: str, *, code: Code | None = None, http_status: int | None = None) -> None:
        super().__init__(text, code, http_status)
        self.text = text
        self.code = code
        self.http_status = http_status

    def __str__(self) -> str:
        return f"{self.http_status if self.code is None else self.code.name}: {self.text}"

    def agrees(self, code: Code, text: str | re.Pattern[str]) -> bool:
        """Tell whether this is ``code`` with ``text``, as far as the protocol shows the code."""
        same_code = self.http_status == HTTP_STATUS[code] if self.code is None else self.code == code
        return same_code and (
            self.text == text if isinstance(text, str) else text.fullmatch(self.text) is not None
        )


class BadReply(Exception):  # noqa: N818 - the server's error, not ours
    """The reply is not what the protocol allows: no JSON, a shape that does not fit, a missing field."""


class Unreachable(Exception):  # noqa: N818 - the server's error, not ours
    """Nobody answered: no connection, or it broke before the reply was complete."""
