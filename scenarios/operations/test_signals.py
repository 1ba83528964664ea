"""Checks of what signals do.

TensorFlow Serving handles no signal but SIGPIPE, so SIGTERM and SIGINT kill it at once, whatever is in
flight. A server that first answers what it has begun is as right: it must end by the same signal.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from harness import starting
from harness.client import Client, GrpcClient, Refusal, RestClient, Unreachable
from harness.startup import ONE_MODEL, Serves, StartUp, Waits
from harness.targets import Launched
from harness.terms import Code, Model
from harness.verdict import Mismatch

Launch = Callable[[StartUp], Launched]

#: Seconds until a signal must have ended a server that has nothing to do, and one that answers first.
IDLE_PATIENCE = 5.0
BUSY_PATIENCE = 30.0

IDLE = StartUp("idle", "A server runs until a signal ends it.", ONE_MODEL, Serves(), facts=())
STARTING = StartUp(
    "starting",
    "A server waits for the first version of its model.",
    ONE_MODEL,
    Waits(1.0),
    models=(Model("m", "half_plus_two", versions=()),),
    facts=(),
)
BUSY = StartUp(
    "busy", "A server answers slowly.", ONE_MODEL, Serves(), models=(Model("m", "slow"),), facts=()
)


def expect_end_by(launched: Launched, number: signal.Signals, patience: float) -> None:
    """Check that the process ends by the signal that it was sent."""
    status = launched.exit_status(patience)
    if status != -number:
        actual = f"still running after {patience:g} s" if status is None else f"exit status {status}"
        raise Mismatch(f"the end by {number.name}, which a shell shows as {128 + number}", actual)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.fact("3.9.4", "CLI-19")),
        pytest.param(signal.SIGINT, marks=pytest.mark.fact("3.9.4", "CLI-19")),
        pytest.param(signal.SIGHUP, marks=pytest.mark.fact("3.9.4", level="QUIRK")),
        pytest.param(signal.SIGQUIT, marks=pytest.mark.fact("3.9.4", level="QUIRK")),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.fact("3.9.4", level="QUIRK")),
    ],
    ids=lambda number: number.name,
)
def test_signal_ends_an_idle_server(launch: Launch, number: signal.Signals) -> None:
    """An idle server ends at once by the signal that it is sent; its exit status tells which."""
    launched = launch(IDLE)
    starting.play(IDLE, launched)
    launched.signal(number)
    expect_end_by(launched, number, IDLE_PATIENCE)


@pytest.mark.fact("10.6", "3.9.4", level="QUIRK")
def test_sigpipe_is_ignored(launch: Launch) -> None:
    """SIGPIPE does nothing: clients may hang up when they like."""
    launched = launch(IDLE)
    starting.play(IDLE, launched)
    launched.signal(signal.SIGPIPE)
    status = launched.exit_status(0.5)
    if status is not None:
        raise Mismatch("a running server", f"exit status {status}")
    starting.play(IDLE, launched)


@pytest.mark.fact("3.9.4", "CLI-19")
def test_signal_before_the_models_are_up(launch: Launch) -> None:
    """A server that still waits for its models ends at once as well."""
    launched = launch(STARTING)
    starting.play(STARTING, launched)
    launched.signal(signal.SIGTERM)
    expect_end_by(launched, signal.SIGTERM, IDLE_PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.fact("3.9.4", "CLI-19")
def test_signal_while_busy(launch: Launch, number: signal.Signals) -> None:
    """Requests in flight are answered rightly or lose their connection; the server ends by the signal.

    TensorFlow Serving loses them, within milliseconds. A server that answers them first is right as well.
    """
    launched = launch(BUSY)
    starting.play(BUSY, launched)
    rest, grpc = launched.addresses
    assert rest is not None
    assert grpc is not None
    with ThreadPoolExecutor() as pool:
        flying = [pool.submit(ask_slowly, client) for client in (RestClient(rest), GrpcClient(grpc))]
        await_in_flight(launched, len(flying))
        launched.signal(number)
        expect_end_by(launched, number, BUSY_PATIENCE)
        for request in flying:
            expect_answer_or_loss(request)


def ask_slowly(client: Client) -> list[int]:
    """The answer to a request that takes longer than a signal."""
    with contextlib.closing(client):
        answer = client.predict("m", {"ms": np.array([1500.0], np.float32)})
    (numbers,) = answer.outputs.values()
    return [int(number) for number in numbers]


def await_in_flight(launched: Launched, count: int) -> None:
    """Give ``count`` requests the time to arrive: a request that comes after them has been answered."""
    for _ in range(count):
        starting.play(BUSY, launched)
    threading.Event().wait(0.2)


def expect_answer_or_loss(request: Future[list[int]]) -> None:
    """Check that a request was answered rightly or not at all."""
    try:
        numbers = request.result()
    except Unreachable:
        return
    except Refusal as refusal:
        if refusal.code is Code.UNAVAILABLE:
            return
        raise Mismatch("an answer, or a lost connection", str(refusal)) from refusal
    if numbers != [1]:
        raise Mismatch("the answer [1], or a lost connection", str(numbers))
