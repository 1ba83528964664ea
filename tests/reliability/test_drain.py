"""Requests that are running when their version is withdrawn are answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from harness.client import GrpcClient, RestClient
from harness.scenario import Scenario
from harness.targets.process import ProcessServer
from harness.terms import Model, State
from tests.reliability.observing import grpc, rest, states, until

SCENARIO = Scenario("drain", "A slow model", models=(Model("slow", "slow"),), steps=())
#: Longer than the server takes to notice that the version is gone.
SECONDS = 3.0


def ask(client: GrpcClient | RestClient) -> tuple[int, float, float]:
    """The answer of a slow request, when it was asked, and when the answer came."""
    asked = time.monotonic()
    answer = client.predict("slow", {"ms": np.array([SECONDS * 1000], np.float32)})
    (output,) = answer.outputs.values()
    return int(output[0]), asked, time.monotonic()


def test_requests_in_flight_are_answered(
    serve: Callable[[Scenario], ProcessServer], figure: Callable[..., None]
) -> None:
    server = serve(SCENARIO)
    watching, clients = rest(server), (rest(server), grpc(server))
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(ask, client) for client in clients]
        time.sleep(0.3)  # nothing tells from outside that a request has begun to run
        server.repository.withdraw("slow", 1)
        withdrawn = time.monotonic()
        until(lambda: states(watching, "slow") == {1: State.UNLOADING})
        noticed = time.monotonic()
        assert not any(request.done() for request in running)
        until(lambda: states(watching, "slow") == {1: State.END})
        ended = time.monotonic()
        answers = [request.result(timeout=1) for request in running]
    for client in (watching, *clients):
        client.close()
    assert [version for version, _, _ in answers] == [1, 1]
    # Not by when an answer came: that clock is read late where threads wait for a processor.
    assert ended > max(asked for _, asked, _ in answers) + SECONDS
    last = max(came for _, _, came in answers)
    figure("withdrawal noticed after", f"{noticed - withdrawn:.2f} s")
    figure("END after the last answer in flight", f"{(ended - last) * 1000:.0f} ms")
