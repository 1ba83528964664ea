"""Checks of flags, ports and log lines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pytest

from harness import starting
from harness.client import GrpcClient, Refusal, RestClient
from harness.models.graph_mode import GPU_SHIFT
from harness.startup import ONE_MODEL, M, Serves, StartUp, Waits
from harness.targets import Launched
from harness.terms import Model, Protocol
from harness.verdict import Mismatch
from scenarios.operations.flags import GPU_TAGS, PLATFORM_CONFIG, START_UPS

Launch = Callable[[StartUp], Launched]


@pytest.mark.start_ups(START_UPS)
def test_flag(start_up: Callable[[], None]) -> None:
    """Starts a server and looks what becomes of it."""
    start_up()


def expect_gpu_edition(launched: Launched) -> None:
    """Check that the graph tagged ``serve`` and ``gpu`` answers."""
    starting.await_serving(launched)
    address = launched.addresses.grpc
    assert address is not None
    with contextlib.closing(GrpcClient(address)) as client:
        outputs = client.predict("m", {"x": np.array([2.0], np.float32)}).outputs
    expected = 2.0 / 2 + 2 + GPU_SHIFT
    if outputs["y"].tolist() != [expected]:
        raise Mismatch(f"y = [{expected}], from the graph with the tags serve and gpu", str(outputs))


@pytest.mark.fact("1.2", "11.2", "CLI-17", protocol=Protocol.GRPC)
def test_two_tags(launch: Launch) -> None:
    """A list of tags, in any order, picks the graph that has just these."""
    expect_gpu_edition(launch(GPU_TAGS))


@pytest.mark.fact("1.2", "X-11", level="UNVERIFIED", protocol=Protocol.GRPC)
def test_platform_config(launch: Launch) -> None:
    """A platform configuration replaces the flags for batching, sessions, tags and warm-up."""
    expect_gpu_edition(launch(PLATFORM_CONFIG))


EMPTY = StartUp(
    "empty",
    "A server whose model has no version yet waits, with closed ports.",
    (*ONE_MODEL[:2], "--model_name=late", "--model_base_path=$MODELS/late"),
    Waits(1.5, log="No versions of servable late found under base path $MODELS/late."),
    # The second model is there to be copied; the server is not told of it.
    models=(Model("late", "half_plus_two", versions=()), M),
    facts=(),
)


@pytest.mark.fact("1.3.7", "3.3.1", "3.3.2", "CLI-14")
def test_ports_open_when_the_models_are_up(launch: Launch) -> None:
    """Neither port is open before every model has a version that answers."""
    launched = launch(EMPTY)
    starting.play(EMPTY, launched)
    launched.repository.publish("late", 1)
    starting.await_serving(launched, model="late")


SERVED = StartUp("served", "A server serves a model.", ONE_MODEL, Serves(), facts=())


@pytest.mark.fact("10.7", level="QUIRK")
def test_failed_requests_are_not_logged(launch: Launch) -> None:
    """A request that is refused leaves no line in the log, over either protocol."""
    launched = launch(SERVED)
    starting.play(SERVED, launched)
    before = launched.stderr()
    rest, grpc = launched.addresses
    assert rest is not None
    assert grpc is not None
    for client in (RestClient(rest), GrpcClient(grpc)):
        with contextlib.closing(client), contextlib.suppress(Refusal):
            client.predict("nobody", {"x": np.array([2.0], np.float32)})
    starting.play(SERVED, launched)  # what would be logged is, once later requests have been answered
    added = launched.stderr().removeprefix(before)
    if "nobody" in added:
        raise Mismatch("no line about the request", added)
