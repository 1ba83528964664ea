"""JSON in and out, replayed against what the real server answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.wire import messages as wire
from server_impl.errors import ServingError
from server_impl.protocol.json import decode, encode
from server_impl.protocol.json.decode import ParsedPredict, parse_examples, parse_predict, read_exactly
from server_impl.tensor import Tensor
from tests.server_impl.protocol.json.recordings import load, specs


def by_id(record: dict[str, Any]) -> str:
    return str(record["id"])


@pytest.mark.parametrize("read", [parse_predict, read_exactly])
@pytest.mark.parametrize("record", load("predict"), ids=by_id)
def test_predict(record: dict[str, Any], read: Callable[[bytes], ParsedPredict]) -> None:
    """Errors are those of the real server, and echoed tensors come back as it printed them."""
    reply = answer(record, read)
    if "reply" in record:
        assert reply.decode("latin-1") == record["reply"]


def answer(record: dict[str, Any], read: Callable[[bytes], ParsedPredict]) -> bytes:
    """The reply, where the model only repeats its input, or adds 3 to half of it."""
    try:
        parsed = read(record["body"].encode("latin-1"))
        tensors, request_format = parsed.tensors(specs(record["inputs"] or {}))
        outputs = {alias: tensors[name] for alias, name in record.get("echo", {}).items()}
        if "halved" in record:
            halved = tensors[record["halved"]].array / np.float32(2) + np.float32(3)
            outputs = {"y": Tensor(wire.DT_FLOAT, np.asarray(halved, np.float32))}
        return encode.predict_body(outputs, request_format) if outputs else b""
    except ServingError as error:
        return encode.error_body(error.message)


@pytest.mark.parametrize("record", load("examples"), ids=by_id)
def test_examples(record: dict[str, Any]) -> None:
    body = record["body"].encode("latin-1")
    if record["reply"] is None:
        for example in parse_examples(body).examples:
            wire.Example.FromString(example)
        return
    with pytest.raises(ServingError) as caught:
        parse_examples(body)
    assert encode.error_body(caught.value.message).decode("latin-1") == record["reply"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_in(dtype: str) -> None:
    """Every literal gives the bits that the real server's parser gave."""
    records = [record for record in load("numbers_in") if record["dtype"] == dtype]
    code = {"float32": wire.DT_FLOAT, "float64": wire.DT_DOUBLE}[dtype]
    literals = ",".join(record["text"] for record in records)
    for read in (decode.parse_predict, decode.read_exactly):
        tensors, _ = read(b'{"inputs":[%b]}' % literals.encode()).tensors(specs({"x": code}))
        bits = tensors["x"].array.view({"float32": np.uint32, "float64": np.uint64}[dtype])
        assert [int(record["bits"], 16) for record in records] == bits.tolist()


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "all at once"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_out(dtype: str, together: bool) -> None:
    records = [record for record in load("numbers_out") if record["dtype"] == dtype]
    code, kind = {
        "float32": (wire.DT_FLOAT, np.uint32),
        "float64": (wire.DT_DOUBLE, np.uint64),
    }[dtype]
    values = np.array([int(record["bits"], 16) for record in records], kind).view(dtype)
    step = len(values) if together else 1
    texts: list[str] = []
    for start in range(0, len(values), step):
        outputs = {"y": Tensor(code, values[start : start + step])}
        reply = encode.predict_body(outputs, encode.RequestFormat.ROW).decode()
        texts += reply.removeprefix('{\n    "predictions": [').removesuffix("\n    ]\n}").split(", ")
    assert texts == [record["text"] for record in records]
