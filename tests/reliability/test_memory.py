"""A model that is unloaded gives its memory back."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.scenario import Scenario
from harness.targets.process import ProcessServer
from harness.terms import Model, State
from tests.reliability.conftest import WEIGHTS_MB
from tests.reliability.observing import footprint, grpc, states, until

SCENARIO = Scenario(
    id="memory",
    title="A heavy model comes and goes",
    models=(Model("heavy", "half_plus_two"), Model("other", "half_plus_two")),
    steps=(),
)
ROUNDS = 4


#: However often a model comes and goes, what is kept is at most one model and a few pages.
KEPT_AT_MOST = 1.2
#: The switch of TensorFlow's own allocator, and the part of a model that at least one unload must get below.
#: What that allocator keeps is used for the next model; glibc alone keeps a few blocks, now more, now fewer.
ALLOCATORS = {"as shipped": ("1", KEPT_AT_MOST), "without oneDNN": ("0", 0.6)}


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_unload_returns_memory(
    allocator: str,
    serve: Callable[[Scenario], ProcessServer],
    heavy_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[..., None],
) -> None:
    switch, least = ALLOCATORS[allocator]
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", switch)
    server = serve(SCENARIO)
    base = server.repository.base("heavy")
    before = footprint(server.pid).megabytes
    loaded, unloaded = [], []
    with contextlib.closing(grpc(server)) as client:
        for version in range(2, ROUNDS + 2):
            shutil.copytree(heavy_model, base / "coming")
            (base / "coming").rename(base / str(version))
            until(lambda version=version: states(client, "heavy").get(version) is State.AVAILABLE)
            answer = client.predict("heavy", {"x": np.array([1], np.float32)}, version=version)
            assert answer.outputs["y"].tolist() == [5]
            loaded.append(footprint(server.pid).megabytes - before)
            server.repository.withdraw("heavy", version)
            until(lambda version=version: states(client, "heavy").get(version) is State.END)
            unloaded.append(footprint(server.pid).megabytes - before)
    figure(
        f"model of {WEIGHTS_MB} MB, TensorFlow {allocator}",
        f"{loaded[0]:.0f} MB when loaded; kept after each of {ROUNDS} unloads: "
        + ", ".join(f"{megabytes:.0f} MB" for megabytes in unloaded),
    )
    assert loaded[0] > 0.9 * WEIGHTS_MB
    assert max(unloaded) < KEPT_AT_MOST * WEIGHTS_MB
    assert min(unloaded) < least * WEIGHTS_MB
