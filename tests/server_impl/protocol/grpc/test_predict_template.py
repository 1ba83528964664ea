from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire import messages as wire
from server_impl.protocol.grpc import predict_template
from server_impl.protocol.grpc.predict_message import PredictRequest, parse
from server_impl.protocol.grpc.predict_template import Templates, learn


def request(name: str = "m", **inputs: wire.TensorProto) -> bytes:
    message = wire.PredictRequest()
    message.model_spec.name = name
    for alias, tensor in inputs.items():
        message.inputs[alias].CopyFrom(tensor)
    return message.SerializeToString(deterministic=True)


def content(array: np.ndarray, dtype: int = wire.DT_FLOAT) -> wire.TensorProto:
    tensor = wire.TensorProto(dtype=dtype, tensor_content=array.tobytes())
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def typed(*values: float, size: int | None = None) -> wire.TensorProto:
    tensor = wire.TensorProto(dtype=wire.DT_FLOAT, float_val=values)
    tensor.tensor_shape.dim.add(size=len(values) if size is None else size)
    return tensor


def told(parsed: PredictRequest) -> object:
    inputs = {
        alias: tensor and (tensor.dtype, tensor.array.shape, tensor.array.dtype, tensor.array.tobytes())
        for alias, tensor in parsed.inputs.items()
    }
    return parsed.spec, [*parsed.output_filter], [*inputs], inputs


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def integers(*rows: Sequence[int]) -> wire.TensorProto:
    return content(np.array(rows, np.int64), wire.DT_INT64)


def double(value: float) -> wire.TensorProto:
    return wire.TensorProto(dtype=wire.DT_DOUBLE, double_val=[value])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (request(x=content(floats(1, 2, 5))), request(x=content(floats(7, 8, 9)))),
        (request(x=typed(1, 2, 5)), request(x=typed(7, 8, 9))),
        (request(x=integers([1, 2], [3, 4]), y=typed(1)), request(x=integers([5, 6], [7, 8]), y=typed(9))),
        (request(x=double(1.5)), request(x=double(2.5))),
        (request(), request()),
    ],
)
def test_other_numbers_fit_the_template(first: bytes, second: bytes) -> None:
    template = learn(first, parse(first))
    assert template is not None
    for payload in (first, second):
        filled = template.fill(payload)
        assert filled is not None
        assert told(filled) == told(parse(payload))
    fits = 0
    for place in range(len(second)):
        changed = bytes([*second[:place], second[place] ^ 1, *second[place + 1 :]])
        filled = template.fill(changed)
        if filled is not None:
            fits += 1
            assert told(filled) == told(parse(changed))
    assert fits == sum(tensor.array.nbytes for tensor in parse(first).inputs.values() if tensor)


@pytest.mark.parametrize(
    "payload",
    [
        request(x=wire.TensorProto(dtype=wire.DT_STRING, string_val=[b"abcd"])),
        request(x=content(np.array([True, False]), wire.DT_BOOL)),
        request(x=content(floats())),
        request(x=typed(1, size=3)),  # the last value is repeated
        request(x=typed(1, 2, 3, size=2)),  # a surplus is dropped
        request(x=wire.TensorProto(dtype=wire.DT_INT32, int_val=[1])),  # as long as its number is
        request(x=content(floats(1), wire.DT_INT64)),  # no valid tensor
        request(x=content(floats(4, 5)), y=content(floats(4, 5))),  # which is which cannot be told
        request(name="m" * 5000, x=content(floats(1))),
    ],
)
def test_what_is_no_template(payload: bytes) -> None:
    assert learn(payload, parse(payload)) is None


def test_numbers_are_not_taken_from_a_place_that_only_looks_like_theirs() -> None:
    plain = request(x=content(floats(1, 2)))
    # In front there is an unknown field with the very bytes of the input's own.
    copy = b"\x22\x08" + floats(1, 2).tobytes()
    payload = b"\xa2\x06" + bytes([len(copy)]) + copy + plain
    assert told(parse(payload)) == told(parse(plain))
    assert learn(payload, parse(payload)) is None


NUMBERS = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["m", "n", "long"]), st.booleans(), NUMBERS), max_size=40))
@settings(derandomize=True, deadline=None)
def test_any_sequence_is_parsed_as_without_templates(sent: list[tuple[str, bool, list[float]]]) -> None:
    templates = Templates()
    for name, as_content, numbers in sent * 3:
        payload = request(name, x=content(floats(*numbers)) if as_content else typed(*numbers))
        assert told(templates.parse(payload)) == told(parse(payload))


def test_templates_are_used_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    templates = Templates()
    for number in range(1, 400):
        for _ in range(10):
            templates.parse(request(x=content(floats(*range(number)))))
        assert len(templates._by_length) == (number if number <= 256 else number - 256)
    for name in "abcdefghijkl" * 20:
        templates.parse(request(name, x=content(floats(1))))
    assert len(templates._by_length[len(request("a", x=content(floats(1))))]) == 8

    parsed: list[bytes] = []

    def counted(payload: bytes) -> PredictRequest:
        parsed.append(payload)
        return parse(payload)

    monkeypatch.setattr(predict_template, "parse", counted)
    for number in range(100):
        templates.parse(request("z", x=content(floats(number))))
    assert 1 < len(parsed) <= 10  # until it was learnt, and once to prove it


def test_no_message() -> None:
    with pytest.raises(DecodeError):
        Templates().parse(b"\xff")
