from __future__ import annotations

import logging

import pytest

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, failed_precondition
from server_impl.metrics import ServingMetrics
from server_impl.servable.warmup import MAX_RECORDS, REQUESTS_FILE, run_warmup
from tests.server_impl.servable.test_tfrecord import record


@pytest.fixture
def version(tmp_path):
    """Writes the warm-up file of a version directory, and gives the directory: ``version(contents)``."""

    def write(contents: bytes) -> str:
        path = tmp_path / REQUESTS_FILE
        path.parent.mkdir()
        path.write_bytes(contents)
        return str(tmp_path)

    return write


def log(**fields) -> bytes:
    return record(wire.PredictionLog(**fields).SerializeToString())


def predict(name: str) -> bytes:
    request = wire.PredictRequest(model_spec=wire.ModelSpec(name=name))
    return log(predict_log=wire.PredictLog(request=request))


def no_run(kind, request):
    raise AssertionError(f"nothing is to be run, not {kind} {request}")


def collected(metric) -> list:
    return [(labels, getattr(cell, "counts", cell)) for labels, cell in metric.collect()]


def test_each_kind_is_run_in_order(version):
    directory = version(
        predict("a")
        + log(
            classify_log=wire.ClassifyLog(
                request=wire.ClassificationRequest(model_spec=wire.ModelSpec(name="b"))
            )
        )
        + log(
            regress_log=wire.RegressLog(request=wire.RegressionRequest(model_spec=wire.ModelSpec(name="c")))
        )
        + log(multi_inference_log=wire.MultiInferenceLog(request=wire.MultiInferenceRequest(tasks=[{}])))
    )
    runs = []
    assert (
        run_warmup(directory, lambda kind, request: runs.append((kind, type(request))), ServingMetrics()) == 4
    )
    assert runs == [
        ("predict", wire.PredictRequest),
        ("classify", wire.ClassificationRequest),
        ("regress", wire.RegressionRequest),
        ("multi_inference", wire.MultiInferenceRequest),
    ]


@pytest.mark.parametrize(("iterations", "names"), [(None, "ab"), (1, "ab"), (3, "aaabbb"), (0, "")])
def test_iterations_multiply_runs_but_not_records(version, iterations, names):
    directory = version(predict("a") + predict("b"))
    runs = []
    metrics = ServingMetrics()
    count = run_warmup(
        directory, lambda _, request: runs.append(request.model_spec.name), metrics, iterations=iterations
    )
    assert count == 2
    assert "".join(runs) == names
    assert collected(metrics.model_warmup_records_read) == [((directory, "OK"), 2)]


def test_a_version_without_requests(tmp_path, caplog):
    metrics = ServingMetrics()
    with caplog.at_level(logging.INFO):
        assert run_warmup(str(tmp_path), no_run, metrics) == 0
    assert caplog.messages == [f"No warmup data file found at {tmp_path}/{REQUESTS_FILE}"]
    assert collected(metrics.model_warmup_records_read) == []


def test_an_empty_file(version, caplog):
    directory = version(b"")
    with caplog.at_level(logging.INFO):
        assert run_warmup(directory, no_run, ServingMetrics()) == 0
    assert caplog.messages[1].startswith(
        f"Finished reading warmup data for model at {directory}/{REQUESTS_FILE}. "
        "Number of warmup records read: 0. Elapsed time (microseconds): "
    )


def test_a_record_of_no_kind_is_counted_and_passed_over(version):
    assert run_warmup(version(record(b"")), no_run, ServingMetrics()) == 1


@pytest.mark.parametrize(
    ("contents", "code", "text"),
    [
        (log(session_run_log={}), Code.UNIMPLEMENTED, "Unsupported log_type for warmup: 5"),
        (log(predict_streamed_log={}), Code.UNIMPLEMENTED, "Unsupported log_type for warmup: 7"),
        (record(b"\xff\xfe not a log"), Code.INVALID_ARGUMENT,
         "Failed to parse warmup record: \udcff\udcfe not a log from {}"),
        (b"these are not records", Code.DATA_LOSS,
         "corrupted record at 0 (Is this even a TFRecord file?). "
         "Please verify your warmup data is in TFRecord format."),
    ],
)  # fmt: skip
def test_files_that_fail_the_load(version, contents, code, text):
    directory = version(contents)
    with pytest.raises(ServingError) as caught:
        run_warmup(directory, no_run, ServingMetrics())
    assert caught.value.code is code
    assert caught.value.message == text.replace("{}", f"{directory}/{REQUESTS_FILE}")


def test_damage_is_counted_with_its_text(version):
    metrics = ServingMetrics()
    directory = version(predict("a") + b"?" * 20)
    with pytest.raises(ServingError, match="Please verify"):
        run_warmup(directory, lambda *_: None, metrics)
    ((labels, count),) = collected(metrics.model_warmup_records_read)
    offset = len(predict("a"))
    assert labels == (directory, f"DATA_LOSS: corrupted record at {offset}")
    assert count == 1


def test_a_failing_request_ends_warmup_with_its_error_and_is_not_counted(version):
    def run(kind, request):
        raise failed_precondition('Serving signature key "nope" not found.')

    metrics = ServingMetrics()
    with pytest.raises(ServingError, match="nope"):
        run_warmup(version(predict("a")), run, metrics)
    assert collected(metrics.model_warmup_records_read) == []


@pytest.mark.parametrize("surplus", [0, 1, 5])
def test_at_most_a_thousand_records(version, surplus):
    directory = version(record(b"") * (MAX_RECORDS - 1) + predict("a") * (1 + surplus))
    runs = []
    if not surplus:
        assert run_warmup(directory, lambda *_: runs.append(1), ServingMetrics()) == MAX_RECORDS
        return
    with pytest.raises(ServingError) as caught:
        run_warmup(directory, lambda *_: runs.append(1), ServingMetrics())
    assert caught.value.message == (
        f"Number of warmup records exceeds the maximum (1000) at {directory}/{REQUESTS_FILE}"
    )
    assert len(runs) == 2  # the first record too many is run
