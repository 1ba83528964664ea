"""A hundred versions replace each other under constant traffic, and no client notices."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable

import numpy as np

from harness.client import GrpcClient, RestClient
from harness.scenario import Scenario
from harness.targets.process import ProcessServer
from harness.terms import Model, State
from tests.reliability.observing import grpc, rest, states, until

#: The disk is looked at once a second, so versions are swapped in many models at a time.
MODELS, ROUNDS = 10, 10
#: Models are told apart by what they hold: every other one 1000 more.
STEPS = (0, 1000)

SCENARIO = Scenario(
    id="swaps",
    title="Many versions replace each other",
    models=tuple(Model(f"m{place}", "half_plus_two", offset=STEPS[place % 2]) for place in range(MODELS)),
    steps=(),
)


class Traffic:
    """Asks all models in turn, in a thread, and checks every answer."""

    def __init__(self, client: GrpcClient | RestClient) -> None:
        self.answered = 0
        self.slowest_s = 0.0
        self.wrong: list[str] = []
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _work(self) -> None:
        newest = [1] * MODELS
        for number in itertools.count():
            if self._stop.is_set():
                return
            place = number % MODELS
            start = time.monotonic()
            try:
                newest[place] = self._ask(place, float(number % 100), newest[place])
            except Exception as error:  # whatever a client sees must not be there
                self.wrong.append(f"m{place}: {error!r}")
            self.slowest_s = max(self.slowest_s, time.monotonic() - start)
            self.answered += 1

    def _ask(self, place: int, x: float, newest: int) -> int:
        """The version that answered; it may not be older than the one before."""
        answer = self._client.predict(f"m{place}", {"x": np.array([x], np.float32)})
        (output,) = answer.outputs.values()
        contents = (float(output[0]) - x / 2) / 2
        version = contents - STEPS[place % 2]
        if version not in range(newest, ROUNDS + 2):
            raise AssertionError(f"{output} for {x}: version {version} after version {newest}")
        if answer.version not in (None, version):
            raise AssertionError(f"answer of version {version}, said to come from {answer.version}")
        return int(version)


def test_a_hundred_swaps_under_traffic(
    serve: Callable[[Scenario], ProcessServer], figure: Callable[..., None]
) -> None:
    server = serve(SCENARIO)
    build_ahead()
    traffic = [Traffic(client) for client in (rest(server), grpc(server))]
    start = time.monotonic()
    try:
        with contextlib.closing(grpc(server)) as watching:
            for version in range(2, ROUNDS + 2):
                for model in SCENARIO.models:
                    server.repository.publish(model.name, version)
                for model in SCENARIO.models:
                    until(lambda model=model, version=version: swapped(watching, model.name, version))
                for model in SCENARIO.models:
                    server.repository.withdraw(model.name, version - 1)
    finally:
        for stream in traffic:
            stream.stop()
    seconds = time.monotonic() - start
    answered = sum(stream.answered for stream in traffic)
    wrong = [text for stream in traffic for text in stream.wrong]
    figure("version swaps under traffic", MODELS * ROUNDS)
    figure("replies meanwhile", f"{answered} in {seconds:.0f} s, {len(wrong)} failed or wrong")
    figure("slowest reply", f"{max(stream.slowest_s for stream in traffic) * 1000:.0f} ms")
    assert not wrong, wrong[:5]
    assert answered > 100 * seconds, "too little traffic to tell"


def swapped(client: GrpcClient, model: str, version: int) -> bool:
    seen = states(client, model)
    return seen.get(version) is State.AVAILABLE and seen.get(version - 1) is State.END


def build_ahead() -> None:
    """Export all versions now: importing TensorFlow takes long, and the processor away."""
    from harness.models import BUILDERS, cache

    builder = BUILDERS["half_plus_two"]
    cache.prepare(
        (builder, model.contents(version)) for model in SCENARIO.models for version in range(1, ROUNDS + 2)
    )
