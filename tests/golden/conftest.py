from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import ChainMap
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest

from harness import starting, targets
from harness.client import GrpcClient
from harness.models import cache
from harness.scenario import Protocol
from tests.golden.recordings import Play, Record
from tests.golden.replay import Difference, grpc_difference, rest_difference
from tests.golden.setups import SETUPS

#: Groups of recordings that are played side by side: most of the time is spent waiting for nothing.
_SIDE_BY_SIDE = 8


class Replays:
    """Plays recordings on the reference server, once and all of one server in one go."""

    def __init__(self, models: Path) -> None:
        self._models = str(models)
        self._target = targets.parse("reference")
        self._results: dict[tuple[str, Protocol], dict[str, Difference | None]] = {}

    def difference(self, play: Play, record: Record) -> Difference | None:
        key = play.server, play.protocol
        if key not in self._results:
            self._results[key] = self._play(play)
        return self._results[key][record["id"]]

    def _play(self, play: Play) -> dict[str, Difference | None]:
        start_up = SETUPS[play.server].start_up(self._models)
        launched = self._target.launch(start_up)
        try:
            rest, grpc = launched.addresses
            assert rest is not None
            assert grpc is not None
            self._await_ports(launched, rest, grpc)

            def run(group: list[Record]) -> dict[str, Difference | None]:
                if play.protocol is Protocol.REST:
                    return {record["id"]: rest_difference(record, rest) for record in group}
                with contextlib.closing(GrpcClient(grpc)) as client:
                    return {record["id"]: grpc_difference(record, client) for record in group}

            with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
                groups = list(pool.map(run, play.groups.values()))
            return dict(ChainMap(*groups))
        finally:
            launched.stop()

    def _await_ports(self, launched: targets.Launched, *addresses: str) -> None:
        """Wait without a request: the server counts them."""
        end = time.monotonic() + starting.DEADLINE
        while not all(map(starting.listens, addresses)):
            assert launched.exit_status() is None, launched.logs()
            assert time.monotonic() < end, launched.logs()
            time.sleep(0.02)


@pytest.fixture(scope="session")
def golden_models() -> Path:
    """The recorded models, built once for each TensorFlow."""
    script = Path(__file__).with_name("models.py")
    key = sha256(script.read_bytes() + metadata.version("tensorflow").encode()).hexdigest()[:16]
    models = cache.root() / f"golden-{key}"
    if models.exists():
        return models
    cache.root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.root(), prefix=".building-") as scratch:
        built = Path(scratch, "models")
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        environment["PYTHONPATH"] = str(script.parents[2])
        subprocess.run(
            [sys.executable, str(script), str(built)],
            check=True,
            timeout=300,
            env=environment,
            capture_output=True,
        )
        # Another run may have been faster; a rename onto its folder fails.
        with contextlib.suppress(OSError):
            built.rename(models)
    return models


@pytest.fixture(scope="session")
def replays(golden_models: Path) -> Replays:
    return Replays(golden_models)
