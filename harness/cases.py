"""The vocabulary of letter-exact checks: one request, and all that its reply may be.

A chapter of such checks is a table. Each row is a :class:`RestCase` or a :class:`GrpcCase`: an id, the
rule in one sentence, the request, the reply, the ids of the facts. A test module names the server and
the tables, and the plugin makes each row a test of its own::

    CASES = (
        RestCase(
            "trailing-slash",
            "A slash at the end makes another address, which nobody has.",
            get("/v1/models/half_plus_two/"),
            error(400, "Malformed request: GET /v1/models/half_plus_two/"),
            facts=("4.1.7", "URL-04"),
        ),
        *(
            RestCase(f"bad-version/{text}", "...", get(f"{M}/versions/{text}"), error(400, ...), facts=...)
            for text in ("a", "-1", "1.0")
        ),
    )

    pytestmark = pytest.mark.scenario(SCENARIO)  # models and flags; one step, no checks of its own

    @pytest.mark.cases(CASES)
    def test_case(case):
        case()

**Requests.** ``get``, ``post`` and :class:`HttpRequest` cover well-formed HTTP: ``Host`` is added, and
``Content-Length`` where neither it nor ``Transfer-Encoding`` is given. ``bytes`` instead of a request go
over the wire as they are. A gRPC request is a :class:`Call`, with a message or any bytes.

**Replies.** ``ok(body)`` and ``error(status, text)`` expect ``application/json``; :class:`Reply` says it
all: status, headers that matter, body, whether the connection is closed. A body is exact text or
``bytes``, a :class:`Json` document (members in any order, numbers within a tolerance, whole numbers as
such), an :class:`ErrorText`, or a pattern that must match all of it; None is not looked at. gRPC replies
are an :class:`Answer` (a whole message, or with ``whole=False`` only the fields that are set in it) or
:class:`Refused`. Wherever servers may differ, :class:`AnyOf` lists what is right: replies, bodies, texts.

**What to assert.** The checks run against TensorFlow Serving itself: allow whatever it does (random order of
maps, texts that TensorFlow or gRPC own: a pattern, or none). ``facts`` holds ids of facts and of matrix rows;
``level`` is UNVERIFIED for what nobody has seen a real server do.

Nothing here touches the network or needs pytest; :mod:`harness.exchange` plays a case.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from harness.terms import Code, Level, Protocol

T_co = TypeVar("T_co", covariant=True)

#: Relative difference that numbers may have where a document or message is compared.
TOLERANCE = 1e-6
#: The media type of whatever the API answers, successes and errors [4.5.1].
JSON_TYPE = "application/json"


class AnyOf(Generic[T_co]):
    """Several right answers."""

    def __init__(self, *options: T_co) -> None:
        self.options = options

    def __str__(self) -> str:
        return " or ".join(show(option) for option in self.options)


#: A text that must be equal, match as a whole, or be one of several.
Text = str | re.Pattern[str] | AnyOf[str]


@dataclass(frozen=True, slots=True)
class Json:
    """A document: members in any order, floats within ``tolerance``, NaN equal to NaN, 1 not equal to 1.0.

    Where ``whole`` is False an object may have more members than ``value`` names.
    """

    value: Any
    _: KW_ONLY
    whole: bool = True
    tolerance: float = TOLERANCE

    def __str__(self) -> str:
        return ("" if self.whole else "a document with ") + json.dumps(self.value)


@dataclass(frozen=True, slots=True)
class ErrorText:
    """An error document [4.5.2]. A given text stands for the exact bytes, a pattern for the text in it."""

    text: Text

    def __str__(self) -> str:
        return f"error document: {show(self.text)}"


Body = str | bytes | re.Pattern[str] | Json | ErrorText


# --------------------------------------------------------------------------- REST


class Long(NamedTuple):
    """A long body in short form: pieces of text, each with how often it is repeated; gzipped if asked."""

    pieces: tuple[tuple[str, int], ...]
    gzipped: bool = False

    def encode(self) -> bytes:
        """The body."""
        body = b"".join(text.encode() * times for text, times in self.pieces)
        return gzip.compress(body, 1, mtime=0) if self.gzipped else body


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that is well-formed HTTP, with its ``target`` as it stands in the request line."""

    method: str
    target: str
    body: str | bytes | Long = b""
    headers: tuple[tuple[str, str], ...] = ()
    version: str = "HTTP/1.1"

    def content(self) -> bytes:
        """The body."""
        return self.body if isinstance(self.body, bytes) else self.body.encode()

    def encode(self, host: str) -> bytes:
        """The request as it goes over the wire to ``host``."""
        body = self.content()
        given = {name.lower() for name, _ in self.headers}
        headers = [] if "host" in given else [("Host", host)]
        headers += self.headers
        if not given & {"content-length", "transfer-encoding"} and (body or self.method in ("POST", "PUT")):
            headers.append(("Content-Length", str(len(body))))
        lines = [
            f"{self.method} {self.target} {self.version}",
            *(f"{key}: {value}" for key, value in headers),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Reply:
    """What an HTTP reply must be, as far as it is given.

    ``headers``: values by name; None for a header that must be absent. ``closes``: whether the server
    closes the connection after this reply; None is not looked at.
    """

    status: int
    body: Body | AnyOf[Body] | None = None
    _: KW_ONLY
    headers: Mapping[str, str | re.Pattern[str] | None] = field(default_factory=dict)
    version: str | None = None
    reason: str | None = None
    closes: bool = False

    def __str__(self) -> str:
        parts = [str(self.status) if self.reason is None else f"{self.status} {self.reason}"]
        parts += [] if self.version is None else [self.version]
        parts += [
            f"no {name}" if value is None else f"{name}: {show(value)}"
            for name, value in self.headers.items()
        ]
        parts += ["connection closed"] if self.closes else []
        return ", ".join(parts) + ("" if self.body is None else f"; {show(self.body)}")


def get(target: str, *headers: tuple[str, str]) -> HttpRequest:
    """A GET request."""
    return HttpRequest("GET", target, headers=headers)


def post(target: str, body: str | bytes | Long, *headers: tuple[str, str]) -> HttpRequest:
    """A POST request."""
    return HttpRequest("POST", target, body, headers)


def ok(body: Body | AnyOf[Body] | None = None) -> Reply:
    """A success of the API."""
    return Reply(200, body, headers={"Content-Type": JSON_TYPE})


def error(status: int, text: Text) -> Reply:
    """An error of the API, which is a JSON document [4.5.2]."""
    return Reply(status, ErrorText(text), headers={"Content-Type": JSON_TYPE})


def error_body(text: str) -> str:
    """The document that carries ``text``, letter by letter [4.5.2, 5.8.6]."""
    quoted = json.dumps(text, ensure_ascii=False)
    upper = re.sub(r"\\u00[01][0-9a-f]", lambda escape: "\\u" + escape[0][2:].upper(), quoted)
    return f'{{\n    "error": {upper}\n}}'


# --------------------------------------------------------------------------- gRPC


@dataclass(frozen=True, slots=True)
class Call:
    """A unary call: the path of the method, and a message or the very bytes."""

    method: str
    request: Message | bytes
    _: KW_ONLY
    timeout: float | None = None

    def encode(self) -> bytes:
        """The bytes of the request."""
        return self.request if isinstance(self.request, bytes) else self.request.SerializeToString()


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful reply of the message's type.

    Maps are compared without order, floats within ``tolerance``, an ``Any`` by what is packed in it.
    Where ``whole`` is False only fields set in ``message`` are looked at: its map keys must be there,
    its repeated fields must be equal in length.
    """

    message: Message
    _: KW_ONLY
    whole: bool = True
    tolerance: float = TOLERANCE

    def __str__(self) -> str:
        name = self.message.DESCRIPTOR.name
        return f"{name}{'' if self.whole else ' with'} {{ {str(self.message).strip()} }}"


@dataclass(frozen=True, slots=True)
class Refused:
    """An error status; a text of None is not looked at (gRPC's own, which differ between releases)."""

    code: Code
    text: Text | None = None

    def __str__(self) -> str:
        return self.code.name + ("" if self.text is None else f": {show(self.text)}")


# --------------------------------------------------------------------------- cases


@dataclass(frozen=True, slots=True)
class RestCase:
    """A request to the REST port and its reply.

    ``then`` goes on over the same connection: each further request with its reply; None instead of
    a request awaits one more reply (pipelining, ``100 Continue``).
    """

    id: str
    rule: str
    request: HttpRequest | bytes
    reply: Reply | AnyOf[Reply]
    _: KW_ONLY
    facts: tuple[str, ...]
    level: Level = Level.MUST
    then: tuple[tuple[HttpRequest | bytes | None, Reply], ...] = ()

    @property
    def protocol(self) -> Protocol:
        """The protocol that carries it."""
        return Protocol.REST


@dataclass(frozen=True, slots=True)
class GrpcCase:
    """A call to the gRPC port and its reply."""

    id: str
    rule: str
    request: Call
    reply: Answer | Refused | AnyOf[Answer | Refused]
    _: KW_ONLY
    facts: tuple[str, ...]
    level: Level = Level.MUST

    @property
    def protocol(self) -> Protocol:
        """The protocol that carries it."""
        return Protocol.GRPC


Case = RestCase | GrpcCase


def show(expected: object) -> str:
    """What is expected, for failure texts."""
    if isinstance(expected, re.Pattern):
        return f"/{expected.pattern}/"
    if isinstance(expected, bytes):
        return repr(expected)
    return str(expected)
