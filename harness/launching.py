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
    """Starts servers for one run of pytest; ``evidence`` holds the exchanges of a test.

    While a start-up is looked at, the next one of the same table already starts: most of the time of such
    tests is spent waiting for a server to be up.
    """

    def __init__(self, target: Target, say: Callable[[str], None]) -> None:
        self.evidence: list[Exchange] = []
        self.running: tuple[StartUp, Launched] | None = None
        self._ahead: tuple[StartUp, Launched] | None = None
        self._target = target
        self._say = say
        self._known: list[StartUp] = []

    def expect(self, start_ups: Iterable[StartUp]) -> None:
        """Name start-ups that will come, in this order, so that they can be prepared."""
        self._known.extend(start_ups)

    def launch(self, start_up: StartUp) -> Launched:
        """A server started so; one that runs already is kept. Raises Unsupported, BuildError."""
        if self.running is not None and self.running[0] is start_up and self.running[1].exit_status() is None:
            return self.running[1]
        if self.running is not None:
            self.running[1].stop()
            self.running = None
        if self._ahead is not None and self._ahead[0] is start_up:
            self.running, self._ahead = self._ahead, None
        else:
            self.close()
            self.running = start_up, self._start(start_up)
        following = self._following(start_up)
        if following is not None:
            self._ahead = following, self._start(following)
        return self.running[1]

    def close(self) -> None:
        """Stop the servers that run."""
        for started in (self.running, self._ahead):
            if started is not None:
                started[1].stop()
        self.running = self._ahead = None

    def _start(self, start_up: StartUp) -> Launched:
        cache.prepare(
            (
                (models.BUILDERS[model.builder], model.contents(version))
                for known in (start_up, *self._known)
                for model in known.models
                for version in model.versions
            ),
            self._say,
        )
        return self._target.launch(start_up)

    def _following(self, start_up: StartUp) -> StartUp | None:
        """The start-up that is expected next."""
        place = next((place for place, known in enumerate(self._known) if known is start_up), None)
        return None if place is None or place + 1 == len(self._known) else self._known[place + 1]

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


def start_ups(items: Iterable[pytest.Item]) -> list[StartUp]:
    """The start-ups that these tests play, in order."""
    specs = [getattr(item, "callspec", None) for item in items]
    return [spec.params["start_up"] for spec in specs if spec and "start_up" in spec.params]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each start-up of the mark."""
    if "start_up" not in metafunc.fixturenames:
        return
    params = [
        pytest.param(start_up, id=start_up.id, marks=pytest.mark.fact(*start_up.facts, level=start_up.level))
        for mark in metafunc.definition.iter_markers("start_ups")
        for start_up in mark.args[0]
    ]
    metafunc.parametrize("start_up", params, indirect=True)


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
