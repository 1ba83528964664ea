"""Warm-up: running the requests that a version brings along before it becomes available."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from google.protobuf.message import DecodeError

from harness.wire import messages as wire
from server_impl.errors import ServingError, invalid_argument, unimplemented
from server_impl.filesystem import io_errors, join, local_path
from server_impl.servable.tfrecord import DamagedRecordError, read_records

if TYPE_CHECKING:
    from server_impl.metrics import ServingMetrics

logger = logging.getLogger(__name__)

#: Where a version directory keeps its warm-up requests [9.1].
REQUESTS_FILE = "assets.extra/tf_serving_warmup_requests"
#: One record more than this fails the load, after it was run [9.6].
MAX_RECORDS = 1000

Kind = Literal["predict", "classify", "regress", "multi_inference"]
WarmupRequest = (
    wire.PredictRequest | wire.ClassificationRequest | wire.RegressionRequest | wire.MultiInferenceRequest
)


def run_warmup(
    directory: str,
    run: Callable[[Kind, WarmupRequest], object],
    metrics: ServingMetrics,
    *,
    iterations: int | None = None,
) -> int:
    """Runs each request in the warm-up file of the version in ``directory``, if it has one.

    ``run`` executes a request through the inference core; what it gives is not looked at, what it
    raises ends warm-up and so the load [9.4]. Each request is run ``iterations`` times, or once
    [9.7]. Gives the number of records read. Raises ServingError for a file that cannot be read, holds
    something else than requests, or too many of them [9.3, 9.5, 9.6].
    """
    path = join(directory, REQUESTS_FILE)
    if not local_path(path).exists():
        logger.info("No warmup data file found at %s", path)
        return 0
    options = "" if iterations is None else f"num_request_iterations {{\n  value: {iterations}\n}}\n"
    logger.info("Starting to read warmup data for model at %s with model-warmup-options %s", path, options)
    start = perf_counter()
    count = 0
    damage: DamagedRecordError | None = None
    try:
        with io_errors(path), local_path(path).open("rb") as file:
            for record in read_records(file):
                log = _parse(record, path)
                for _ in range(1 if iterations is None else iterations):
                    _run_record(log, run)
                count += 1
                if count > MAX_RECORDS:
                    raise invalid_argument(
                        f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}"
                    )
    except DamagedRecordError as error:
        damage = error
    elapsed = (perf_counter() - start) * 1e6
    # Files read to their end or to damage are counted, those with a failing request are not [7.2].
    status = str(damage) if damage else "OK"
    metrics.model_warmup_latency.record(elapsed, directory, status)
    metrics.model_warmup_records_read.increment(directory, status, by=count)
    if damage:
        raise ServingError(
            damage.code, f"{damage.message}. Please verify your warmup data is in TFRecord format."
        )
    logger.info(
        "Finished reading warmup data for model at %s. Number of warmup records read: %d. "
        "Elapsed time (microseconds): %d.",
        path, count, elapsed,
    )  # fmt: skip
    return count


def _parse(record: bytes, path: str) -> wire.PredictionLog:
    try:
        return wire.PredictionLog.FromString(record)
    except DecodeError:
        text = record.decode("utf-8", "surrogateescape")
        raise invalid_argument(f"Failed to parse warmup record: {text} from {path}") from None


def _run_record(log: wire.PredictionLog, run: Callable[[Kind, WarmupRequest], object]) -> None:
    """Runs the request of one record. A record that names no kind is passed over [9.3]."""
    match log.WhichOneof("log_type"):
        case "predict_log":
            run("predict", log.predict_log.request)
        case "classify_log":
            run("classify", log.classify_log.request)
        case "regress_log":
            run("regress", log.regress_log.request)
        case "multi_inference_log":
            run("multi_inference", log.multi_inference_log.request)
        case str(kind):
            number = log.DESCRIPTOR.fields_by_name[kind].number
            raise unimplemented(f"Unsupported log_type for warmup: {number}")
