import base64
import json

import numpy as np
import pytest

from harness.actions import Publish
from harness.client import Metadata, json_form
from harness.client.grpc import PREDICT
from harness.client.outcome import SignatureInfo
from harness.loadgen import traffic, user_traffic
from harness.loadgen.checking import Check
from harness.loadgen.plan import Plan
from harness.loadgen.traffic import Mix, TrafficError
from harness.models import BUILDERS
from harness.scenario import Scenario, Step
from harness.terms import Model, Protocol, Request, TensorSpec, Traffic
from harness.wire import messages as wire
from harness.wire import tensors

SCENARIO = Scenario(
    "s",
    "s",
    models=(Model("m", "half_plus_two", versions=(1, 2)), Model("s", "strings", offset=7)),
    steps=(Step("later", "", actions=(Publish("m", 5),)),),
    traffic=(Traffic(Request("m"), 3), Traffic(Request("m", version=2)), Traffic(Request("s"))),
)


def test_every_version_that_may_answer_has_its_right_answer():
    prepared = traffic.of_scenario(SCENARIO, Mix((Protocol.REST,)))
    by_name = {one.endpoint.name: one for _, one in prepared}
    assert set(by_name) == {"rest predict m", "rest predict m@2", "rest predict s"}
    assert set(by_name["rest predict m"].expected.by_version) == {2, 5}
    assert set(by_name["rest predict m@2"].expected.by_version) == {2}
    assert sum(one.weight for _, one in prepared) == pytest.approx(5)
    for _, one in prepared:
        for version, several in one.expected.by_version.items():
            reply = json_form.predict_body(several[0]).replace(b'"instances"', b'"predictions"', 1)
            assert Check(Protocol.REST, one.expected)(reply) == str(version)


def inputs_in(one, alias):
    if one.protocol is Protocol.GRPC:
        return wire.PredictRequest.FromString(one.body).inputs[alias]
    return json.loads(one.body)


def test_each_encoding_carries_the_same_inputs_its_own_way():
    sample = BUILDERS["half_plus_two"].signature(None).sample(0)
    request = Request("m", version=4)
    mix = Mix(encodings=("row", "column", "content", "typed"))
    row, column, content, typed = traffic.prepare(request, sample, mix, 4.0, user_traffic.SEEN)
    assert json.loads(row.body).keys() == {"instances"}
    assert json.loads(column.body).keys() == {"inputs"}
    assert inputs_in(content, "x").tensor_content
    assert len(inputs_in(typed, "x").float_val) == len(sample["x"])
    assert row.path == "/v1/models/m/versions/4:predict"
    assert wire.PredictRequest.FromString(typed.body).model_spec.version.value == 4
    assert [one.weight for one in (row, column, content, typed)] == [1.0] * 4
    assert len({one.endpoint.name for one in (row, column)}) == 2


def test_base64_carries_strings_alone():
    mix = Mix((Protocol.REST,), ("base64",))
    sample = {"s": np.array(["grüße".encode()], object)}
    (one,) = traffic.prepare(Request("s"), sample, mix, 1.0, user_traffic.SEEN)
    assert json.loads(one.body)["instances"] == [{"b64": base64.b64encode("grüße".encode()).decode()}]
    with pytest.raises(TrafficError, match="no string input"):
        list(traffic.prepare(Request("m"), {"x": np.zeros(1)}, mix, 1.0, user_traffic.SEEN))


def test_a_batch_has_the_rows_asked_for():
    sample = BUILDERS["half_plus_two"].signature(None).sample
    assert traffic.batch(sample, 0, 7)["x"].shape == (7,)
    assert traffic.batch(sample, 0, 1)["x"].tolist() == sample(0)["x"][:1].tolist()


def test_a_protocol_needs_an_encoding():
    with pytest.raises(TrafficError, match="add content or typed to --encoding"):
        Mix(encodings=("row",)).ways()


def test_a_plan_survives_the_journey():
    requests = [one for _, one in traffic.of_scenario(SCENARIO, Mix())]
    plan = Plan({"rest": "h:1", "grpc": "h:2"}, requests, 5.0, 10.0, None, 7)
    again = Plan.from_message(plan.to_message())
    assert [one.body for one in again.requests] == [one.body for one in requests]
    assert [one.endpoint for one in again.requests] == [one.endpoint for one in requests]
    assert (again.seed, again.bound, again.addresses) == (7, None, plan.addresses)


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        ("m", [(Request("m"), 1.0)]),
        (
            "m@3=2, n@stable:sig",
            [(Request("m", version=3), 2.0), (Request("n", label="stable", signature="sig"), 1.0)],
        ),
        ("", []),
    ],
)
def test_models_are_read(text, requests):
    assert user_traffic.parse_models(text) == requests


@pytest.mark.parametrize("text", ["@3", "m@", "m=x", "m@1@2"])
def test_models_that_do_not_parse(text):
    with pytest.raises(TrafficError, match="does not parse"):
        user_traffic.parse_models(text)


def describe(_):
    inputs = {
        "x": TensorSpec("DT_FLOAT", (-1, 2)),
        "n": TensorSpec("DT_INT32", (-1,)),
        "s": TensorSpec("DT_STRING", None),
    }
    return Metadata(1, {"serving_default": SignatureInfo("tensorflow/serving/predict", inputs, {})})


def test_inputs_are_made_up_from_metadata():
    prepared = user_traffic.of_models([(Request("m"), 1.0)], Mix((Protocol.GRPC,), batch=3), describe)
    request = wire.PredictRequest.FromString(prepared[0].body)
    shapes = {alias: tensors.from_proto(proto).shape for alias, proto in request.inputs.items()}
    assert shapes == {"x": (3, 2), "n": (3,), "s": (3,)}
    assert len({one.body for one in prepared}) == traffic.VARIANTS
    with pytest.raises(TrafficError, match="no signature 'other'; it has serving_default"):
        user_traffic.of_models([(Request("m", signature="other"), 1.0)], Mix(), describe)


def describe_without_rows(_):
    inputs = {"x": TensorSpec("DT_FLOAT", (4, -1)), "factor": TensorSpec("DT_FLOAT", ())}
    return Metadata(1, {"serving_default": SignatureInfo("tensorflow/serving/predict", inputs, {})})


def test_inputs_without_rows_keep_their_shapes_and_travel_in_columns():
    models = [(Request("m"), 1.0)]
    mix = Mix(encodings=("column", "content"))
    rest, grpc = user_traffic.of_models(models, mix, describe_without_rows)[:2]
    assert np.shape(json.loads(rest.body)["inputs"]["x"]) == (4, 1)
    assert np.shape(json.loads(rest.body)["inputs"]["factor"]) == ()
    request = wire.PredictRequest.FromString(grpc.body)
    assert tensors.from_proto(request.inputs["x"]).shape == (4, 1)
    with pytest.raises(TrafficError, match="use --encoding column,content"):
        user_traffic.of_models(models, Mix(), describe_without_rows)
    with pytest.raises(TrafficError, match="make no batches"):
        user_traffic.of_models(models, Mix(batch=2), describe_without_rows)


def file_of(tmp_path, *lines):
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def test_a_file_of_inputs_is_sent_as_the_mix_says(tmp_path):
    line = {"model": "m", "inputs": {"x": [[1, 2]], "n": [3]}, "expected": {"y": [2.5]}, "weight": 4}
    rest, grpc = user_traffic.of_file(file_of(tmp_path, line, ""), Mix(), describe)
    assert json.loads(rest.body) == {"instances": [{"x": [1.0, 2.0], "n": 3}]}
    assert inputs_in(grpc, "x").dtype == wire.DT_FLOAT
    assert rest.weight == 2.0
    assert Check(Protocol.REST, rest.expected)(b'{"predictions": [2.5]}') == "?"


def test_recorded_requests_are_sent_as_they_are(tmp_path):
    message = wire.PredictRequest()
    message.model_spec.name = "m"
    lines = [
        {"request": {"method": "POST", "target": "/v1/models/m/versions/3:predict", "body": '{"x": 1}'}},
        {"method": "POST", "target": "/v1/models/m:classify", "body": {"examples": []}},
        {"method": PREDICT, "body_b64": base64.b64encode(message.SerializeToString()).decode()},
    ]
    predict, classify, grpc = user_traffic.of_file(file_of(tmp_path, *lines), Mix(), describe)
    assert (predict.body, predict.endpoint.name) == (b'{"x": 1}', "rest predict m")
    assert classify.expected.exact
    assert (grpc.endpoint.model, grpc.path) == ("m", PREDICT)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 1"),
        ([], "line 1"),
        ({"model": "m"}, "'inputs' is missing"),
        ({"model": "m", "inputs": {"z": [1]}}, "model m has no input 'z'; it has x, n, s"),
        ({"model": "m", "inputs": {"n": ["a"]}}, "line 1"),
        ({"method": "GET", "target": "/"}, "only POST"),
        ({"method": PREDICT, "body_b64": "?"}, "not base64"),
        ({"method": "POST", "target": "/", "body": "x", "sha256": "y"}, "only the beginning"),
    ],
)
def test_a_line_that_makes_no_sense_is_told(tmp_path, line, reason):
    with pytest.raises(TrafficError) as error:
        user_traffic.of_file(file_of(tmp_path, line), Mix(), describe)
    assert reason in str(error.value)


def test_a_file_that_is_missing_or_empty(tmp_path):
    with pytest.raises(TrafficError, match="cannot be read"):
        user_traffic.of_file(tmp_path / "none", Mix(), describe)
    with pytest.raises(TrafficError, match="has no request for rest"):
        user_traffic.of_file(file_of(tmp_path, ""), Mix((Protocol.REST,)), describe)
