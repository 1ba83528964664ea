"""Errors as TensorFlow Serving speaks them: a canonical code and a text, on both protocols."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Canonical status codes, numbered as in gRPC and ``tensorflow.error.Code``."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


#: HTTP status of a REST reply for each code [4.4]; a code not listed is 500.
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

#: gRPC status texts are cut to this many bytes [6.2.1]; REST texts never are [4.5.2].
GRPC_MESSAGE_LIMIT = 1024


class ServingError(Exception):
    """A request or a load that failed with a canonical code.

    ``str()`` gives the form in which one status is quoted inside another text,
    ``INVALID_ARGUMENT: some text`` [0.4]. ``message`` may hold bytes that are not UTF-8 as surrogate
    escapes.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    """The most frequent error."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """A servable, version or file that is not there."""
    return ServingError(Code.NOT_FOUND, message)


def failed_precondition(message: str) -> ServingError:
    """A request that the present state does not allow."""
    return ServingError(Code.FAILED_PRECONDITION, message)


def unimplemented(message: str) -> ServingError:
    """Something that TensorFlow Serving does not offer either."""
    return ServingError(Code.UNIMPLEMENTED, message)


def grpc_message(message: str) -> str:
    """``message`` as a gRPC status carries it: cut to 1,024 bytes of UTF-8, then ``...TRUNCATED`` [6.2.1]."""
    raw = message.encode("utf-8", "surrogateescape")
    if len(raw) > GRPC_MESSAGE_LIMIT:
        raw = raw[:GRPC_MESSAGE_LIMIT] + b"...TRUNCATED"
    return raw.decode("utf-8", "replace")
