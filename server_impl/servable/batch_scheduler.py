"""Queues of requests that threads, shared by all models, take batches from."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, invalid_argument
from server_impl.servable.batch_rules import slice_rows, split_rows
from server_impl.tensor import Tensor


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """When a batch is complete, and when a queue is full.

    ``input_limit`` and ``batch_limit`` are the most rows of one request and of one batch; requests with
    more rows than a batch has room for are split if ``split_large``. ``timeout`` is how long, in
    seconds, an open batch waits to be filled.
    """

    input_limit: int
    batch_limit: int
    timeout: float
    max_enqueued_batches: int
    split_large: bool


class Task:
    """One request, or a part of one, on its way through a queue.

    ``enqueued`` and ``deadline`` are times of ``time.monotonic``; no deadline is None.
    """

    __slots__ = ("_done", "_error", "_outputs", "deadline", "enqueued", "feeds", "fetches", "rows")

    def __init__(
        self,
        feeds: Mapping[str, Tensor],
        fetches: Sequence[str],
        rows: int,
        enqueued: float,
        deadline: float | None,
    ) -> None:
        self.feeds = feeds
        self.fetches = fetches
        self.rows = rows
        self.enqueued = enqueued
        self.deadline = deadline
        self._outputs: list[Tensor] = []
        self._error: Exception | None = None
        self._done = threading.Lock()  # held until the task is done: the cheapest way to wait for it
        self._done.acquire()

    def split(self, parts: Sequence[int]) -> list[Task]:
        """This task as several, with ``parts`` rows each."""
        return [
            Task(feeds, self.fetches, rows, self.enqueued, self.deadline)
            for feeds, rows in zip(slice_rows(self.feeds, parts), parts, strict=True)
        ]

    def succeed(self, outputs: list[Tensor]) -> None:
        """Ends the task with its outputs, in the order of its fetches."""
        self._outputs = outputs
        self._done.release()

    def fail(self, error: Exception) -> None:
        """Ends the task with an error."""
        self._error = error
        self._done.release()

    def wait(self, timeout: float = -1) -> bool:
        """Waits until the task has ended, or ``timeout`` seconds; -1 is for ever. Gives whether it has."""
        return self._done.acquire(timeout=timeout)

    def result(self) -> list[Tensor]:
        """The outputs of an ended task. Raises the error that it ended with."""
        if isinstance(self._error, ServingError):
            # The tasks of a batch share the error; each thread raises one of its own.
            raise ServingError(self._error.code, self._error.message)
        if self._error:
            raise self._error
        return self._outputs


class _Batch:
    __slots__ = ("rows", "tasks")

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.rows = 0


class Queue:
    """The batches of one kind of request: closed ones, oldest first, and the open one that is being filled.

    ``process`` is called with the tasks of a batch and must end each of them; it must not raise.
    """

    def __init__(
        self, options: QueueOptions, process: Callable[[list[Task]], None], changed: threading.Condition
    ) -> None:
        self.process = process
        self._options = options
        self._changed = changed  # of the scheduler; its lock guards everything here
        self._batches = deque([_Batch()])
        self._open_since = 0.0
        self._processing = 0
        self._closed = False

    def schedule(self, task: Task) -> list[Task]:
        """Queues ``task`` and gives what to wait for: itself, or the parts that it was split into.

        Raises INVALID_ARGUMENT for a task that is too large [8.6], UNAVAILABLE if the queue is full [8.7].
        """
        options = self._options
        with self._changed:
            self._check_capacity(task.rows)
            due = self.due()
            room = options.batch_limit - self._batches[-1].rows
            tasks = [task]
            if options.split_large and task.rows > room:
                tasks = task.split(split_rows(task.rows, room, options.batch_limit))
            for added in tasks:
                if self._batches[-1].rows + added.rows > options.batch_limit:
                    self._batches.append(_Batch())
                batch = self._batches[-1]
                if not batch.tasks:
                    self._open_since = time.monotonic()
                batch.tasks.append(added)
                batch.rows += added.rows
            # Also for a batch that is not due yet: a thread must watch its time-out.
            if self.due() != due:
                self._changed.notify()
        return tasks

    def _check_capacity(self, rows: int) -> None:
        options, count, open_rows = self._options, len(self._batches), self._batches[-1].rows
        full = "The batch scheduling queue to which this task was submitted is full; "
        if rows > options.input_limit:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {options.input_limit}"
            )
        if options.split_large:
            capacity = (options.max_enqueued_batches - count + 1) * options.batch_limit - open_rows
            if rows > capacity:
                raise ServingError(
                    Code.UNAVAILABLE,
                    f"{full}task size is {rows} but scheduling capacity is only {capacity} "
                    f"(num_enqueued_batches={count}, max_enqueued_batches={options.max_enqueued_batches}, "
                    f"open_batch_size={open_rows}, max_execution_batch_size={options.batch_limit})",
                )
        elif open_rows + rows > options.batch_limit and count >= options.max_enqueued_batches:
            raise ServingError(
                Code.UNAVAILABLE,
                f"{full}currently {count} batches enqueued and "
                f"max_enqueued_batches is {options.max_enqueued_batches}",
            )

    def due(self) -> float | None:
        """The time from which there is a batch to take; None if more tasks must come first."""
        if len(self._batches) > 1:
            return 0.0
        batch = self._batches[0]
        if not batch.tasks:
            return None
        if self._closed or batch.rows >= self._options.batch_limit:
            return 0.0
        # Tasks without rows never make a batch due [8.14], unless one would wait for ever.
        if not batch.rows and all(task.deadline is not None for task in batch.tasks):
            return None
        return self._open_since + self._options.timeout

    def take(self) -> list[Task]:
        """Takes the oldest batch, which must be due."""
        if len(self._batches) == 1:
            self._batches.append(_Batch())
        self._processing += 1
        return self._batches.popleft().tasks

    def processed(self) -> None:
        """Tells that a batch which was taken has been processed."""
        self._processing -= 1
        if self._closed:
            self._changed.notify_all()

    def close(self) -> None:
        """Waits until every task has ended; the open batch does not wait for its time-out any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(self.is_idle)

    def is_idle(self) -> bool:
        """Whether there is nothing queued and nothing in work."""
        return not (self._processing or len(self._batches) > 1 or self._batches[0].tasks)


class BatchScheduler:
    """The threads that process batches, and the queues that they serve in turn.

    One scheduler serves all models of a server. Raises INVALID_ARGUMENT for a number of threads below
    one [8.2]; the default is the number of processors.
    """

    def __init__(self, parameters: wire.BatchingParameters) -> None:
        count = parameters.num_batch_threads.value
        if not parameters.HasField("num_batch_threads"):
            count = os.cpu_count() or 1
        if count < 1:
            raise invalid_argument(f"num_batch_threads must be positive; was {count}")
        name = parameters.thread_pool_name.value or "batch_threads"
        self._changed = threading.Condition(threading.Lock())
        self._queues: deque[Queue] = deque()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}_{index}", daemon=True)
            for index in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def add_queue(self, options: QueueOptions, process: Callable[[list[Task]], None]) -> Queue:
        """A new queue, served by the threads of this scheduler."""
        queue = Queue(options, process, self._changed)
        with self._changed:
            self._queues.append(queue)
        return queue

    def remove_queue(self, queue: Queue) -> None:
        """Closes ``queue``, waits until its tasks have ended, and forgets it."""
        queue.close()
        with self._changed:
            self._queues.remove(queue)

    def stop(self) -> None:
        """Ends the threads. Every queue must have been removed."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while (queue := self._next_due()) is None:
                    if self._stopping:
                        return
                    self._changed.wait(self._until_next_due())
                tasks = queue.take()
                if self._until_next_due() is not None:
                    # This thread will be busy: another one has to watch what is left.
                    self._changed.notify()
            queue.process(tasks)
            with self._changed:
                queue.processed()

    def _next_due(self) -> Queue | None:
        now = time.monotonic()
        for _ in range(len(self._queues)):
            queue = self._queues[0]
            self._queues.rotate(-1)  # so that each queue gets its turn
            due = queue.due()
            if due is not None and due <= now:
                return queue
        return None

    def _until_next_due(self) -> float | None:
        times = [due for queue in self._queues if (due := queue.due()) is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None
