"""A manager and a source on a clock of their own: what would take seconds is told in order and at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from server_impl.errors import Code, ServingError
from server_impl.lifecycle.manager import Manager
from server_impl.lifecycle.monitor import EventBus, Monitor
from server_impl.lifecycle.pace import ROUND_S
from server_impl.lifecycle.policy import Latest, VersionPolicy
from server_impl.lifecycle.retry import RetryPolicy
from server_impl.lifecycle.snapshot import Serving
from server_impl.lifecycle.source import MonitoredModel, StoragePathSource
from server_impl.lifecycle.states import Event

POLL_S = 1.0


class Timeline:
    """Rounds every 0.1 s and polls every second of a fake clock; loads run inline, as by default.

    A version is a folder below ``root``. Loading it takes ``load_s`` and fails while it holds a file
    ``broken``; one that holds ``plain`` cannot even be estimated.
    """

    def __init__(self, root: Path, *, retries: int = 0, interval_s: float = 60, load_s: float = 0.05) -> None:
        self.root = root
        self.load_s = load_s
        self.now = 0.0
        self.log: list[str] = []
        self.loads: list[str] = []
        self.unloads: list[str] = []
        self.serving: Serving[str] = Serving()
        self.monitor = Monitor()
        bus = EventBus()
        bus.subscribe(self.monitor.handle)
        bus.subscribe(self._note)
        retry = RetryPolicy(retries, int(interval_s * 1e6))
        self.manager = Manager(self._loader, self.serving, bus, retry=retry, sleep=self._pass)
        self.source = StoragePathSource((), self.manager.aspire, POLL_S)
        self._next_poll = 0.0
        self._next_round = 0.05  # the two are not in step in a real server either
        self._later: list[tuple[float, Callable[[], object]]] = []

    def _loader(self, name: str, version: int, path: str, /) -> FakeLoader:
        return FakeLoader(self, name, version, Path(path))

    # What the world does

    def models(self, **policies: VersionPolicy) -> None:
        """Serve these models, whose base paths are named like them."""
        self.source.update([MonitoredModel(n, str(self.root / n), p) for n, p in policies.items()])

    def add(self, *folders: str, broken: bool = False, plain: bool = False) -> None:
        """Make version folders, ``m/1``."""
        for folder in folders:
            path = self.root / folder
            path.mkdir(parents=True)
            if broken:
                (path / "broken").touch()
            if plain:
                (path / "plain").touch()

    def repair(self, folder: str) -> None:
        """Let the next attempt to load it succeed."""
        (self.root / folder / "broken").unlink()

    def remove(self, *folders: str) -> None:
        """Delete version folders or base paths."""
        for folder in folders:
            shutil.rmtree(self.root / folder)

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Do ``what`` that many seconds from now, if need be while something is loaded."""
        self._later.append((self.now + seconds, what))

    # The clock

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._next_round <= end:
            self._pass(max(0.0, self._next_round - self.now))
            begin = self.now
            self.manager.round()
            self._next_round = max(begin + ROUND_S, self.now)
        self._pass(max(0.0, end - self.now))

    def _pass(self, seconds: float) -> bool:
        """Time without rounds: those before this one are over, the next one has not begun."""
        end = self.now + seconds
        while True:
            due = [(self._next_poll, self._poll), *self._later]
            when, what = min(due, key=lambda one: one[0])
            if when > end:
                break
            self.now = when
            if what == self._poll:
                self._next_poll += POLL_S
            else:
                self._later.remove((when, what))
            what()
        self.now = end
        return False

    def _poll(self) -> None:
        self.source.poll()

    # What is seen

    def _note(self, event: Event) -> None:
        self.log.append(f"{event.id.name}/{event.id.version} {event.state.name}")

    def news(self) -> list[str]:
        """Events since the last call, such as ``m/1 LOADING``."""
        news, self.log = self.log, []
        return news

    def status(self, name: str = "m") -> list[str]:
        """Versions and their states, from the highest down, as clients see them."""
        return [
            f"{s.version} {s.state.name}" + (f" [{s.error.code.name}: {s.error.message}]" if s.error else "")
            for s in self.monitor.versions(name)
        ]

    def answer(self, name: str = "m", version: int | None = None) -> str | None:
        """The folder that answers a request, None for NOT_FOUND."""
        try:
            with self.serving.acquire(name, version=version) as lease:
                return lease.servable
        except ServingError:
            return None


class FakeLoader:
    """Loads the path of a folder relative to the root."""

    def __init__(self, timeline: Timeline, name: str, version: int, path: Path) -> None:
        self.timeline = timeline
        self.path = path
        self.folder = str(path.relative_to(timeline.root))

    def estimate(self) -> None:
        if (self.path / "plain").exists():
            raise ServingError(Code.FAILED_PRECONDITION, f"{self.folder}; Not a directory")

    def load(self) -> str:
        self.timeline.loads.append(self.folder)
        self.timeline._pass(self.timeline.load_s)
        if not self.path.exists():
            raise ServingError(Code.NOT_FOUND, "no model")
        if (self.path / "broken").exists():
            raise ServingError(Code.DATA_LOSS, "broken")
        return self.folder

    def unload(self) -> None:
        self.timeline.unloads.append(self.folder)


ONE = Latest()
