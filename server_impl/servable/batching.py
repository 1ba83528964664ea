"""Request batching: a session that joins requests for the same tensors into one run."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, invalid_argument
from server_impl.servable import batch_rules
from server_impl.servable.batch_scheduler import BatchScheduler, Queue, QueueOptions, Task
from server_impl.servable.servable import Runner
from server_impl.tensor import Tensor

if TYPE_CHECKING:
    from server_impl.metrics import ServingMetrics

logger = logging.getLogger(__name__)

_DEFAULT_MAX_BATCH_SIZE = 1000
_DEFAULT_MAX_ENQUEUED_BATCHES = 10


def queue_options(parameters: wire.BatchingParameters) -> QueueOptions:
    """What ``parameters`` say about queues. Raises INVALID_ARGUMENT for what fails a load [8.2, 8.3]."""
    input_limit = _DEFAULT_MAX_BATCH_SIZE
    if parameters.HasField("max_batch_size"):
        input_limit = parameters.max_batch_size.value
    allowed = parameters.allowed_batch_sizes
    if allowed and allowed[-1] != input_limit:
        raise invalid_argument(
            "Last entry in allowed_batch_sizes must match max_batch_size; "
            f"last entry was {allowed[-1]}; expected {input_limit}"
        )
    split_large = parameters.enable_large_batch_splitting.value
    max_enqueued = _DEFAULT_MAX_ENQUEUED_BATCHES
    if parameters.HasField("max_enqueued_batches"):
        max_enqueued = parameters.max_enqueued_batches.value
    if not max_enqueued and not split_large:
        max_enqueued = 1
    if not input_limit:
        raise invalid_argument("input_batch_size_limit must be positive; was 0")
    timeout_micros = parameters.batch_timeout_micros.value
    if timeout_micros < 0:
        raise invalid_argument(f"batch_timeout_micros must be non-negative; was {timeout_micros}")
    if not max_enqueued:
        raise invalid_argument("max_enqueued_batches must be positive; was 0")
    input_limit, max_enqueued = _unsigned(input_limit), _unsigned(max_enqueued)
    batch_limit = input_limit
    if split_large and parameters.HasField("max_execution_batch_size"):
        batch_limit = _unsigned(parameters.max_execution_batch_size.value) or input_limit
        if input_limit < batch_limit:
            raise invalid_argument(
                "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than "
                f"or equal to max_execution_batch_size.1{input_limit}{batch_limit}"
            )
    return QueueOptions(input_limit, batch_limit, timeout_micros / 1e6, max_enqueued, split_large)


def _unsigned(value: int) -> int:
    """``value`` in 64 bits without a sign, as which sizes are kept: below zero means without limit."""
    return value % 2**64


class BatchingSession:
    """Runs requests in batches, through the session that it wraps and on the threads of ``scheduler``.

    Requests share a batch if they feed and fetch the same tensors; each such set has its own queue,
    made when first used [8.4]. Raises INVALID_ARGUMENT for parameters that are not valid.
    """

    def __init__(
        self,
        session: Runner,
        parameters: wire.BatchingParameters,
        scheduler: BatchScheduler,
        metrics: ServingMetrics,
    ) -> None:
        logger.info("Wrapping session to perform batch processing")
        self._options = queue_options(parameters)
        self._allowed_sizes = tuple(parameters.allowed_batch_sizes)
        self._pad_inputs = parameters.pad_variable_length_inputs
        self._session = session
        self._scheduler = scheduler
        self._metrics = metrics
        self._queues: dict[tuple[frozenset[str], frozenset[str]], Queue] = {}
        self._adding = Lock()

    def run(
        self, feeds: Mapping[str, Tensor], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[Tensor]:
        """Computes ``fetches`` from ``feeds`` as a session does, in a batch with other requests.

        Waits for the batch to be filled or to time out, and then for its run. Raises the errors of
        8.5-8.7, and any error of the batch, whichever request caused it [8.11].
        """
        queue = self._queue(feeds, fetches)
        rows = batch_rules.count_rows(feeds)
        for _ in feeds:
            self._metrics.input_batch_size.record(rows)
        now = time.monotonic()
        deadline = now + timeout_ms / 1e3 if timeout_ms else None
        tasks = queue.schedule(Task(feeds, fetches, rows, now, deadline))
        # A task with rows always ends. One without is released by the next request only, or by its
        # deadline; then it stays in its batch [8.14].
        patience = -1 if rows or deadline is None else max(0.0, deadline - now)
        for task in tasks:
            if not task.wait(patience):
                raise ServingError(Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
        return batch_rules.join([task.result() for task in tasks])

    def begin(self, feeds: Mapping[str, Tensor], fetches: Sequence[str]) -> None:  # noqa: ARG002 - never
        """None: every run waits for its batch."""
        return

    def close(self) -> None:
        """Waits until what is queued has run, then frees the session."""
        for queue in self._queues.values():
            self._scheduler.remove_queue(queue)
        self._session.close()

    def _queue(self, feeds: Mapping[str, Tensor], fetches: Sequence[str]) -> Queue:
        key = (frozenset(feeds), frozenset(fetches))
        queue = self._queues.get(key)
        if queue is None:
            with self._adding:
                queue = self._queues.get(key)
                if queue is None:
                    process = partial(self._process, tuple(sorted(key[1])))
                    queue = self._queues[key] = self._scheduler.add_queue(self._options, process)
        return queue

    def _process(self, fetches: tuple[str, ...], tasks: list[Task]) -> None:
        """Runs one batch, and ends each of its tasks."""
        try:
            outputs = self._run_batch(fetches, tasks)
        except Exception as error:  # whatever it is, the requests must hear of it and the thread go on
            for task in tasks:
                task.fail(error)
            return
        for task, own in zip(tasks, outputs, strict=True):
            by_name = dict(zip(fetches, own, strict=True))
            task.succeed([by_name[name] for name in task.fetches])

    def _run_batch(self, fetches: tuple[str, ...], tasks: list[Task]) -> list[list[Tensor]]:
        metrics = self._metrics
        now = time.monotonic()
        for task in tasks:
            metrics.queuing_latency.record((now - task.enqueued) * 1e6, "")
        timeout_ms = _remaining_ms(tasks, now)
        rows = [task.rows for task in tasks]
        total = sum(rows)
        size = batch_rules.padded_rows(total, self._allowed_sizes)
        metrics.padding_size.record(size - total, str(size))
        metrics.processed_batch_size.record(size)
        feeds = batch_rules.merge([task.feeds for task in tasks], size - total, pad_inputs=self._pad_inputs)
        try:
            outputs = self._session.run(feeds, fetches, timeout_ms=timeout_ms)
        finally:
            metrics.wrapped_run_count.increment()
        return batch_rules.part(outputs, rows, size - total)


def _remaining_ms(tasks: Sequence[Task], now: float) -> int | None:
    """Time left to the most patient task of a batch. Raises RESOURCE_EXHAUSTED if all are late [8.12]."""
    latest = 0.0
    for task in tasks:
        if task.deadline is None:
            return None
        latest = max(latest, task.deadline)
    if latest <= now:
        raise ServingError(Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue")
    return int((latest - now) * 1e3)
