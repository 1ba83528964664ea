"""The generator's own ceiling: how much load it can make here at all.

Before a run, every process that makes load sends the run's own requests to a null server on its own
machine, along the very path that the run takes: picking, sending, checking, counting. What comes out is
the ceiling; figures taken close to it would be the generator's, not the server's.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Self

from harness.loadgen import null_server
from harness.loadgen.plan import Plan
from harness.terms import Protocol

#: The part of the ceiling up to which a result is the server's.
SAFE = 0.70
#: Users that look for the ceiling, and seconds that they and then a single one get.
USERS, BUSY_SECONDS, SINGLE_SECONDS = 16, 1.0, 0.3


class NullServer:
    """A null server process; ends with this object, or with this process at the latest.

    ``replies`` are what it answers with, see :mod:`harness.loadgen.null_server`.
    """

    def __init__(self, replies: Sequence[bytes], freeze: Mapping[str, float] | None = None) -> None:
        given: dict[str, Any] = {"replies": [base64.b64encode(reply).decode() for reply in replies]}
        if freeze is not None:
            given["freeze"] = dict(freeze)
        self._process = subprocess.Popen(
            [sys.executable, "-m", null_server.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the generator, which then closes the pipe.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()
        ports = self._process.stdout.readline().split()
        if len(ports) != 2:
            raise RuntimeError(f"the null server ended with exit code {self._process.wait()}")
        #: Where it listens, by protocol.
        self.addresses = {
            str(protocol): f"127.0.0.1:{port}"
            for protocol, port in zip((Protocol.REST, Protocol.GRPC), ports, strict=True)
        }

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Ceiling(NamedTuple):
    """What was measured for one protocol: most requests/s, and the median latency of a single user."""

    per_s: float
    p50_us: float


def reply_header(number: int) -> dict[str, str]:
    """What makes the null server answer request ``number`` of the plan with that request's right reply."""
    return {null_server.REPLY_HEADER: str(number)}


def protocols(plan: Plan) -> dict[Protocol, float]:
    """The share of the plan's requests that goes over each protocol."""
    shares: dict[Protocol, float] = {}
    for request in plan.requests:
        shares[request.protocol] = shares.get(request.protocol, 0.0) + request.weight
    whole = sum(shares.values())
    return {protocol: share / whole for protocol, share in sorted(shares.items())}


def ceiling_of_mix(shares: Mapping[Protocol, float], ceilings: Mapping[Protocol, float]) -> float:
    """Requests/s that the generator can make at most of a mix: the times for each kind add up."""
    return 1 / sum(share / ceilings[protocol] for protocol, share in shares.items())


def add_up(reports: Sequence[Mapping[str, Sequence[float]]]) -> dict[Protocol, Ceiling]:
    """Ceilings of several processes that measured at the same time, as one; the slowest median counts."""
    return {
        Protocol(name): Ceiling(
            sum(report[name][0] for report in reports), max(report[name][1] for report in reports)
        )
        for name in reports[0]
    }
