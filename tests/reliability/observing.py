"""What a server process looks like from outside, and waiting for it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.client import GrpcClient, RestClient
from harness.targets.process import LaunchedProcess
from harness.terms import State

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Footprint(NamedTuple):
    """Threads, open file descriptors, and resident memory in megabytes."""

    threads: int
    descriptors: int
    megabytes: float


def footprint(pid: int) -> Footprint:
    """What the process holds now."""
    folder = Path("/proc", str(pid))
    resident = int((folder / "statm").read_text().split()[1]) * _PAGE
    return Footprint(
        len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir())), resident / 1e6
    )


def until(holds: Callable[[], bool], seconds: float = 30.0, pause: float = 0.02) -> None:
    """Wait until ``holds``; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(pause)


def rest(server: LaunchedProcess) -> RestClient:
    """A REST client for ``server``."""
    assert server.addresses.rest is not None
    return RestClient(server.addresses.rest)


def grpc(server: LaunchedProcess) -> GrpcClient:
    """A gRPC client for ``server``."""
    assert server.addresses.grpc is not None
    return GrpcClient(server.addresses.grpc)


def states(client: GrpcClient | RestClient, model: str) -> dict[int, State]:
    """States of a model's versions."""
    return {entry.version: entry.state for entry in client.status(model)}


def counter(client: RestClient, name: str, labels: str = "") -> float:
    """The sum of a metric's lines whose labels hold ``labels``."""
    page = client.exchange("GET", "/monitoring/prometheus/metrics").body.decode()
    lines = re.findall(rf"(?m)^{re.escape(name)}{{(.*)}} (\S+)$", page)
    return sum(float(value) for found, value in lines if labels in found)
