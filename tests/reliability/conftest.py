"""The reference server under stress. What is measured is shown at the end of the run."""

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

_FIGURES = pytest.StashKey[list[str]]()
#: Megabytes of weights in the heavy model.
WEIGHTS_MB = 100


@pytest.fixture
def figure(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[..., None]:
    """Notes a measured figure: ``figure("swaps", 100)``."""
    figures = request.config.stash.setdefault(_FIGURES, [])

    def note(name: str, value: object) -> None:
        record_property(name, value)
        figures.append(f"{name}: {value}")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = terminalreporter.config.stash.get(_FIGURES, [])
    if figures:
        terminalreporter.section("reliability")
        for line in figures:
            terminalreporter.line(line)


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
