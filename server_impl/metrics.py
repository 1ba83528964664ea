"""The metrics that the server keeps, under TensorFlow's names, with its labels and its buckets [7.2]."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate, repeat
from operator import mul
from threading import Lock
from typing import Literal, NamedTuple

#: The values of a metric's labels, in the order in which the metric declares them.
LabelValues = tuple[str, ...]


class Distribution(NamedTuple):
    """What one histogram cell has seen: a count per bucket (the last one is unbounded) and the sum."""

    counts: tuple[int, ...]
    sum: float


def exponential_bounds(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """The ``count`` upper bounds ``scale``, ``scale * growth``, ``scale * growth ** 2`` ... [7.2.2]."""
    return tuple(accumulate(repeat(growth, count - 1), mul, initial=scale))


#: Bounds of latencies in microseconds: 10 us to about 25 minutes [7.2.2].
LATENCY_BOUNDS = exponential_bounds(10, 1.8, 33)
#: Bounds of times spent in a batching queue, in microseconds: 100 us to about one second [7.2.2].
QUEUING_BOUNDS = exponential_bounds(100, 1.2, 52)
#: Bounds of batch sizes: powers of two.
BATCH_SIZE_BOUNDS = exponential_bounds(1, 2, 14)
#: Bounds of examples per request: powers of two.
EXAMPLE_COUNT_BOUNDS = exponential_bounds(1, 2, 15)


class Scalar:
    """A whole number per combination of label values."""

    def __init__(self, name: str, *labels: str, kind: Literal["counter", "gauge"] = "counter") -> None:
        self.name = name
        self.labels = labels
        self.kind = kind
        self._lock = Lock()
        self._values: dict[LabelValues, int] = {}

    def increment(self, *labels: str, by: int = 1) -> None:
        """Add ``by`` to the cell of these label values."""
        # A dictionary and a lock, no cell objects: every request comes through here.
        values = self._values
        with self._lock:
            values[labels] = values.get(labels, 0) + by

    def collect(self) -> list[tuple[LabelValues, int]]:
        """All cells, sorted by label values."""
        with self._lock:
            return sorted(self._values.items())


class Histogram:
    """A distribution per combination of label values.

    A value that equals a bound is counted in the bucket above it, as in TensorFlow. With
    ``on_first_use`` the metric does not exist, not even as an empty one, before its first value [7.2].
    """

    kind = "histogram"

    def __init__(
        self, name: str, *labels: str, bounds: tuple[float, ...], on_first_use: bool = False
    ) -> None:
        self.name = name
        self.labels = labels
        self.bounds = bounds
        self.on_first_use = on_first_use
        self._lock = Lock()
        # The counts of the buckets and, behind them, the sum of the values.
        self._cells: dict[LabelValues, list[float]] = {}

    def record(self, value: float, *labels: str) -> None:
        """Add one value to the cell of these label values."""
        bucket = bisect_right(self.bounds, value)
        with self._lock:
            cell = self._cells.get(labels)
            if cell is None:
                cell = self._cells[labels] = [0] * (len(self.bounds) + 2)
            cell[bucket] += 1
            cell[-1] += value

    def collect(self) -> list[tuple[LabelValues, Distribution]]:
        """All cells, sorted by label values."""
        with self._lock:
            return [
                (labels, Distribution(tuple(map(int, counts)), total))
                for labels, (*counts, total) in sorted(self._cells.items())
            ]


Metric = Scalar | Histogram


class ServingMetrics:
    """Every metric of one server, each an attribute. All methods of all metrics are thread-safe.

    Latencies are in microseconds. The comments give the label values that TensorFlow Serving uses.
    Of the many metrics of TensorFlow itself only those are kept that can be told from outside it.
    """

    def __init__(self) -> None:
        # Requests: REST requests to /v1/ of whatever outcome; gRPC Predict, Classify and Regress.
        # `status` is the name of a code; an unparsed REST request has the model name "".
        self.request_count = Scalar("/tensorflow/serving/request_count", "model_name", "status")
        # Successes only. gRPC: `Predict`, `Classify`, `Regress` and `GRPC`; REST: `predict`, `classify`,
        # `regress`, "" and `REST`.
        self.request_latency = Histogram(
            "/tensorflow/serving/request_latency",
            "model_name",
            "API",
            "entrypoint",
            bounds=LATENCY_BOUNDS,
        )
        # The run itself, warm-up included: `Predict`, `Classify`, `Regress`, always with `TF1`.
        self.runtime_latency = Histogram(
            "/tensorflow/serving/runtime_latency", "model_name", "API", "runtime", bounds=LATENCY_BOUNDS
        )
        # MultiInference only.
        self.request_example_counts = Histogram(
            "/tensorflow/serving/request_example_counts", "model", bounds=EXAMPLE_COUNT_BOUNDS
        )
        self.request_example_count_total = Scalar("/tensorflow/serving/request_example_count_total", "model")
        # Warm-up, once per file read to its end or to a read error; `status` is `OK` or the whole text.
        self.model_warmup_latency = Histogram(
            "/tensorflow/serving/model_warmup_latency", "model_path", "status", bounds=LATENCY_BOUNDS
        )
        self.model_warmup_records_read = Scalar(
            "/tensorflow/serving/model_warmup_records_read", "model_path", "status"
        )
        # Batching; the name of the thread pool is always "".
        batching = "/tensorflow/serving/batching_session/"
        self.queuing_latency = Histogram(
            batching + "queuing_latency", "thread_pool_name", bounds=QUEUING_BOUNDS
        )
        self.wrapped_run_count = Scalar(batching + "wrapped_run_count")
        self.padding_size = Histogram(
            batching + "padding_size", "execution_batch_size", bounds=BATCH_SIZE_BOUNDS, on_first_use=True
        )
        self.input_batch_size = Histogram(
            batching + "input_batch_size", bounds=BATCH_SIZE_BOUNDS, on_first_use=True
        )
        self.processed_batch_size = Histogram(
            batching + "processed_batch_size", bounds=BATCH_SIZE_BOUNDS, on_first_use=True
        )
        # TensorFlow's own: `status` is `success` or `fail`, of what could be tried; `load_latency` adds up
        # the microseconds of all attempts;
        # `graph_runs` leaves out the runs within a load (restoring variables, initialisation).
        self.load_attempt_count = Scalar(
            "/tensorflow/cc/saved_model/load_attempt_count", "model_path", "status"
        )
        self.load_latency = Scalar("/tensorflow/cc/saved_model/load_latency", "model_path")
        self.graph_runs = Scalar("/tensorflow/core/graph_runs")
        self._metrics: dict[str, Metric] = {
            metric.name: metric
            for metric in (
                *vars(self).values(),
                # Declared by TensorFlow Serving, never written by its released binary.
                Scalar("/tensorflow/serving/request_log_count", "model_name", "status_code"),
                Scalar("/tensorflow/serving/mlmd_map", "model_name", "version", kind="gauge"),
            )
        }

    def all(self) -> Iterable[Metric]:
        """Every metric that exists by now, sorted by name [7.1.1]."""
        for _, metric in sorted(self._metrics.items()):
            if isinstance(metric, Scalar) or not metric.on_first_use or metric.collect():
                yield metric

    def value(self, name: str) -> int:
        """The number in the first cell of the metric called ``name``, as a reload reports it [6.9.4].

        An unknown metric, one without cells and a histogram all give 0.
        """
        metric = self._metrics.get(name)
        if not isinstance(metric, Scalar):
            return 0
        cells = metric.collect()
        return cells[0][1] if cells else 0
