"""The reference server under stress."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.models import cache
from harness.player import contents_needed
from harness.scenario import Scenario
from harness.targets import process
from harness.targets.process import ProcessServer

#: Megabytes of weights in the heavy model.
WEIGHTS_MB = 100


@pytest.fixture
def serve() -> Iterator[Callable[[Scenario], ProcessServer]]:
    """Starts the reference server for a scenario."""
    servers: list[ProcessServer] = []

    def start(scenario: Scenario) -> ProcessServer:
        cache.prepare(contents_needed(scenario))
        servers.append(process.reference().start(scenario))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def heavy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel with ``WEIGHTS_MB`` of weights in four pieces: ``y = x + 4``."""
    path = tmp_path_factory.mktemp("heavy") / "model"
    program = f"""
        import tensorflow as tf

        module = tf.Module()
        module.pieces = [tf.Variable(tf.ones([{WEIGHTS_MB} * 1000 * 1000 // 16])) for _ in range(4)]

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def serve(x):
            return {{"y": x + tf.add_n([piece[0] for piece in module.pieces])}}

        tf.saved_model.save(module, {str(path)!r}, signatures=serve)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], check=True, capture_output=True, timeout=120
    )
    return path
