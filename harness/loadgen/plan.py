"""What the coordinator tells the processes that make the load, as plain data on the way.

The coordinator prepares every request and its right answers; the others only send and compare. So they
need neither models nor scenario files, on this machine or another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from harness.loadgen.arrivals import Arrival, RateProfile, Stage
from harness.loadgen.checking import Expected
from harness.loadgen.collector import Endpoint
from harness.terms import Protocol


@dataclass(frozen=True, slots=True)
class Prepared:
    """One request, serialised, with its right answers. ``path`` is a REST path or the name of a gRPC method.

    ``sample`` is a right reply, for the null server.
    """

    protocol: Protocol
    endpoint: Endpoint
    path: str
    body: bytes
    weight: float
    expected: Expected
    sample: bytes = b""

    def to_message(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "protocol": str(self.protocol),
            "endpoint": list(self.endpoint),
            "path": self.path,
            "body": self.body,
            "weight": self.weight,
            "expected": self.expected.to_message(),
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_message`; the sample stays with the coordinator."""
        return cls(
            Protocol(message["protocol"]),
            Endpoint(*message["endpoint"]),
            message["path"],
            message["body"],
            message["weight"],
            Expected.from_message(message["expected"]),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run sends, and where to. ``bound`` is the latency that a good reply keeps, in seconds."""

    addresses: Mapping[str, str]
    requests: Sequence[Prepared]
    timeout: float
    patience: float
    bound: float | None
    seed: int
    window: float = 1.0

    def to_message(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "addresses": dict(self.addresses),
            "requests": [request.to_message() for request in self.requests],
            "timeout": self.timeout,
            "patience": self.patience,
            "bound": self.bound,
            "seed": self.seed,
            "window": self.window,
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_message`."""
        requests = [Prepared.from_message(request) for request in message["requests"]]
        return cls(**{**message, "requests": requests})


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of load that begins at ``start`` (seconds since the epoch), shared by ``workers``.

    ``minimum``: requests to send at least, over all workers. ``users``: how many users take part at most,
    over all workers; 0 = all there are. Phases of one run have rising numbers.
    """

    number: int
    name: str
    start: float
    arrival: Arrival
    stages: tuple[Stage, ...]
    workers: tuple[str, ...]
    minimum: int = 0
    users: int = 0

    @property
    def profile(self) -> RateProfile:
        """The rates asked for."""
        return RateProfile(self.stages)

    @property
    def length(self) -> float:
        """Seconds that it lasts at least."""
        return self.profile.length

    def to_message(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"arrival": str(self.arrival)}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_message`."""
        stages = tuple(Stage(*stage) for stage in message["stages"])
        return cls(
            **{**message, "arrival": Arrival(message["arrival"]), "stages": stages}
            | {"workers": tuple(message["workers"])}
        )
