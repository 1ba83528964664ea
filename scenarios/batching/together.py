"""Requests at the same time, and what the server's metrics say of them."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from harness.client import Client, GrpcClient, Prediction, Refusal, RestClient
from harness.player import Player
from harness.terms import Array, Protocol, Tensors

T = TypeVar("T")


class Reply(NamedTuple):
    """How a request ended, and how many seconds that took."""

    outcome: Prediction | Refusal
    seconds: float

    @property
    def lone_output(self) -> Array | None:
        """The only output of a success."""
        if isinstance(self.outcome, Refusal):
            return None
        (output,) = self.outcome.outputs.values()
        return output

    def __str__(self) -> str:
        output = self.outcome if isinstance(self.outcome, Refusal) else self.lone_output
        return f"{output} after {self.seconds:.3f} s"


class Ask(NamedTuple):
    """A request to ``model``."""

    model: str
    inputs: Tensors
    signature: str | None = None


def together(player: Player, protocol: Protocol, asks: Sequence[Ask], *, apart: float = 0.0) -> list[Reply]:
    """Send requests at the same time, each over a connection of its own, or ``apart`` seconds one by one."""
    clients = [connect(player, protocol) for _ in asks]
    for client, question in zip(clients, asks, strict=True):
        with contextlib.suppress(Refusal):
            client.status(question.model)  # connects
    gate = threading.Barrier(len(asks))

    def ask(place: int) -> Reply:
        gate.wait()
        time.sleep(place * apart)
        client, question = clients[place], asks[place]
        begun = time.monotonic()
        outcome: Prediction | Refusal
        try:
            outcome = client.predict(question.model, question.inputs, signature=question.signature)
        except Refusal as refusal:
            outcome = refusal
        return Reply(outcome, time.monotonic() - begun)

    try:
        with ThreadPoolExecutor(len(asks)) as pool:
            return list(pool.map(ask, range(len(asks))))
    finally:
        for client in clients:
            client.close()


def until(look: Callable[[], T], good: Callable[[T], bool], tries: int = 3) -> T:
    """Look again where chance may have kept requests apart: what comes last counts."""
    found = look()
    while not good(found) and tries > 1:
        found, tries = look(), tries - 1
    return found


def connect(player: Player, protocol: Protocol) -> Client:
    """A client of its own for the player's server."""
    address = player.address(protocol)
    return RestClient(address) if protocol is Protocol.REST else GrpcClient(address)


def metric(player: Player, name: str) -> float:
    """The number of a metric, all its lines added up; needs REST."""
    client = player.client(Protocol.REST)
    assert isinstance(client, RestClient)
    page = client.exchange("GET", "/monitoring/prometheus/metrics").body.decode()
    values = re.findall(rf"(?m)^{re.escape(name)}(?:{{.*}})? (\S+)$", page)
    return sum(map(float, values))
