"""The threads of the life cycle: something done periodically, and pools for loading and unloading.

All threads are daemons: a load in progress cannot be interrupted and must not keep the process alive.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

logger = logging.getLogger(__name__)

#: Seconds that ``Periodic.stop`` waits for a run that cannot be interrupted.
STOP_TIMEOUT_S = 5.0

#: Seconds within which every wait in this package notices that the server stops.
STOP_CHECK_S = 0.05


class Periodic:
    """Runs ``work`` on a thread of its own: at once, then every ``interval_s`` seconds until ``stop()``.

    The interval counts from start to start; after a run that took longer the next one follows at once
    [3.2.1]. An unexpected error is logged and does not end the runs. ``interval_s`` None: one run.
    """

    def __init__(self, name: str, work: Callable[[], object], interval_s: float | None) -> None:
        self._work = work
        self._interval_s = interval_s
        self._stopped = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped:
            begin = time.monotonic()
            try:
                self._work()
            except Exception:
                logger.exception("%s failed unexpectedly", self._thread.name)
            if self._interval_s is None:
                return
            self._wake.wait(max(0.0, begin + self._interval_s - time.monotonic()))
            self._wake.clear()

    def change_interval(self, interval_s: float) -> None:
        """Run at once, and then in another interval."""
        self._interval_s = interval_s
        self._wake.set()

    def stop(self) -> None:
        """Start no further run, and wait a while for the present one."""
        self._stopped = True
        self._wake.set()
        self._thread.join(STOP_TIMEOUT_S)


class Pool:
    """Runs jobs, which raise nothing, in the order given: ``size`` at once, or inline if ``size`` is 0."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self.size = max(size, 0)
        self._jobs: deque[Callable[[], None]] = deque()
        self._workers = 0
        self._changed = threading.Condition()

    def run(self, job: Callable[[], None]) -> None:
        """Run ``job`` on this thread if the pool has none of its own, else queue it."""
        if not self.size:
            job()
            return
        with self._changed:
            self._jobs.append(job)
            if self._workers < self.size:
                self._workers += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._jobs:
                    self._workers -= 1
                    self._changed.notify_all()
                    return
                job = self._jobs.popleft()
            job()

    def finish(self, stop: threading.Event) -> None:
        """Wait until all jobs are done; once ``stop`` is set, drop what has not begun and return."""
        with self._changed:
            while self._workers and not stop.is_set():
                self._changed.wait(STOP_CHECK_S)
            if stop.is_set():
                self._jobs.clear()
