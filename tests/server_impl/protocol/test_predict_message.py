"""PredictRequest and PredictResponse as bytes [6.3.1, 6.4]."""

from __future__ import annotations

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
from server_impl.protocol import predict_message, tensor_proto
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


@pytest.mark.parametrize(
    "surplus",
    [
        b"\x12\x0e\x0a\x01x\x12\x09\x08\x01\x2d\0\0\x80?\x18\x01",  # an entry that comes again
        b"\xa0\x06\x01",  # a field that nobody knows
        b"\x0a\x00",  # another, empty spec
    ],
)
def test_whatever_the_quick_way_overlooks_is_read_exactly(surplus: bytes) -> None:
    message = request(name="m")
    add_floats(message, "x", 7)
    payload = message.SerializeToString() + surplus
    exact = predict_message.from_message(wire.PredictRequest.FromString(payload))
    parsed = predict_message.parse(payload)
    assert parsed.spec == exact.spec
    assert [each and each.array.tolist() for each in parsed.inputs.values()] == [
        each and each.array.tolist() for each in exact.inputs.values()
    ]


def test_entry_without_a_key() -> None:
    # The key "" is left out, and two bytes that nobody knows make up for it.
    tensor = b"\x08\x01\x12\x04\x12\x02\x08\x01\x2a\x04\0\0\x80?" + b"\x58\x01"
    payload = b"\x12" + bytes((len(tensor) + 2,)) + b"\x12" + bytes((len(tensor),)) + tensor
    exact = wire.PredictRequest.FromString(payload)
    assert list(exact.inputs[""].bool_val) == [True]
    parsed = predict_message.parse(payload).inputs[""]
    assert parsed is not None
    assert parsed.array.tolist() == [1.0]


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
def test_damaged_requests_are_read_exactly_or_refused(data: st.DataObject) -> None:
    message = request(name="m", version=3)
    add_floats(message, "x", 1, 2, 5)
    damaged = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        exact = predict_message.from_message(wire.PredictRequest.FromString(bytes(damaged)))
    except DecodeError:
        with pytest.raises(DecodeError):
            predict_message.parse(bytes(damaged))
        return
    parsed = predict_message.parse(bytes(damaged))
    assert parsed.spec == exact.spec
    assert parsed.inputs.keys() == exact.inputs.keys()
    for alias, tensor in exact.inputs.items():
        other = parsed.inputs[alias]
        assert (tensor is None) == (other is None)
        if tensor is not None and other is not None:
            assert tensor.array.tobytes() == other.array.tobytes()


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
