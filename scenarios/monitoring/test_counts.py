"""Which requests are counted, and under which labels [7.2]."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import numpy as np
import pytest

from harness.cases import Call, HttpRequest, get, post
from harness.client import GrpcClient, Refusal, RestClient
from harness.client.grpc import (
    CLASSIFY,
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    MULTI_INFERENCE,
    PREDICT,
    REGRESS,
    model_spec,
    predict_request,
)
from harness.models.examples import example
from harness.player import Player
from harness.terms import Level, Protocol
from harness.verdict import Mismatch
from harness.wire import messages as wire
from scenarios.monitoring.page import SERVING, expect_growth, read
from scenarios.monitoring.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)

COUNT, LATENCY = f"{SERVING}request_count", f"{SERVING}request_latency_count"
RUNTIME = f"{SERVING}runtime_latency_count"


class Counted(NamedTuple):
    """A request, and the labels it is counted under: status, API of its latency, model, API of its run."""

    request: HttpRequest | Call
    status: str | None
    api: str | None = None
    model: str = "m"
    runs: str | None = None


X = {"x": np.array([1], np.float32)}
BODY = '{"instances": [1.0]}'
ROWS = wire.Input(example_list=wire.ExampleList(examples=[example(x=1.5), example()]))


def spec(signature: str = "", version: int | None = None) -> wire.ModelSpec:
    return model_spec("examples", version, signature=signature)


OVER_GRPC = {
    "predict": Counted(Call(PREDICT, predict_request("m", X)), "OK", "Predict", runs="Predict"),
    "classify": Counted(
        Call(CLASSIFY, wire.ClassificationRequest(model_spec=spec(), input=ROWS)),
        "OK",
        "Classify",
        "examples",
        "Classify",
    ),
    "regress": Counted(
        Call(REGRESS, wire.RegressionRequest(model_spec=spec("regress"), input=ROWS)),
        "OK",
        "Regress",
        "examples",
        "Regress",
    ),
    "unknown-version": Counted(Call(PREDICT, predict_request("m", X, version=9)), "NOT_FOUND"),
    "unknown-model": Counted(Call(PREDICT, predict_request("nobody", X)), "NOT_FOUND", model="nobody"),
    "unknown-signature": Counted(
        Call(PREDICT, predict_request("m", X, signature="none")), "FAILED_PRECONDITION"
    ),
    "no-inputs": Counted(Call(PREDICT, predict_request("m", {})), "INVALID_ARGUMENT"),
    "failed-classify": Counted(
        Call(CLASSIFY, wire.ClassificationRequest(model_spec=spec("none"), input=ROWS)),
        "INVALID_ARGUMENT",
        model="examples",
    ),
}

OVER_REST = {
    "predict": Counted(post("/v1/models/m:predict", BODY), "OK", "predict", runs="Predict"),
    "classify": Counted(
        post("/v1/models/examples:classify", '{"examples": [{}]}'), "OK", "classify", "examples", "Classify"
    ),
    "regress": Counted(
        post("/v1/models/examples:regress", '{"signature_name": "regress", "examples": [{}]}'),
        "OK",
        "regress",
        "examples",
        "Regress",
    ),
    "status": Counted(get("/v1/models/m"), "OK", ""),
    "metadata": Counted(get("/v1/models/m/metadata"), "OK", ""),
    "bad-json": Counted(post("/v1/models/m:predict", "{"), "INVALID_ARGUMENT"),
    "unknown-signature": Counted(
        post("/v1/models/m:predict", '{"signature_name": "none", "instances": [1]}'), "INVALID_ARGUMENT"
    ),
    "unknown-model": Counted(post("/v1/models/nobody:predict", BODY), "NOT_FOUND", model="nobody"),
    "unknown-version": Counted(get("/v1/models/m/versions/9"), "NOT_FOUND"),
    "no-name": Counted(get("/v1/models"), "INVALID_ARGUMENT", model=""),
    "options": Counted(
        HttpRequest("OPTIONS", "/v1/models/m", headers=(("Origin", "http://page.test"),)), "OK", "", model=""
    ),
    "other-path": Counted(get("/elsewhere"), None),
}

NOT_COUNTED = {
    "metadata": Counted(
        Call(
            GET_MODEL_METADATA,
            wire.GetModelMetadataRequest(model_spec=model_spec("m"), metadata_field=["signature_def"]),
        ),
        None,
    ),
    "status": Counted(Call(GET_MODEL_STATUS, wire.GetModelStatusRequest(model_spec=model_spec("m"))), None),
    "multi-inference": Counted(
        Call(
            MULTI_INFERENCE,
            wire.MultiInferenceRequest(
                tasks=[
                    wire.InferenceTask(model_spec=spec("regress"), method_name="tensorflow/serving/regress")
                ],
                input=ROWS,
            ),
        ),
        None,
    ),
}


def send(player: Player, request: HttpRequest | Call) -> None:
    """Send a request; whether it succeeds is for others to check."""
    if isinstance(request, Call):
        grpc = player.client(Protocol.GRPC)
        assert isinstance(grpc, GrpcClient)
        with contextlib.suppress(Refusal):
            grpc.exchange(request.method, request.encode())
        return
    rest = player.client(Protocol.REST)
    assert isinstance(rest, RestClient)
    rest.exchange(request.method, request.target, request.content(), dict(request.headers))


def expect(player: Player, counted: Counted, entrypoint: str) -> None:
    """Send a request and look what has grown."""
    expected = {}
    if counted.status is not None:
        expected[f'{COUNT}{{model_name="{counted.model}",status="{counted.status}"}}'] = 1.0
    if counted.api is not None:
        labels = f'model_name="{counted.model}",API="{counted.api}",entrypoint="{entrypoint}"'
        expected[f"{LATENCY}{{{labels}}}"] = 1.0
    expect_growth(player, (COUNT, LATENCY), lambda: send(player, counted.request), expected)


@pytest.mark.fact("7.2", "MET-04", "MET-07", protocol=Protocol.GRPC)
@pytest.mark.parametrize("name", OVER_GRPC)
def test_grpc(player: Player, name: str) -> None:
    """Predict, Classify and Regress are counted by status; latencies are those of successes."""
    expect(player, OVER_GRPC[name], "GRPC")


@pytest.mark.fact("7.2", "7.2.1", "MET-04", "MET-05", "MET-07", protocol=Protocol.REST)
@pytest.mark.parametrize("name", OVER_REST)
def test_rest(player: Player, name: str) -> None:
    """Every request below /v1/ is counted by status, whatever it asks for; latencies are of successes."""
    expect(player, OVER_REST[name], "REST")


@pytest.mark.fact("7.2.1", "MET-06", protocol=Protocol.GRPC)
@pytest.mark.parametrize("name", NOT_COUNTED)
def test_not_counted(player: Player, name: str) -> None:
    """Over gRPC, metadata, status and MultiInference are not counted."""
    expect(player, NOT_COUNTED[name], "GRPC")


#: Requests that run the model, over either protocol.
RUNS = {
    f"{protocol}-{name}": counted
    for protocol, table in (("grpc", OVER_GRPC), ("rest", OVER_REST))
    for name, counted in table.items()
    if counted.runs is not None
}


@pytest.mark.fact("7.2", "MET-08")
@pytest.mark.parametrize("name", RUNS)
def test_runtime(player: Player, name: str) -> None:
    """The time of each run is measured under the API's name and the runtime TF1, over both protocols."""
    request, model, api = RUNS[name].request, RUNS[name].model, RUNS[name].runs
    expected = {f'{RUNTIME}{{model_name="{model}",API="{api}",runtime="TF1"}}': 1.0}
    expect_growth(player, (RUNTIME,), lambda: send(player, request), expected)


EXAMPLE_METRICS = (f"{SERVING}request_example_counts_count", f"{SERVING}request_example_count_total")


@pytest.mark.fact("7.2", "MET-09", protocol=Protocol.GRPC)
def test_examples(player: Player) -> None:
    """MultiInference counts its examples."""
    calls, total = EXAMPLE_METRICS
    expected = {f'{calls}{{model="examples"}}': 1.0, f'{total}{{model="examples"}}': 2.0}
    request = NOT_COUNTED["multi-inference"].request
    expect_growth(player, EXAMPLE_METRICS, lambda: send(player, request), expected)


@pytest.mark.fact("7.2", "MET-09", level=Level.SHOULD, protocol=Protocol.GRPC)
@pytest.mark.parametrize("name", ["classify", "regress"])
def test_examples_not_counted(player: Player, name: str) -> None:
    """Classify and Regress do not count their examples."""
    expect_growth(player, EXAMPLE_METRICS, lambda: send(player, OVER_GRPC[name].request), {})


@pytest.mark.fact("7.2", "9.9", "MET-10", level=Level.SHOULD, protocol=Protocol.REST)
def test_warm_up(player: Player) -> None:
    """A warm-up is measured: how many records were read, and how long it took."""
    page = read(player)
    for name, expected in (("model_warmup_records_read", 2), ("model_warmup_latency_count", 1)):
        samples = page.labelled(SERVING + name)
        found = [value for labels, value in samples.items() if '/warm/1",status="OK"' in labels]
        if found != [expected]:
            raise Mismatch(f'{name}{{model_path=".../warm/1",status="OK"}} {expected}', str(samples))


@pytest.mark.fact("7.2.3", "X-56", level=Level.SHOULD, protocol=Protocol.REST)
def test_loads(player: Player) -> None:
    """Loads are counted by the path of the version."""
    samples = read(player).labelled(":tensorflow:cc:saved_model:load_attempt_count")
    if not any('/m/1",status="success"' in labels and value == 1 for labels, value in samples.items()):
        raise Mismatch('load_attempt_count{model_path=".../m/1",status="success"} 1', str(samples))
