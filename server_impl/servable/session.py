"""Runs of a loaded SavedModel: plans resolved once, and the choice of thread for each run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from harness.wire import messages as wire
from server_impl.servable.capi import LoadedSession, PreparedRun, RunOptions
from server_impl.servable.denormals import start_flushing, stop_flushing
from server_impl.tensor import Tensor

#: A run that takes less than this, in seconds, is brief: it may happen on the thread that asks for it.
BRIEF_SECONDS = 300e-6
#: A brief run that once took this much processor time, in seconds, is not called brief again.
_TOO_LONG_SECONDS = 2e-3
#: Inputs of more bytes than this say nothing about the time of the others.
BRIEF_BYTES = 64 * 1024
#: One brief run in so many is timed.
_TIMED_EVERY = 16
#: Plans are kept up to this number; clients can ask for any subset of the outputs, in any order.
_PLAN_LIMIT = 1024

_ON_CALLING_THREAD = RunOptions(wire.RunOptions(inter_op_thread_pool=-1))


def _unnoticed() -> None:
    """What happens at a run that nobody counts."""


class _Pace:
    """How long runs with the same fetches take, and so whether they are brief.

    Threads update it without a lock: a lost update only delays a decision.
    """

    __slots__ = ("brief", "countdown", "may_be_brief")

    def __init__(self, may_be_brief: bool) -> None:
        self.may_be_brief = may_be_brief
        self.brief = False
        self.countdown = _TIMED_EVERY

    def took_on_pool(self, seconds: float) -> None:
        """Wall time, which waiting for a processor or the GIL only lengthens: one quick run is proof."""
        if self.may_be_brief and seconds < BRIEF_SECONDS:
            self.brief = True

    def took_on_calling_thread(self, seconds: float) -> None:
        """Processor time, which nothing lengthens."""
        if seconds > BRIEF_SECONDS:
            self.brief = False
            self.may_be_brief = seconds < _TOO_LONG_SECONDS


class _Plan(NamedTuple):
    run: PreparedRun
    pace: _Pace


class Session:
    """A loaded SavedModel that can be run from many threads at once.

    ``waiting`` names the operations whose outputs may wait or repeat work when computed; ``on_run`` is called
    before each run.

    TensorFlow Serving hands every run to a pool of threads. For a run of a few microseconds the way
    there and back is most of the time, so brief runs stay on the calling thread. Their time-outs
    are ignored, as they would be over before one could be noticed.
    """

    def __init__(
        self, loaded: LoadedSession, waiting: frozenset[str], on_run: Callable[[], None] = _unnoticed
    ) -> None:
        self._loaded = loaded
        self._waiting = waiting
        self._on_run = on_run
        self._plans: dict[tuple[tuple[str, ...], tuple[str, ...]], _Plan] = {}
        self._paces: dict[tuple[str, ...], _Pace] = {}
        self._preparing = threading.Lock()

    def run(
        self, feeds: Mapping[str, Tensor], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[Tensor]:
        """Computes the tensors named ``fetches`` from those in ``feeds`` (``x:0`` -> tensor).

        ``timeout_ms`` counts from now; None and 0 mean none. Raises ServingError with TensorFlow's
        code and text, DEADLINE_EXCEEDED ``Timed out waiting for notification`` after a time-out
        [6.4.10, 6.4.11].
        """
        self._on_run()
        key = (tuple(feeds), tuple(fetches))
        plan = self._plans.get(key) or self._prepare(key)
        tensors = feeds.values()
        nbytes = 0
        for tensor in tensors:
            nbytes += tensor.array.nbytes
        pace = plan.pace
        if pace.brief and nbytes <= BRIEF_BYTES:
            return _run_on_calling_thread(plan, tensors)
        options = RunOptions(wire.RunOptions(timeout_in_ms=timeout_ms)) if timeout_ms else None
        start = time.perf_counter()
        results = plan.run(tensors, options)
        if nbytes <= BRIEF_BYTES:
            pace.took_on_pool(time.perf_counter() - start)
        return results

    def runs_inline(self, fetches: tuple[str, ...], nbytes: int) -> bool:
        """Whether a run with inputs of ``nbytes`` bytes in all is too brief to need a thread of its own."""
        pace = self._paces.get(fetches)
        return pace is not None and pace.brief and nbytes <= BRIEF_BYTES

    def close(self) -> None:
        """Frees the model. Every run must have returned."""
        self._plans.clear()
        self._loaded.close()

    def _prepare(self, key: tuple[tuple[str, ...], tuple[str, ...]]) -> _Plan:
        feeds, fetches = key
        endpoints = [_endpoint(name) for name in fetches]
        run = self._loaded.prepare([_endpoint(name) for name in feeds], endpoints)
        with self._preparing:
            if len(self._plans) >= _PLAN_LIMIT:
                self._plans.clear()
                self._paces.clear()
            may_be_brief = self._waiting.isdisjoint(name for name, _ in endpoints)
            pace = self._paces.setdefault(fetches, _Pace(may_be_brief))
            return self._plans.setdefault(key, _Plan(run, pace))


def _run_on_calling_thread(plan: _Plan, tensors: Iterable[Tensor]) -> list[Tensor]:
    pace = plan.pace
    pace.countdown -= 1
    timed = pace.countdown < 0
    start_flushing()
    try:
        if not timed:
            return plan.run(tensors, _ON_CALLING_THREAD)
        pace.countdown = _TIMED_EVERY
        start = time.thread_time()
        results = plan.run(tensors, _ON_CALLING_THREAD)
        pace.took_on_calling_thread(time.thread_time() - start)
        return results
    finally:
        stop_flushing()


def _endpoint(name: str) -> tuple[str, int]:
    """``x:1`` is output 1 of operation ``x``; ``x`` alone is its output 0."""
    operation, colon, index = name.rpartition(":")
    if colon and index.isdecimal():
        return operation, int(index)
    return name, 0
