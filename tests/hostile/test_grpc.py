"""Messages that are almost protobuf, tensors that are almost tensors, connections that are no HTTP/2."""

from __future__ import annotations

import contextlib
import itertools
import socket
from typing import Any

import numpy as np
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from harness.client import Refusal
from harness.client.grpc import (
    CLASSIFY,
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    MULTI_INFERENCE,
    PREDICT,
    REGRESS,
    RELOAD_CONFIG,
    model_spec,
    predict_request,
)
from harness.models.echo import DTYPES
from harness.models.examples import example
from harness.terms import Code
from harness.wire import messages as wire
from harness.wire import tensors
from tests.hostile.conftest import Server
from tests.hostile.damage import campaign, spoiled

#: Seconds until a call must be answered.
DEADLINE = 10.0
#: Codes that a bad message may be refused with. The last two are the gRPC library's, and TensorFlow's own.
REFUSALS = {
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.FAILED_PRECONDITION,
    Code.UNIMPLEMENTED,
    Code.INTERNAL,
    Code.OUT_OF_RANGE,
}
#: Bytes that a text may have, with the mark that it was cut [6.2.1].
LONGEST = 1024 + len("...TRUNCATED")

_ROWS = wire.Input(example_list=wire.ExampleList(examples=[example(x=1.5, k=2, s="text"), example()]))
_EXAMPLES = model_spec("examples", signature="regress")
_TASK = wire.InferenceTask(model_spec=_EXAMPLES, method_name="tensorflow/serving/regress")
_TWO = {"a": np.array([1, 2], np.float32), "b": np.array([3, 4], np.int64)}

#: Every method with a request that is right. A reload that is cut short could be right and drop every model.
REQUESTS: dict[str, Message] = {
    PREDICT: predict_request("two", _TWO, content=False),
    CLASSIFY: wire.ClassificationRequest(model_spec=model_spec("examples"), input=_ROWS),
    REGRESS: wire.RegressionRequest(model_spec=_EXAMPLES, input=_ROWS),
    MULTI_INFERENCE: wire.MultiInferenceRequest(tasks=[_TASK], input=_ROWS),
    GET_MODEL_METADATA: wire.GetModelMetadataRequest(
        model_spec=model_spec("m"), metadata_field=["signature_def"]
    ),
    GET_MODEL_STATUS: wire.GetModelStatusRequest(model_spec=model_spec("m", version=1)),
}
_ENCODED = tuple(request.SerializeToString() for request in REQUESTS.values())


def call(server: Server, method: str, data: bytes) -> bytes | None:
    """The reply to a call, or None where it was refused as calls may be."""
    try:
        return server.grpc.exchange(method, data, timeout=DEADLINE)
    except Refusal as error:
        refusal = error
    assert refusal.code in REFUSALS, str(refusal)
    assert len(refusal.text.encode("utf-8", "surrogateescape")) <= LONGEST
    return None


@campaign(1000)
@given(st.sampled_from((*REQUESTS, "/tensorflow.serving.PredictionService/None", "//")), spoiled(_ENCODED))
def test_spoiled_messages(server: Server, method: str, data: bytes) -> None:
    call(server, method, data)


@campaign(200)
@given(st.sampled_from((*REQUESTS, RELOAD_CONFIG)), st.binary(max_size=60))
def test_bytes_at_random(server: Server, method: str, data: bytes) -> None:
    if method != RELOAD_CONFIG or data.startswith(b"\xff"):
        call(server, method, data)


#: What the elements of some dtypes are in a message: the typed field, and any of its values.
ELEMENTS: dict[str, tuple[int, str, st.SearchStrategy[object]]] = {
    "float": (wire.DT_FLOAT, "float_val", st.floats(width=32, allow_subnormal=False)),
    "double": (wire.DT_DOUBLE, "double_val", st.floats(allow_subnormal=False)),
    "int8": (wire.DT_INT8, "int_val", st.integers(-(2**31), 2**31 - 1)),
    "uint16": (wire.DT_UINT16, "int_val", st.integers(-(2**31), 2**31 - 1)),
    "int64": (wire.DT_INT64, "int64_val", st.integers(-(2**63), 2**63 - 1)),
    "uint64": (wire.DT_UINT64, "uint64_val", st.integers(0, 2**64 - 1)),
    "bool": (wire.DT_BOOL, "bool_val", st.booleans()),
    "string": (wire.DT_STRING, "string_val", st.binary(max_size=5)),
}
# No sizes in between: a tensor of gigabytes would be right, and made.
_SIZES = st.integers(0, 3) | st.sampled_from((-1, -(2**63), 2**62))
_ODD_DTYPES = st.sampled_from((wire.DT_INVALID, wire.DT_INT32, wire.DT_RESOURCE, 101, 999, -1))


@st.composite
def inputs(draw: st.DrawFn) -> tuple[str, wire.TensorProto]:
    """A signature of the model, and a tensor that may be one for it: any shape, values in any field."""
    name = draw(st.sampled_from(tuple(ELEMENTS)))
    proto = wire.TensorProto(dtype=draw(st.just(ELEMENTS[name][0]) | _ODD_DTYPES))  # type: ignore[arg-type]
    right = st.lists(st.integers(0, 3), max_size=3)
    for size in draw(right | st.lists(_SIZES, max_size=4) | st.just([1] * 300)):
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = draw(st.booleans())
    proto.tensor_content = draw(st.just(b"") | st.binary(max_size=40))
    for _, field, values in ELEMENTS.values():
        getattr(proto, field).extend(draw(st.lists(values, max_size=3)))
    return name, proto


@campaign(600)
@given(inputs())
def test_tensors_of_any_form(server: Server, given_input: tuple[str, wire.TensorProto]) -> None:
    """What cannot be read is refused; what can is echoed as an independent reader reads it [6.4.7]."""
    name, proto = given_input
    request = wire.PredictRequest(model_spec=model_spec("echo", signature=name))
    request.inputs["x"].CopyFrom(proto)
    reply = call(server, PREDICT, request.SerializeToString())
    if reply is None:
        return
    came = wire.PredictResponse.FromString(reply).outputs["y"]
    assert came.dtype == ELEMENTS[name][0]
    assert came.tensor_shape.dim == proto.tensor_shape.dim
    if not all(dim.size for dim in came.tensor_shape.dim):  # whatever is said of values
        assert {field.name for field, _ in came.ListFields()} == {"dtype", "tensor_shape"}
        return
    expected = read(proto, ELEMENTS[name][1], DTYPES[name])
    np.testing.assert_array_equal(tensors.from_proto(came), expected)


def read(proto: wire.TensorProto, field: str, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The tensor as TensorFlow takes it: bytes first, else values, wrapped, repeated or cut to fit."""
    shape = [dim.size for dim in proto.tensor_shape.dim]  # whether or not the rank is said to be unknown
    count = int(np.prod(shape))
    if proto.tensor_content and dtype.kind != "O":
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    values = list(getattr(proto, field))
    if proto.tensor_content:  # the lengths of all strings, then the strings
        ends = np.cumsum([0, *proto.tensor_content[:count]]) + count
        values = [proto.tensor_content[start:end] for start, end in itertools.pairwise(ends)]
    values = (values + [values[-1] if values else b"" if dtype.kind == "O" else 0] * count)[:count]
    with np.errstate(invalid="ignore"):
        flat = np.array(values, None if dtype.kind in "iu" and values else dtype).astype(dtype)
    return flat.reshape(shape)


@campaign(150)
@given(st.booleans(), st.binary(max_size=200))
def test_a_port_that_hears_no_http2(server: Server, preface: bool, data: bytes) -> None:
    """Frames at random, with and without the words that begin a connection: the server hangs up, or waits."""
    host, _, port = server.grpc.address.rpartition(":")
    with socket.create_connection((host, int(port)), DEADLINE) as connection:
        connection.settimeout(0.02)
        with contextlib.suppress(OSError):
            connection.sendall((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" if preface else b"") + data)
            connection.recv(1 << 16)
