"""A server that was killed serves the same after a restart, at once and on the same ports."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.client import Unreachable
from harness.scenario import Scenario
from harness.targets.process import ProcessServer
from harness.terms import All, Model, Specific, State
from tests.reliability.observing import grpc, rest, states, until

SCENARIO = Scenario(
    id="restart",
    title="Versions under all policies",
    models=(
        Model("latest", "half_plus_two", versions=(1, 3)),
        Model("every", "half_plus_two", versions=(1, 2), policy=All(), offset=10),
        Model("chosen", "half_plus_two", versions=(1, 2, 3), policy=Specific((2,)), offset=20),
    ),
    steps=(),
)
SERVED = {"latest": {3}, "every": {1, 2}, "chosen": {2}}


def expect_all_served(server: ProcessServer) -> None:
    with contextlib.closing(grpc(server)) as client:
        for model in SCENARIO.models:
            wanted = dict.fromkeys(SERVED[model.name], State.AVAILABLE)
            until(lambda model=model, wanted=wanted: states(client, model.name) == wanted)
            for version in SERVED[model.name]:
                answer = client.predict(model.name, {"x": np.array([2], np.float32)}, version=version)
                assert answer.outputs["y"].tolist() == [1 + 2 * model.contents(version)]


def reachable(server: ProcessServer) -> bool:
    with contextlib.closing(rest(server)) as client:
        try:
            client.status("latest")
        except Unreachable:
            return False
    return True


def test_kill_and_restart(serve: Callable[[Scenario], ProcessServer], figure: Callable[..., None]) -> None:
    server = serve(SCENARIO)
    expect_all_served(server)
    server.signal(signal.SIGKILL)
    assert server.exit_status(10) == -signal.SIGKILL
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    start = time.monotonic()
    again = subprocess.Popen(
        server.command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: reachable(server))
        figure("restart to first answer", f"{time.monotonic() - start:.2f} s")
        expect_all_served(server)
        again.terminate()
        assert again.wait(30) == -signal.SIGTERM
    finally:
        again.kill()
        again.wait()
