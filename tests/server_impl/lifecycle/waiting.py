"""Waiting for what other threads do, and deciding when their loads end. Nothing waits without a deadline."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from server_impl.lifecycle.states import ServableId

DEADLINE_S = 10


def await_(condition: Callable[[], bool]) -> None:
    """Wait until ``condition()`` holds."""
    pause = threading.Event()
    for _ in range(DEADLINE_S * 500):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("the condition did not come true in time")


class Load:
    """A load under way."""

    def __init__(self, id_: ServableId) -> None:
        self.id = id_
        self._verdict: queue.Queue[BaseException | None] = queue.Queue()

    def end(self, error: BaseException | None = None) -> None:
        """Let it succeed or fail."""
        self._verdict.put(error)

    def run(self) -> None:
        """Wait for the end."""
        error = self._verdict.get(timeout=DEADLINE_S)
        if error is not None:
            raise error


class Loads:
    """Makes loaders whose loads end when the test says so; a servable is the text of its id."""

    def __init__(self) -> None:
        self._begun: queue.Queue[Load] = queue.Queue()
        self._all: list[Load] = []
        self.unloaded: list[str] = []
        self.unload_error: BaseException | None = None

    def next(self) -> Load:
        """The next load that begins."""
        return self._begun.get(timeout=DEADLINE_S)

    def none_begun(self) -> bool:
        """Whether all loads that began were looked at."""
        return self._begun.empty()

    def end_all(self) -> None:
        """Leave no load waiting, at the end of a test."""
        for load in self._all:
            load.end()

    def __call__(self, name: str, version: int, path: str, /) -> GatedLoader:
        return GatedLoader(self, ServableId(name, version))

    def begin(self, id_: ServableId) -> Load:
        """Called by a loader."""
        load = Load(id_)
        self._all.append(load)
        self._begun.put(load)
        return load


class GatedLoader:
    """Loader whose load waits for its verdict."""

    def __init__(self, loads: Loads, id_: ServableId) -> None:
        self._loads = loads
        self._id = id_

    def estimate(self) -> None:
        pass

    def load(self) -> str:
        self._loads.begin(self._id).run()
        return f"{self._id.name}/{self._id.version}"

    def unload(self) -> None:
        if self._loads.unload_error is not None:
            raise self._loads.unload_error
        self._loads.unloaded.append(f"{self._id.name}/{self._id.version}")
