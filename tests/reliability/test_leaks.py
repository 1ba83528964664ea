"""A version that cannot be loaded is tried a hundred times: nothing may pile up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import numpy as np
import pytest

from harness import warmup
from harness.actions import Publish
from harness.scenario import Scenario, Step
from harness.targets.process import ProcessServer
from harness.terms import Files, Model, State
from tests.reliability.observing import counter, footprint, rest, states, until

ATTEMPTS = 100
#: Attempts after which everything that is made once has been made.
SETTLED = 25
#: Kilobytes by which memory may grow with each attempt, on average.
SLOPE_KB = 100.0

#: What is wrong with the version: caught early, while variables are read, and when all is loaded.
BROKEN: dict[str, Files] = {
    "no graph in it": {"saved_model.pb": b"\0\1no protobuf"},
    "a shard is missing": {"variables/variables.data-00000-of-00001": None},
    "its warm-up fails": {
        warmup.PATH: warmup.records([warmup.predict_log("m", {"nobody": np.array([1.0], np.float32)})])
    },
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_hundred_failed_loads(
    damage: str, serve: Callable[[Scenario], ProcessServer], figure: Callable[..., None]
) -> None:
    broken = Publish("m", 2, contents=1, files=BROKEN[damage])
    server = serve(
        Scenario(
            id="leaks",
            title="A version that cannot be loaded",
            models=(Model("m", "half_plus_two"),),
            steps=(Step("broken", "A version is tried again and again.", (broken,)),),
            flags={
                "max_num_load_retries": ATTEMPTS - 1,
                "load_retry_interval_micros": 10_000,
                "monitoring_config_file": "$FILES/monitoring.config",
            },
            files={"monitoring.config": "prometheus_config { enable: true }"},
        )
    )
    with contextlib.closing(rest(server)) as client:

        def attempts() -> float:
            return counter(client, ":tensorflow:cc:saved_model:load_attempt_count", "/m/2")

        server.repository.apply(broken)
        until(lambda: attempts() >= SETTLED)
        before, samples = footprint(server.pid), []
        while states(client, "m").get(2) is not State.END:
            samples.append((attempts(), footprint(server.pid).megabytes))
            time.sleep(0.02)
        after = footprint(server.pid)
        assert attempts() == ATTEMPTS
        assert states(client, "m") == {2: State.END, 1: State.AVAILABLE}
    slope_kb = 1000 * float(np.polyfit(*zip(*samples, strict=True), 1)[0])
    figure(
        f"{ATTEMPTS} failed loads, {damage}",
        f"{slope_kb:.1f} kB a load, threads {before.threads} -> {after.threads}, "
        f"file handles {before.descriptors} -> {after.descriptors}",
    )
    assert after.threads <= before.threads
    assert after.descriptors <= before.descriptors
    assert slope_kb < SLOPE_KB
