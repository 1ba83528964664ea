"""PredictRequest and PredictResponse as bytes [6.3.1, 6.4]."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import messages as wire
from server_impl.inference import predict
from server_impl.inference.model_spec import ModelSpec
from server_impl.inference.run import Settings
from server_impl.metrics import ServingMetrics
from server_impl.protocol.grpc import predict_message, tensor_proto
from server_impl.tensor import Tensor
from tests.server_impl.inference.fakes import servable, signature


def request(**spec: object) -> wire.PredictRequest:
    message = wire.PredictRequest()
    for name, value in spec.items():
        if name == "version":
            message.model_spec.version.value = value  # type: ignore[assignment]
        else:
            setattr(message.model_spec, name, value)
    return message


def add_floats(message: wire.PredictRequest, alias: str, *values: float) -> None:
    message.inputs[alias].dtype = wire.DT_FLOAT
    message.inputs[alias].tensor_shape.dim.add(size=len(values))
    message.inputs[alias].float_val.extend(values)


@pytest.mark.parametrize(
    ("message", "spec"),
    [
        (request(), None),
        (request(name=""), ModelSpec("")),
        (request(name="m"), ModelSpec("m")),
        (request(name="m", version=7, signature_name="s"), ModelSpec("m", version=7, signature_name="s")),
        (request(name="m", version=0), ModelSpec("m", version=0)),
        (request(name="m", version_label=""), ModelSpec("m", label="")),
        (request(name="ü" * 200, version_label="é"), ModelSpec("ü" * 200, label="é")),
    ],
)
def test_specs(message: wire.PredictRequest, spec: ModelSpec | None) -> None:
    if spec == ModelSpec(""):
        message.model_spec.SetInParent()
    assert predict_message.parse(message.SerializeToString()).spec == spec
    assert predict_message.from_message(message).spec == spec


VERSION_1, LABEL_A = b"\x12\x02\x08\x01", b"\x22\x01a"


@pytest.mark.parametrize(
    ("choices", "spec"),
    [(VERSION_1 + LABEL_A, ModelSpec("m", label="a")), (LABEL_A + VERSION_1, ModelSpec("m", version=1))],
)
def test_last_of_version_and_label_wins(choices: bytes, spec: ModelSpec) -> None:
    body = b"\x0a\x01m" + choices
    assert predict_message.parse(b"\x0a" + bytes((len(body),)) + body).spec == spec


def test_repeated_specs_merge() -> None:
    payload = b"\x0a\x03\x0a\x01m" + b"\x0a\x04" + VERSION_1
    assert predict_message.parse(payload).spec == ModelSpec("m", version=1)


def test_inputs_and_filter() -> None:
    message = request(name="m")
    add_floats(message, "x", 1, 2, 5)
    add_floats(message, "ü", 3)
    message.output_filter.extend(["y", ""])
    parsed = predict_message.parse(message.SerializeToString())
    assert {alias: each.array.tolist() for alias, each in parsed.inputs.items() if each} == {
        "x": [1, 2, 5],
        "ü": [3],
    }
    assert list(parsed.output_filter) == ["y", ""]


def test_unusable_tensors_are_none() -> None:
    message = request(name="m")
    add_floats(message, "x", 1)
    message.inputs["bad"].dtype = wire.DT_INVALID
    parsed = predict_message.parse(message.SerializeToString())
    assert parsed.inputs["bad"] is None
    assert parsed.inputs["x"] is not None


@pytest.mark.parametrize("payload", [b"\xff", b"\x0a\x05\x0a", b"\x0a\x03\x0a\x01\xff", b"garbage"])
def test_no_message(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        predict_message.parse(payload)


@pytest.mark.parametrize("malformed", [b"\x2a\x03\0\0\0", b"\x3a\x01\x80"])
def test_malformed_numbers_are_no_message_even_in_fields_that_nobody_reads(malformed: bytes) -> None:
    body = b"\x08\x02\x12\x04\x12\x02\x08\x01\x32\x08" + bytes(8) + malformed
    entry = b"\x0a\x01x\x12" + bytes((len(body),)) + body
    with pytest.raises(DecodeError):
        predict_message.parse(b"\x12" + bytes((len(entry),)) + entry)


@given(st.data())
def test_damaged_requests_are_read_or_refused(data: st.DataObject) -> None:
    message = request(name="m", version=3)
    add_floats(message, "x", 1, 2, 5)
    damaged = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError):
        predict_message.parse(bytes(damaged))


@pytest.mark.parametrize("as_content", [False, True])
def test_response(as_content: bool) -> None:
    served = servable(signature("serving_default", {}, {"y": "y:0"}), name="m", version=2**40)
    call = predict.prepare(Settings(ServingMetrics()), served, "", {})
    outputs = {
        "y": Tensor(wire.DT_FLOAT, np.array([1.5, 2.5], np.float32)),
        "é" * 100: Tensor(wire.DT_STRING, np.array([b"a" * 200], dtype=object)),
        "long": Tensor(wire.DT_DOUBLE, np.arange(40_000, dtype=np.float64)),
        "none": Tensor(wire.DT_INT64, np.zeros((0, 2), np.int64)),
    }
    payload = predict_message.serialize(served, call, outputs, as_content=as_content)
    response = wire.PredictResponse.FromString(payload)
    assert (
        response.model_spec == request(name="m", version=2**40, signature_name="serving_default").model_spec
    )
    assert response.outputs.keys() == outputs.keys()
    for alias, tensor in outputs.items():
        message = response.outputs[alias]
        assert bool(message.tensor_content) == (as_content and tensor.array.size > 0)
        back = tensor_proto.read(message)
        assert back is not None
        assert back.array.tolist() == tensor.array.tolist()
