"""The part of the pytest plugin that plays start-ups (:mod:`harness.startup`).

A test with the mark ``@pytest.mark.start_ups(START_UPS)`` that takes ``start_up`` runs once for each of
them. A test that takes ``launch`` starts servers itself, and says with ``@pytest.mark.fact(...)`` what it
verifies.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

import pytest

from harness import models, starting
from harness.client import Exchange
from harness.models import cache
from harness.startup import StartUp
from harness.targets import Launched, Target

_LAUNCHER = pytest.StashKey["Launcher"]()


class Launcher:
    """Starts servers for one run of pytest, one at a time; ``evidence`` holds the exchanges of a test."""

    def __init__(self, target: Target, say: Callable[[str], None]) -> None:
        self.evidence: list[Exchange] = []
        self.running: tuple[StartUp, Launched] | None = None
        self._target = target
        self._say = say
        self._known: list[StartUp] = []

    def expect(self, start_ups: Iterable[StartUp]) -> None:
        """Name start-ups that will come, so that their models are built in one go."""
        self._known.extend(start_ups)

    def launch(self, start_up: StartUp) -> Launched:
        """A server started so; one that runs already is kept. Raises Unsupported, BuildError."""
        if self.running is not None and self.running[0] is start_up and self.running[1].exit_status() is None:
            return self.running[1]
        self.close()
        cache.prepare(
            (
                (models.BUILDERS[model.builder], model.contents(version))
                for known in (start_up, *self._known)
                for model in known.models
                for version in model.versions
            ),
            self._say,
        )
        launched = self._target.launch(start_up)
        self.running = start_up, launched
        return launched

    def close(self) -> None:
        """Stop the server that runs."""
        if self.running is not None:
            self.running[1].stop()
            self.running = None

    def recipe(self, item: pytest.Item) -> str:
        """What shows a test's failure again: the test itself, and by hand the command and its files."""
        lines = [f"python -m pytest {shlex.quote(item.nodeid)} --target {shlex.quote(self._target.spec)}"]
        if self.running is not None:
            start_up = self.running[0]
            lines.append(f"# by hand: tensorflow_model_server {shlex.join(start_up.arguments)}")
            lines += [f"# where $FILES/{name} holds: {text}" for name, text in start_up.files.items()]
        return "\n".join(lines)


def register(config: pytest.Config, launcher: Launcher) -> None:
    """Add the mark and the launcher to a run of pytest."""
    config.addinivalue_line(
        "markers", "start_ups(start_ups): the start-ups that the test plays, one test each"
    )
    use(config, launcher)


def use(config: pytest.Config, launcher: Launcher) -> None:
    """Make a launcher the one that tests start servers with."""
    config.stash[_LAUNCHER] = launcher


def of(item: pytest.Item) -> Launcher:
    """The launcher of an item's run."""
    return item.config.stash[_LAUNCHER]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each start-up of the mark."""
    if "start_up" not in metafunc.fixturenames:
        return
    start_ups = [
        pytest.param(start_up, id=start_up.id, marks=pytest.mark.fact(*start_up.facts, level=start_up.level))
        for mark in metafunc.definition.iter_markers("start_ups")
        for start_up in mark.args[0]
    ]
    metafunc.parametrize("start_up", start_ups, indirect=True)


@pytest.fixture
def launch(request: pytest.FixtureRequest) -> Callable[[StartUp], Launched]:
    """Starts a server: ``launch(START_UP)``. It is kept for the next test that starts the same one."""
    launcher = of(request.node)
    launcher.evidence.clear()
    return launcher.launch


@pytest.fixture
def start_up(request: pytest.FixtureRequest, launch: Callable[[StartUp], Launched]) -> Callable[[], None]:
    """Plays a start-up."""
    played: StartUp = request.param
    return lambda: starting.play(played, launch(played), of(request.node).evidence.append)
