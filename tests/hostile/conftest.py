from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from harness import targets
from harness.client import GrpcClient, RestClient
from harness.player import Player
from harness.scenario import Scenario, Step
from harness.targets.process import LaunchedProcess
from harness.terms import Model, Protocol

#: What a campaign may add to the resident memory, in bytes: allocators keep some of what they once had.
MEMORY = 48 << 20
#: Seconds until connections that were given up must be closed.
PATIENCE = 10.0

_SCENARIO = Scenario(
    id="hostile",
    title="A server under attack",
    models=(
        Model("m", "half_plus_two"),  # y = x / 2 + 2
        Model("echo", "echo"),
        Model("two", "two_in_two_out"),
        Model("examples", "examples"),
    ),
    steps=(Step("start", "Every configured model is served."),),
)


class Server:
    """The server under attack."""

    def __init__(self, player: Player) -> None:
        rest, grpc = player.client(Protocol.REST), player.client(Protocol.GRPC)
        assert isinstance(rest, RestClient)
        assert isinstance(grpc, GrpcClient)
        assert isinstance(player.server, LaunchedProcess)
        self.rest, self.grpc = rest, grpc
        self.pid = player.server.pid

    def must_be_well(self) -> None:
        """A good request is answered rightly over both protocols."""
        for client in (self.rest, self.grpc):
            outputs = client.predict("m", {"x": np.array([3], np.float32)}).outputs
            assert [array.tolist() for array in outputs.values()] == [[3.5]]


class Held(NamedTuple):
    """What a process holds: bytes of resident memory, threads, open files."""

    memory: int
    threads: int
    files: int


def held(pid: int) -> Held:
    process = Path("/proc", str(pid))
    pages = int((process / "statm").read_text().split()[1])
    return Held(pages * 4096, len(list((process / "task").iterdir())), len(list((process / "fd").iterdir())))


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    player = Player(_SCENARIO, targets.parse("reference"), tuple(Protocol))
    try:
        player.reach(0)
        server = Server(player)
        _warm_up(server)
        yield server
    finally:
        player.close()


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The server; after the test it must be well, and hold no more than before."""
    before = held(shared_server.pid)
    yield shared_server
    shared_server.must_be_well()
    end = time.monotonic() + PATIENCE
    while held(shared_server.pid).files > before.files and time.monotonic() < end:
        time.sleep(0.05)
    after = held(shared_server.pid)
    assert after.files <= before.files
    assert after.threads <= before.threads
    assert after.memory <= before.memory + MEMORY


def _warm_up(server: Server) -> None:
    """Have all pools of threads and memory filled that good requests fill."""
    values = {"x": np.arange(1 << 18, dtype=np.float32)}

    def ask(protocol: Protocol) -> None:
        if protocol is Protocol.GRPC:
            server.grpc.predict("m", values)
            return
        with contextlib.closing(RestClient(server.rest.address)) as client:
            client.predict("m", values)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, list(Protocol) * 32))
