"""The standard health service ``grpc.health.v1.Health``, as TensorFlow Serving sets it up [6.10.5]."""

from __future__ import annotations

from server_impl.errors import Code, ServingError
from server_impl.protocol.grpc.front import Methods

_SERVICES = (b"", b"ModelService", b"PredictionService")
# A HealthCheckRequest has one string field, so encoded it is the name behind its tag and length. An empty
# name is usually left out.
_KNOWN = frozenset({b"", *(bytes((0x0A, len(name))) + name for name in _SERVICES)})

# HealthCheckResponse: the field `status`.
_SERVING = b"\x08\x01"
_SERVICE_UNKNOWN = b"\x08\x03"


def health_methods() -> Methods:
    """``Check`` and ``Watch``. The status of a known service is SERVING for ever, whatever the models do."""
    return Methods(
        unary={"/grpc.health.v1.Health/Check": _check}, watch={"/grpc.health.v1.Health/Watch": _watch}
    )


def _check(payload: bytes, _: float | None) -> bytes:
    if payload not in _KNOWN:
        raise ServingError(Code.NOT_FOUND, "service name unknown")
    return _SERVING


def _watch(payload: bytes) -> bytes:
    return _SERVING if payload in _KNOWN else _SERVICE_UNKNOWN
