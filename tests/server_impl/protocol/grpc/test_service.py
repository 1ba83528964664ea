"""The gRPC methods from bytes to bytes: what they answer, count and hold [6, 7.2]."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator

import numpy as np
import pytest

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, failed_precondition, not_found
from server_impl.inference.run import Settings
from server_impl.lifecycle.monitor import Monitor
from server_impl.lifecycle.states import Event, ServableId, State
from server_impl.metrics import ServingMetrics
from server_impl.protocol.grpc.health import health_methods
from server_impl.protocol.grpc.service import LARGE_REQUEST, GrpcService
from server_impl.protocol.reply import take_steps
from server_impl.tensor import Tensor
from tests.server_impl.inference.fakes import FakeRunner, constant, servable, serving, signature

PREDICTION = "/tensorflow.serving.PredictionService/"
MODEL = "/tensorflow.serving.ModelService/"


class Server:
    """A service over one model ``m`` in version 3, and a way to call it as a front does."""

    def __init__(self, *, as_content: bool = False) -> None:
        self.runner = FakeRunner(
            {
                "y:0": lambda feeds: Tensor(wire.DT_FLOAT, feeds["x:0"].array * 2),
                "s:0": constant(wire.DT_FLOAT, [[1.5]]),
                "r:0": constant(wire.DT_FLOAT, [2.5]),
            }
        )
        served = servable(
            signature("serving_default", {"x": "x:0"}, {"y": "y:0"}),
            signature("c", {"inputs": "in:0"}, {"scores": "s:0"}),
            signature("r", {"inputs": "in:0"}, {"outputs": "r:0"}),
            runner=self.runner,
        )
        self.serving = serving(served)
        self.monitor = Monitor()
        self.metrics = ServingMetrics()
        self.configs: list[wire.ModelServerConfig] = []
        self.reload: Callable[[], None] = lambda: None
        self.methods = GrpcService(
            Settings(self.metrics), self.serving, self.monitor, self._reload, as_content=as_content
        ).methods()

    def _reload(self, config: wire.ModelServerConfig) -> None:
        self.configs.append(config)
        self.reload()

    def call(self, path: str, payload: bytes, deadline: float | None = None) -> bytes:
        reply = take_steps(self.methods[path](payload, deadline))
        return reply if isinstance(reply, bytes) else reply()

    def requests(self) -> dict[tuple[str, ...], int]:
        return dict(self.metrics.request_count.collect())

    def latencies(self) -> list[tuple[str, ...]]:
        return [labels for labels, _ in self.metrics.request_latency.collect()]


@pytest.fixture
def server() -> Server:
    return Server()


def predict(*values: float, name: str = "m", dtype: int = wire.DT_FLOAT) -> wire.PredictRequest:
    request = wire.PredictRequest()
    request.model_spec.name = name
    request.inputs["x"].dtype = dtype  # type: ignore[assignment]
    request.inputs["x"].tensor_shape.dim.add(size=len(values))
    request.inputs["x"].float_val.extend(values)
    return request


def refusal(act: Callable[[], object]) -> tuple[Code, str]:
    with pytest.raises(ServingError) as raised:
        act()
    return raised.value.code, raised.value.message


def test_all_methods_of_both_services(server: Server) -> None:
    prediction = ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")
    assert server.methods.keys() == {
        *(PREDICTION + name for name in prediction),
        MODEL + "GetModelStatus",
        MODEL + "HandleReloadConfigRequest",
    }


def test_predict(server: Server) -> None:
    response = wire.PredictResponse.FromString(
        server.call(PREDICTION + "Predict", predict(1, 2).SerializeToString())
    )
    assert list(response.outputs["y"].float_val) == [2, 4]
    assert response.model_spec.version.value == 3
    assert server.requests() == {("m", "OK"): 1}
    assert server.latencies() == [("m", "Predict", "GRPC")]
    assert [labels for labels, _ in server.metrics.runtime_latency.collect()] == [("m", "Predict", "TF1")]


def test_predict_with_tensor_content() -> None:
    server = Server(as_content=True)
    payload = server.call(PREDICTION + "Predict", predict(1).SerializeToString())
    response = wire.PredictResponse.FromString(payload)
    assert response.outputs["y"].tensor_content == np.float32(2).tobytes()


def examples_request(kind: type, signature_name: str) -> bytes:
    request = kind()
    request.model_spec.name = "m"
    request.model_spec.signature_name = signature_name
    request.input.example_list.examples.add()
    return bytes(request.SerializeToString())


def test_classify_and_regress(server: Server) -> None:
    classified = server.call(PREDICTION + "Classify", examples_request(wire.ClassificationRequest, "c"))
    (row,) = wire.ClassificationResponse.FromString(classified).result.classifications
    assert [each.score for each in row.classes] == [1.5]
    regressed = server.call(PREDICTION + "Regress", examples_request(wire.RegressionRequest, "r"))
    (value,) = wire.RegressionResponse.FromString(regressed).result.regressions
    assert value.value == 2.5
    assert server.requests() == {("m", "OK"): 2}
    assert server.latencies() == [("m", "Classify", "GRPC"), ("m", "Regress", "GRPC")]


def test_multi_inference_counts_examples_and_no_requests(server: Server) -> None:
    request = wire.MultiInferenceRequest()
    for name, method in (("r", "tensorflow/serving/regress"), ("c", "tensorflow/serving/classify")):
        task = request.tasks.add(method_name=method)
        task.model_spec.name = "m"
        task.model_spec.signature_name = name
    request.input.example_list.examples.add()
    payload = server.call(PREDICTION + "MultiInference", request.SerializeToString())
    results = wire.MultiInferenceResponse.FromString(payload).results
    assert [each.model_spec.signature_name for each in results] == ["r", "c"]
    assert server.requests() == {}
    assert server.latencies() == []
    assert server.metrics.request_example_count_total.collect() == [(("m",), 1)]


@pytest.mark.parametrize("path", [PREDICTION + "Predict", PREDICTION + "Classify", MODEL + "GetModelStatus"])
def test_bytes_that_are_no_message(server: Server, path: str) -> None:
    assert refusal(lambda: server.call(path, b"\xff")) == (Code.INTERNAL, "")
    assert server.requests() == {}


@pytest.mark.parametrize(
    ("request_", "counted"),
    [
        (wire.PredictRequest(), ("", "INVALID_ARGUMENT")),
        (predict(1, name="nope"), ("nope", "NOT_FOUND")),
        (predict(1, dtype=wire.DT_INVALID), ("m", "INVALID_ARGUMENT")),
    ],
)
def test_refusals_are_counted(
    server: Server, request_: wire.PredictRequest, counted: tuple[str, str]
) -> None:
    code, _ = refusal(lambda: server.call(PREDICTION + "Predict", request_.SerializeToString()))
    assert code.name == counted[1]
    assert server.requests() == {counted: 1}
    assert server.latencies() == []


def test_failing_run_is_counted(server: Server) -> None:
    def fail() -> None:
        raise failed_precondition("not today")

    server.runner.before_run = fail
    payload = predict(1).SerializeToString()
    assert refusal(lambda: server.call(PREDICTION + "Predict", payload)) == (
        Code.FAILED_PRECONDITION,
        "not today",
    )
    assert server.requests() == {("m", "FAILED_PRECONDITION"): 1}


# Where it runs, and until when.


def test_short_runs_are_answered_in_steps_and_without_a_deadline(server: Server) -> None:
    reply = server.methods[PREDICTION + "Predict"](predict(1).SerializeToString(), time.monotonic() + 5)
    assert isinstance(reply, Generator)
    while not server.runner.timeouts:
        next(reply)
    assert server.runner.timeouts == [None]
    assert server.requests() == {}
    response = take_steps(reply)
    assert isinstance(response, bytes)
    assert list(wire.PredictResponse.FromString(response).outputs["y"].float_val) == [2]
    assert server.requests() == {("m", "OK"): 1}


def test_long_runs_are_deferred_and_get_what_is_left(server: Server) -> None:
    server.runner.inline = False
    reply = take_steps(
        server.methods[PREDICTION + "Predict"](predict(1).SerializeToString(), time.monotonic() + 5)
    )
    assert callable(reply)
    assert server.runner.fed == []
    assert list(wire.PredictResponse.FromString(reply()).outputs["y"].float_val) == [2]
    (timeout,) = server.runner.timeouts
    assert timeout is not None
    assert 0 < timeout <= 5000


def test_work_whose_deadline_has_passed_is_not_begun(server: Server) -> None:
    server.runner.inline = False
    payload = predict(1).SerializeToString()
    code, _ = refusal(lambda: server.call(PREDICTION + "Predict", payload, time.monotonic() - 1))
    assert code is Code.DEADLINE_EXCEEDED
    assert server.runner.fed == []
    assert server.requests() == {("m", "DEADLINE_EXCEEDED"): 1}


def test_large_requests_are_not_even_parsed_at_once(server: Server) -> None:
    large = predict(*([1.0] * (LARGE_REQUEST // 4)))
    reply = server.methods[PREDICTION + "Predict"](large.SerializeToString(), None)
    assert callable(reply)
    assert len(wire.PredictResponse.FromString(reply()).outputs["y"].float_val) == LARGE_REQUEST // 4
    garbage = server.methods[PREDICTION + "Predict"](b"\xff" * (LARGE_REQUEST + 1), None)
    assert callable(garbage)
    assert refusal(garbage) == (Code.INTERNAL, "")


def leases(server: Server) -> int:
    """How many references to the serving map there are beside that of the serving itself."""
    gc.collect()
    return len(gc.get_referrers(server.serving._current)) - 1


def test_nothing_is_held_after_an_answer_or_an_error(server: Server) -> None:
    def fail() -> None:
        raise not_found("x")

    before = leases(server)
    server.runner.inline = False
    payload = predict(1).SerializeToString()
    work = take_steps(server.methods[PREDICTION + "Predict"](payload, None))
    assert callable(work)
    assert leases(server) == before + 1
    work()
    assert leases(server) == before
    server.runner.before_run = fail
    server.runner.inline = True
    errors = []
    for request in (payload, predict(1, dtype=wire.DT_INVALID).SerializeToString()):
        try:
            server.call(PREDICTION + "Predict", request)
        except ServingError as error:
            errors.append(error)
    assert len(errors) == 2
    assert leases(server) == before
    server.runner.before_run = lambda: None
    for taken in range(7):
        steps = server.methods[PREDICTION + "Predict"](payload, None)
        assert isinstance(steps, Generator)
        for _ in range(taken):
            next(steps)
        steps.close()  # as when a server ends that has not come to the rest
        assert leases(server) == before


# The rest of the services.


def test_metadata(server: Server) -> None:
    request = wire.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "m"
    response = wire.GetModelMetadataResponse.FromString(
        server.call(PREDICTION + "GetModelMetadata", request.SerializeToString())
    )
    assert response.model_spec.name == "m"
    assert response.model_spec.version.value == 3
    assert response.model_spec.signature_name == ""
    packed = response.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    assert wire.SignatureDefMap.FromString(packed.value).signature_def.keys() == {"serving_default", "c", "r"}
    assert server.requests() == {}


def test_status(server: Server) -> None:
    server.monitor.handle(Event(ServableId("m", 3), State.AVAILABLE))
    server.monitor.handle(Event(ServableId("m", 4), State.END, not_found("no file \udcff")))
    request = wire.GetModelStatusRequest()
    request.model_spec.name = "m"
    response = wire.GetModelStatusResponse.FromString(
        server.call(MODEL + "GetModelStatus", request.SerializeToString())
    )
    assert [
        (each.version, each.state, each.HasField("status"), each.status.error_code, each.status.error_message)
        for each in response.model_version_status
    ] == [(4, 50, True, 5, "no file \ufffd"), (3, 30, True, 0, "")]


def test_status_without_a_spec(server: Server) -> None:
    assert refusal(lambda: server.call(MODEL + "GetModelStatus", b"")) == (
        Code.INVALID_ARGUMENT,
        "Missing ModelSpec",
    )


def test_reload_reports_what_metrics_grew_by(server: Server) -> None:
    server.metrics.request_count.increment("m", "OK")
    server.reload = lambda: server.metrics.request_count.increment("m", "OK", by=2)
    request = wire.ReloadConfigRequest(
        metric_names=["/tensorflow/serving/request_count", "/nope", "/tensorflow/serving/request_count"]
    )
    request.config.model_config_list.config.add(name="m", base_path="/models/m")
    reply = server.methods[MODEL + "HandleReloadConfigRequest"](request.SerializeToString(), 0.0)
    assert not isinstance(reply, bytes)  # it may take minutes
    response = wire.ReloadConfigResponse.FromString(reply())
    assert server.configs == [request.config]
    assert response.HasField("status")
    assert response.status.error_code == 0
    assert {each.name: each.int64_value_increase for each in response.metric} == {
        "/tensorflow/serving/request_count": 2,
        "/nope": 0,
    }
    assert all(each.WhichOneof("value_increase") for each in response.metric)


def test_refused_reload_is_the_error_of_the_call(server: Server) -> None:
    def fail() -> None:
        raise failed_precondition("no")

    server.reload = fail
    assert refusal(lambda: server.call(MODEL + "HandleReloadConfigRequest", b"")) == (
        Code.FAILED_PRECONDITION,
        "no",
    )


@pytest.mark.parametrize(
    ("payload", "known"),
    [
        (b"", True),
        (b"\x0a\x00", True),
        (b"\x0a\x0cModelService", True),
        (b"\x0a\x11PredictionService", True),
        (b"\x0a\x04nope", False),
    ],
)
def test_health(payload: bytes, known: bool) -> None:
    unary, watch = health_methods()
    assert watch["/grpc.health.v1.Health/Watch"](payload) == (b"\x08\x01" if known else b"\x08\x03")
    check = unary["/grpc.health.v1.Health/Check"]
    if known:
        assert check(payload, None) == b"\x08\x01"
    else:
        assert refusal(lambda: check(payload, None)) == (Code.NOT_FOUND, "service name unknown")
