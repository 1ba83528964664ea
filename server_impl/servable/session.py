"""Runs of a loaded SavedModel: plans resolved once, and the choice of thread for each run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, thread_time
from typing import NamedTuple

from msgspec import Struct

from harness.wire import messages as wire
from server_impl.servable.capi import Frame, LoadedSession, PreparedRun, RunOptions
from server_impl.servable.denormals import start_flushing, stop_flushing
from server_impl.tensor import Tensor

#: A run that takes less than this, in seconds, is brief: it may happen on the thread that asks for it.
BRIEF_SECONDS = 300e-6
#: A brief run that took this much processor time, in seconds, is not called brief again.
_TOO_LONG_SECONDS = 2e-3
#: So many runs in a row must be long for the next ones not to be brief: a processor that is taken away for
#: a moment makes any single run long.
_LONG_RUNS = 3
#: With inputs of so many bytes no run is brief.
BRIEF_BYTES = 256 * 1024
#: Inputs of less than two to this many bytes are of one size, then each power of two is another.
_SIZE_SHIFT = 14
_LARGEST_BRIEF_SIZE = (BRIEF_BYTES - 1 >> _SIZE_SHIFT).bit_length()
#: One brief run in so many is timed.
_TIMED_EVERY = 16
#: Plans are kept up to this number; clients can ask for any subset of the outputs, in any order.
_PLAN_LIMIT = 1024

_ON_CALLING_THREAD = RunOptions(wire.RunOptions(inter_op_thread_pool=-1))


def _unnoticed() -> None:
    """What happens at a run that nobody counts."""


class _Pace:
    """How long runs with the same fetches and inputs of about the same size take: whether they are brief.

    Threads update it without a lock: a lost update only delays a decision.
    """

    __slots__ = ("_least", "_long", "brief", "countdown", "may_be_brief")

    def __init__(self, may_be_brief: bool) -> None:
        self.may_be_brief = may_be_brief
        self.brief = False
        self.countdown = _TIMED_EVERY
        self._long = 0  # timed runs in a row that were long, and the least that one of them took
        self._least = 0.0

    def took_on_pool(self, seconds: float) -> None:
        """Wall time, which waiting for a processor or the GIL only lengthens: one quick run is proof."""
        if self.may_be_brief and seconds < BRIEF_SECONDS:
            self.brief = True

    def took_on_calling_thread(self, seconds: float) -> None:
        """Processor time, which nothing but a virtual machine's host lengthens, and that rarely."""
        self.countdown = _TIMED_EVERY
        if seconds < BRIEF_SECONDS:
            self._long = 0
            return
        self._least = min(self._least, seconds) if self._long else seconds
        self._long += 1
        if self._long < _LONG_RUNS:
            self.countdown = 0  # the next one tells more
            return
        self.brief = False
        self.may_be_brief = self._least < _TOO_LONG_SECONDS
        self._long = 0


class _Plan(NamedTuple):
    run: PreparedRun
    pace: _Pace


#: Feeds, fetches, and about how many bytes are fed.
_Key = tuple[tuple[str, ...], tuple[str, ...], int]


class BriefRun(Struct):
    """A run that has begun, for the thread that began it to go on with: ``run``, then ``outputs``.

    Between these steps the thread may see to other requests.
    """

    _plan: PreparedRun
    _pace: _Pace
    _frame: Frame
    #: Wall time that ``run`` took.
    seconds: float = 0.0

    def run(self) -> None:
        """Runs the session. Never raises."""
        pace = self._pace
        pace.countdown -= 1
        processor_time = thread_time() if pace.countdown < 0 else None
        start = perf_counter()
        start_flushing()
        self._frame.run()
        stop_flushing()
        self.seconds = perf_counter() - start
        if processor_time is not None:
            pace.took_on_calling_thread(thread_time() - processor_time)

    def outputs(self) -> list[Tensor]:
        """The tensors that were fetched. Raises as ``Session.run`` does."""
        return self._plan.results(self._frame)


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
        self._plans: dict[_Key, _Plan] = {}
        self._paces: dict[tuple[tuple[str, ...], int], _Pace] = {}
        self._preparing = threading.Lock()

    def run(
        self, feeds: Mapping[str, Tensor], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[Tensor]:
        """Computes the tensors named ``fetches`` from those in ``feeds`` (``x:0`` -> tensor).

        ``timeout_ms`` counts from now; None and 0 mean none. Raises ServingError with TensorFlow's
        code and text, DEADLINE_EXCEEDED ``Timed out waiting for notification`` after a time-out
        [6.4.10, 6.4.11].
        """
        plan, pace = self._planned(feeds, fetches)
        self._on_run()
        tensors = feeds.values()
        if pace.brief:
            brief = BriefRun(plan, pace, plan.begin(tensors, _ON_CALLING_THREAD))
            brief.run()
            return brief.outputs()
        options = RunOptions(wire.RunOptions(timeout_in_ms=timeout_ms)) if timeout_ms else None
        start = perf_counter()
        frame = plan.begin(tensors, options)
        frame.run()
        results = plan.results(frame)
        pace.took_on_pool(perf_counter() - start)
        return results

    def begin(self, feeds: Mapping[str, Tensor], fetches: Sequence[str]) -> BriefRun | None:
        """Begins such a run, or gives None if it is not brief enough to do without a thread of its own."""
        plan, pace = self._planned(feeds, fetches)
        if not pace.brief:
            return None
        self._on_run()
        return BriefRun(plan, pace, plan.begin(feeds.values(), _ON_CALLING_THREAD))

    def close(self) -> None:
        """Frees the model. Every run must have returned."""
        self._plans.clear()
        self._loaded.close()

    def _planned(self, feeds: Mapping[str, Tensor], fetches: Sequence[str]) -> _Plan:
        nbytes = 0
        for tensor in feeds.values():
            nbytes += tensor.array.nbytes
        key = (tuple(feeds), tuple(fetches), (nbytes >> _SIZE_SHIFT).bit_length())
        return self._plans.get(key) or self._prepare(key)

    def _prepare(self, key: _Key) -> _Plan:
        feeds, fetches, size = key
        endpoints = [_endpoint(name) for name in fetches]
        run = self._loaded.prepare([_endpoint(name) for name in feeds], endpoints)
        with self._preparing:
            if len(self._plans) >= _PLAN_LIMIT:
                self._plans.clear()
                self._paces.clear()
            may_be_brief = size <= _LARGEST_BRIEF_SIZE and self._waiting.isdisjoint(
                name for name, _ in endpoints
            )
            pace = self._paces.setdefault((fetches, size), _Pace(may_be_brief))
            return self._plans.setdefault(key, _Plan(run, pace))


def _endpoint(name: str) -> tuple[str, int]:
    """``x:1`` is output 1 of operation ``x``; ``x`` alone is its output 0."""
    operation, colon, index = name.rpartition(":")
    if colon and index.isdecimal():
        return operation, int(index)
    return name, 0
