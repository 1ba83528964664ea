from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
from google.protobuf import text_format

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.metrics import ServingMetrics
from server_impl.servable.batch_scheduler import BatchScheduler
from server_impl.servable.batching import BatchingSession, queue_options
from server_impl.tensor import Tensor

LONG = 60  # seconds that nothing here should take


class Doubling:
    """A session that doubles ``x`` into ``y``, and runs only when it is let."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Semaphore(0)
        self.batches: list[list[float]] = []
        self.timeouts: list[int | None] = []
        self.closed = False

    def run(self, feeds, fetches, *, timeout_ms=None):
        self.batches.append(feeds["x"].array.tolist())
        self.timeouts.append(timeout_ms)
        self.started.release()
        assert self.gate.wait(LONG)
        if feeds["x"].dtype != wire.DT_FLOAT:
            raise ServingError(Code.INVALID_ARGUMENT, "Expects arg[0] to be float")
        outputs = {"y": Tensor(wire.DT_FLOAT, feeds["x"].array * 2), "one": Tensor(wire.DT_FLOAT, np.ones(1))}
        return [outputs[name] for name in fetches]

    def begin(self, feeds, fetches):
        raise AssertionError("nothing is brief that waits for its batch")

    def close(self) -> None:
        self.closed = True


def parameters(text: str) -> wire.BatchingParameters:
    return text_format.Parse(text, wire.BatchingParameters())


class Batching:
    """A batching session over a doubling one, and requests to it in the background."""

    def __init__(self, text: str, threads: int) -> None:
        given = parameters(f"num_batch_threads {{ value: {threads} }} {text}")
        self.inner = Doubling()
        self.metrics = ServingMetrics()
        self.scheduler = BatchScheduler(given)
        self.session = BatchingSession(self.inner, given, self.scheduler, self.metrics)
        self.pool = ThreadPoolExecutor(16)

    def start(self, *rows: float, dtype=np.float32, fetches=("y",), timeout_ms=None) -> Future:
        tensor = Tensor({np.float32: wire.DT_FLOAT, np.int32: wire.DT_INT32}[dtype], np.array(rows, dtype))
        return self.pool.submit(self.session.run, {"x": tensor}, fetches, timeout_ms=timeout_ms)

    def queued(self, count: int) -> None:
        """Waits until so many tasks are in queues."""
        give_up = time.monotonic() + LONG
        while sum(self._waiting()) != count:
            assert time.monotonic() < give_up, f"{self._waiting()} tasks are waiting, not {count}"
            time.sleep(0.001)

    def _waiting(self) -> list[int]:
        with self.scheduler._changed:
            return [len(batch.tasks) for queue in self.session._queues.values() for batch in queue._batches]

    def hold(self) -> None:
        """Keeps the one thread busy with a batch of its own until ``inner.gate`` is set."""
        self.inner.gate.clear()
        self.start(-1)
        assert self.inner.started.acquire(timeout=LONG)

    def close(self) -> None:
        self.inner.gate.set()
        if not self.inner.closed:
            self.session.close()
        self.scheduler.stop()
        self.pool.shutdown()


@pytest.fixture
def batching():
    """``batching(parameters, threads=1)``: see Batching."""
    with ExitStack() as closing:

        def make(text: str, threads: int = 1) -> Batching:
            made = Batching(text, threads)
            closing.callback(made.close)
            return made

        yield make


def rows(future: Future) -> list[float]:
    return future.result(LONG)[0].array.tolist()


def error(future: Future) -> tuple[Code, str]:
    caught = future.exception(LONG)
    assert isinstance(caught, ServingError)
    return caught.code, caught.message


HOUR = "batch_timeout_micros { value: 3600000000 }"


def test_a_full_batch_does_not_wait(batching):
    made = batching(f"max_batch_size {{ value: 4 }} {HOUR}")
    first = made.start(1, 2)
    made.queued(1)
    second = made.start(3, 4)
    assert rows(first) == [2, 4]
    assert rows(second) == [6, 8]
    assert made.inner.batches == [[1, 2, 3, 4]]


def test_a_lone_request_waits_for_the_time_out(batching):
    made = batching("max_batch_size { value: 4 } batch_timeout_micros { value: 50000 }")
    start = time.monotonic()
    assert rows(made.start(1)) == [2]
    assert time.monotonic() - start >= 0.05


def test_a_request_that_does_not_fit_closes_the_batch(batching):
    made = batching(f"max_batch_size {{ value: 4 }} {HOUR}")
    first = made.start(1, 2, 3)
    made.queued(1)
    second = made.start(4, 5)
    assert rows(first) == [2, 4, 6]
    made.start(6, 7)
    assert rows(second) == [8, 10]


def test_requests_gather_while_the_thread_is_busy(batching):
    made = batching("max_batch_size { value: 8 }")
    made.hold()
    futures = []
    for number in range(5):
        futures.append(made.start(number))
        made.queued(number + 1)
    made.inner.gate.set()
    assert [rows(future) for future in futures] == [[0], [2], [4], [6], [8]]
    assert made.inner.batches == [[-1], [0, 1, 2, 3, 4]]


def test_other_outputs_have_a_queue_of_their_own(batching):
    made = batching("max_batch_size { value: 4 }")
    made.hold()
    futures = [made.start(1), made.start(2, fetches=("y", "y")), made.start(3, fetches=("one", "y"))]
    made.queued(3)
    made.inner.gate.set()
    assert rows(futures[0]) == [2]
    first, second = futures[1].result(LONG)
    assert (first.array.tolist(), second.array.tolist()) == ([4], [4])
    one, doubled = futures[2].result(LONG)
    assert (one.array.tolist(), doubled.array.tolist()) == ([1], [6])
    assert sorted(made.inner.batches) == [[-1], [1, 2], [3]]


def test_batches_are_padded_to_an_allowed_size(batching):
    made = batching("max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8")
    assert rows(made.start(5, 6)) == [10, 12]
    assert made.inner.batches == [[5, 6, 5, 5]]


def test_too_large(batching):
    made = batching("max_batch_size { value: 4 }")
    expected = (Code.INVALID_ARGUMENT, "Task size 5 is larger than maximum input batch size 4")
    assert error(made.start(1, 2, 3, 4, 5)) == expected


def test_a_full_queue(batching):
    made = batching("max_batch_size { value: 1 } max_enqueued_batches { value: 2 }")
    made.hold()
    waiting = []
    for number in range(2):
        waiting.append(made.start(number))
        made.queued(number + 1)
    assert error(made.start(9)) == (
        Code.UNAVAILABLE,
        "The batch scheduling queue to which this task was submitted is full; currently 2 batches enqueued "
        "and max_enqueued_batches is 2",
    )
    made.inner.gate.set()
    assert [rows(future) for future in waiting] == [[0], [2]]


SPLIT = "enable_large_batch_splitting { value: true } max_execution_batch_size { value: 4 }"


def test_large_requests_are_split_over_batches(batching):
    made = batching(f"max_batch_size {{ value: 20 }} {SPLIT}")
    made.hold()
    small = made.start(100)
    made.queued(1)
    large = made.start(*range(9))
    made.queued(4)
    made.inner.gate.set()
    assert rows(small) == [200]
    assert rows(large) == [2 * number for number in range(9)]
    assert made.inner.batches == [[-1], [100, 0, 1, 2], [3, 4, 5, 6], [7, 8]]


def test_a_full_queue_with_splitting(batching):
    made = batching(f"max_batch_size {{ value: 20 }} max_enqueued_batches {{ value: 2 }} {SPLIT}")
    made.hold()
    waiting = made.start(1, 2, 3)
    made.queued(1)
    assert error(made.start(*range(6))) == (
        Code.UNAVAILABLE,
        "The batch scheduling queue to which this task was submitted is full; task size is 6 but scheduling "
        "capacity is only 5 (num_enqueued_batches=1, max_enqueued_batches=2, open_batch_size=3, "
        "max_execution_batch_size=4)",
    )
    made.inner.gate.set()
    assert rows(waiting) == [2, 4, 6]


def test_one_failing_request_fails_its_batch(batching):
    made = batching("max_batch_size { value: 4 }")
    assert error(made.start(1, dtype=np.int32)) == (Code.INVALID_ARGUMENT, "Expects arg[0] to be float")
    made.inner.started.acquire()
    made.hold()
    good = made.start(1)
    made.queued(1)
    bad = made.start(1, dtype=np.int32)
    made.queued(2)
    made.inner.gate.set()
    expected = (
        Code.INTERNAL,
        "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors that have different "
        "data types. Got float and int32.",
    )
    assert error(good) == error(bad) == expected


def test_an_error_that_is_no_status_reaches_the_request_and_spares_the_thread(batching):
    made = batching("max_batch_size { value: 4 }")
    future = made.start(1, fetches=("no such output",))
    assert isinstance(future.exception(LONG), KeyError)
    assert rows(made.start(1)) == [2]


def test_scalar_outputs_cannot_be_parted(batching):
    made = batching("max_batch_size { value: 4 }")
    made.hold()
    futures = [made.start(1, fetches=("one",)), made.start(2, fetches=("one",))]
    made.queued(2)
    made.inner.gate.set()
    assert {error(future)[0] for future in futures} == {Code.FAILED_PRECONDITION}


def test_the_batch_has_the_time_of_its_most_patient_request(batching):
    made = batching("max_batch_size { value: 4 }")
    made.hold()
    futures = [made.start(1, timeout_ms=1), made.start(2, timeout_ms=60_000)]
    made.queued(2)
    time.sleep(0.002)
    made.inner.gate.set()
    assert sorted(map(rows, futures)) == [[2], [4]]
    assert made.inner.timeouts[0] is None
    assert 0 < made.inner.timeouts[1] <= 60_000


def test_requests_that_were_all_late(batching):
    made = batching("max_batch_size { value: 4 }")
    made.hold()
    late = made.start(1, timeout_ms=1)
    made.queued(1)
    time.sleep(0.002)
    made.inner.gate.set()
    assert error(late) == (
        Code.RESOURCE_EXHAUSTED,
        "Run() timeout exceeded while waiting in batching queue",
    )


def test_a_request_without_rows_is_released_by_the_next_one(batching):
    made = batching("max_batch_size { value: 4 } batch_timeout_micros { value: 1000 }")
    empty = made.start(timeout_ms=60_000)
    made.queued(1)
    time.sleep(0.01)
    assert not empty.done()
    assert rows(made.start(1)) == [2]
    assert rows(empty) == []


def test_a_request_without_rows_that_gave_up_stays_in_its_batch(batching):
    made = batching("max_batch_size { value: 4 }")
    assert error(made.start(timeout_ms=1))[0] is Code.DEADLINE_EXCEEDED
    assert error(made.start(1, dtype=np.int32))[0] is Code.INTERNAL


def test_a_request_without_rows_or_deadline_does_not_wait_for_ever(batching):
    assert rows(batching("max_batch_size { value: 4 }").start()) == []


def test_what_is_no_batch_is_refused_at_once(batching):
    made = batching("max_batch_size { value: 4 }")
    scalar = Tensor(wire.DT_FLOAT, np.array(1, np.float32))
    with pytest.raises(ServingError, match="at least one dimension"):
        made.session.run({"x": scalar}, ["y"])
    assert made.session.begin({"x": scalar}, ["y"]) is None


def test_closing_runs_what_is_queued(batching):
    made = batching(f"max_batch_size {{ value: 4 }} {HOUR}")
    waiting = made.start(1)
    made.queued(1)
    made.session.close()
    assert rows(waiting) == [2]
    assert made.inner.closed


def test_metrics(batching):
    made = batching("max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8")
    rows(made.start(1, 2, 3))
    metrics = made.metrics
    assert metrics.wrapped_run_count.collect() == [((), 1)]
    ((labels, padding),) = metrics.padding_size.collect()
    assert (labels, padding.sum) == (("4",), 1)
    assert [cell.sum for _, cell in metrics.input_batch_size.collect()] == [3]
    assert [cell.sum for _, cell in metrics.processed_batch_size.collect()] == [4]
    assert [(labels, sum(cell.counts)) for labels, cell in metrics.queuing_latency.collect()] == [(("",), 1)]


def test_several_threads_serve_several_queues(batching):
    made = batching("max_batch_size { value: 16 }", threads=3)

    def ask(number: int) -> bool:
        fetches = ("y",) if number % 2 else ("y", "y")
        return all(
            rows(made.start(number, turn, fetches=fetches)) == [2 * number, 2 * turn] for turn in range(50)
        )

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(ask, range(6)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 16 } allowed_batch_sizes: 4 allowed_batch_sizes: 8",
         "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 8; expected 16"),
        ("allowed_batch_sizes: 8",
         "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 8; expected 1000"),
        ("max_batch_size { value: 0 }", "input_batch_size_limit must be positive; was 0"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be non-negative; was -1"),
        ("enable_large_batch_splitting { value: true } max_enqueued_batches { value: 0 }",
         "max_enqueued_batches must be positive; was 0"),
        ("max_batch_size { value: 8 } enable_large_batch_splitting { value: true } "
         "max_execution_batch_size { value: 16 }",
         "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or equal to "
         "max_execution_batch_size.1816"),
    ],
)  # fmt: skip
def test_parameters_that_fail_the_load(text, message):
    with pytest.raises(ServingError) as caught:
        queue_options(parameters(text))
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize("threads", [0, -2])
def test_no_threads(threads):
    with pytest.raises(ServingError) as caught:
        BatchScheduler(parameters(f"num_batch_threads {{ value: {threads} }}"))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == f"num_batch_threads must be positive; was {threads}"


def test_defaults():
    options = queue_options(wire.BatchingParameters())
    assert (options.input_limit, options.batch_limit, options.timeout) == (1000, 1000, 0)
    assert (options.max_enqueued_batches, options.split_large) == (10, False)
    assert queue_options(parameters("max_enqueued_batches { value: 0 }")).max_enqueued_batches == 1
    assert queue_options(parameters("max_batch_size { value: -1 }")).input_limit == 2**64 - 1
