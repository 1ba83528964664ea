from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.servable import batch_rules
from server_impl.tensor import Tensor, shaped


def floats(value) -> Tensor:
    return Tensor(wire.DT_FLOAT, np.array(value, np.float32))


def strings(*values: bytes) -> Tensor:
    return Tensor(wire.DT_STRING, np.array(values, object))


def error_of(call, *arguments, **options) -> ServingError:
    with pytest.raises(ServingError) as caught:
        call(*arguments, **options)
    return caught.value


@pytest.mark.parametrize(
    ("feeds", "text"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        ({"x": floats(1)}, "Batching Run() input tensors must have at least one dimension"),
        (
            {"x": floats([1, 2]), "y": floats(1)},
            "Batching Run() input tensors must have at least one dimension",
        ),
        (
            {"x": floats([1, 2]), "y": floats([1])},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
    ],
)
def test_requests_whose_rows_cannot_be_told(feeds, text):
    error = error_of(batch_rules.count_rows, feeds)
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, text)


def test_rows():
    assert batch_rules.count_rows({"x": floats([[1], [2]]), "y": strings(b"a", b"b")}) == 2
    assert batch_rules.count_rows({"x": floats([])}) == 0


@pytest.mark.parametrize(
    ("rows", "allowed", "size"),
    [
        (3, [], 3),
        (3, [4, 8], 4),
        (4, [4, 8], 4),
        (5, [4, 8], 8),
        (9, [4, 8], 9),
        (0, [4, 8], 0),
        (3, [8, 4], 8),
    ],
)
def test_padded_rows(rows, allowed, size):
    assert batch_rules.padded_rows(rows, allowed) == size


def test_a_batch_above_the_largest_size_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        batch_rules.padded_rows(9, [4, 8])
    assert caplog.messages == [
        "Input batch size 9 is greater than largest allowed size 8 ignoring allowed sizes constraint."
    ]


@given(rows=st.integers(1, 50), limit=st.integers(1, 12), data=st.data())
def test_splitting_fills_the_open_batch_and_then_whole_ones(rows, limit, data):
    room = data.draw(st.integers(0, limit))
    parts = batch_rules.split_rows(rows, room, limit)
    assert sum(parts) == rows
    assert all(0 < part <= limit for part in parts)
    if room:
        assert parts[0] == min(rows, room)
    assert all(part == limit for part in parts[1 if room else 0 : -1])


@st.composite
def requests(draw):
    """Requests that may share a batch: two tensors, any rows, one inner shape each."""
    inner = draw(st.lists(st.integers(0, 3), max_size=2))
    sizes = draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
    made = []
    start = 0
    for rows in sizes:
        numbers = np.arange(start, start + rows * int(np.prod(inner)), dtype=np.float32).reshape(rows, *inner)
        words = np.array([b"%d" % number for number in range(start, start + rows)], object)
        made.append({"n": Tensor(wire.DT_FLOAT, numbers), "s": Tensor(wire.DT_STRING, words)})
        start += 100
    return made


@given(requests(), st.integers(0, 3), st.booleans())
def test_what_is_merged_can_be_parted_again(feeds, padding, pad_inputs):
    rows = [batch_rules.count_rows(request) for request in feeds]
    if not sum(rows):
        padding = 0
    merged = batch_rules.merge(feeds, padding, pad_inputs=pad_inputs)
    assert list(merged) == ["n", "s"]
    assert {len(tensor.array) for tensor in merged.values()} == {sum(rows) + padding}
    for request, parted in zip(feeds, batch_rules.part(list(merged.values()), rows, padding), strict=True):
        for own, back in zip(request.values(), parted, strict=True):
            assert back.dtype == own.dtype
            assert_array_equal(back.array, own.array)


@given(st.integers(1, 9), st.data())
def test_what_is_sliced_can_be_joined_again(rows, data):
    parts = batch_rules.split_rows(rows, data.draw(st.integers(0, 4)), 4)
    x, s = floats(np.arange(2 * rows).reshape(rows, 2)), strings(*[b"%d" % row for row in range(rows)])
    slices = batch_rules.slice_rows({"x": x, "s": s}, parts)
    joined = batch_rules.join([list(part.values()) for part in slices])
    assert_array_equal(joined[0].array, x.array)
    assert_array_equal(joined[1].array, s.array)


def test_more_dimensions_than_numpy_holds():
    shape = (2, *[1] * 99, 3)
    x = Tensor(wire.DT_FLOAT, shaped(np.arange(6, dtype=np.float32), shape))
    (one, other) = batch_rules.slice_rows({"x": x}, [1, 1])
    assert one["x"].array.shape == (1, *shape[1:])
    (joined,) = batch_rules.join([list(one.values()), list(other.values())])
    merged = batch_rules.merge([{"x": x}, {"x": joined}], 1, pad_inputs=False)["x"]
    assert merged.array.shape == (5, *shape[1:])
    ((first,), (second,)) = batch_rules.part([merged], [2, 2], 1)
    for each in (joined, first, second):
        assert each.array.shape == shape
        assert_array_equal(each.array.ravel(), np.arange(6))


def test_padding_repeats_the_first_row_of_the_last_request():
    merged = batch_rules.merge([{"x": floats([1, 2])}, {"x": floats([3, 4])}], 2, pad_inputs=False)
    assert merged["x"].array.tolist() == [1, 2, 3, 4, 3, 3]


def test_padding_after_a_request_without_rows():
    merged = batch_rules.merge([{"x": floats([1, 2])}, {"x": floats([])}], 2, pad_inputs=False)
    assert merged["x"].array.tolist() == [1, 2, 1, 1]


def test_inner_shapes_that_differ():
    feeds = [{"x:0": floats([[1, 2]])}, {"x:0": floats([[3], [4]])}]
    error = error_of(batch_rules.merge, feeds, 0, pad_inputs=False)
    assert error.code is Code.FAILED_PRECONDITION
    assert error.message == (
        "Tensors with name 'x:0' from different tasks have different shapes and padding is turned off. Set "
        "pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal "
        "dimensions starting with the first dim."
    )
    merged = batch_rules.merge(feeds, 0, pad_inputs=True)
    assert merged["x:0"].array.tolist() == [[1, 2], [3, 3], [4, 3]]


def test_strings_are_padded_with_their_own_first():
    words = [Tensor(wire.DT_STRING, np.array(value, object)) for value in ([[b"a\0"]], [[b"b", b"c"]])]
    merged = batch_rules.merge([{"s": word} for word in words], 0, pad_inputs=True)
    assert merged["s"].array.tolist() == [[b"a\0", b"a\0"], [b"b", b"c"]]


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ([np.zeros((1, 0)), np.zeros((1, 2))], "Got empty tensor in batch of non-empty tensors."),
        ([np.zeros((1,) * 7)] * 2, "Only tensors with rank from 1 to 6 can be padded."),
        ([np.zeros((1,) * 7)], "Only tensors with rank from 1 to 6 can be padded."),
    ],
)
def test_inputs_that_cannot_be_padded(arrays, text):
    error = error_of(batch_rules.merge, [{"x": floats(array)} for array in arrays], 0, pad_inputs=True)
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, text)


def test_ranks_that_differ_cannot_be_padded():
    error = error_of(batch_rules.merge, [{"x": floats([1])}, {"x": floats([[1]])}], 0, pad_inputs=True)
    assert error.code is Code.FAILED_PRECONDITION


@pytest.mark.parametrize("rows", [0, 1])
def test_dtypes_that_differ(rows):
    number = Tensor(wire.DT_INT32, np.ones(1, np.int32))
    error = error_of(batch_rules.merge, [{"x": floats([1.0] * rows)}, {"x": number}], 0, pad_inputs=False)
    assert error.code is Code.INTERNAL
    assert error.message == (
        "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors that have different "
        "data types. Got float and int32."
    )


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (floats(1), "Batched output tensor has 0 dimensions"),
        (
            floats([1, 2]),
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the "
            "input tensors",
        ),
    ],
)
def test_outputs_without_a_row_for_each_of_the_batch(output, text):
    error = error_of(batch_rules.part, [output], [1, 1], 1)
    assert (error.code, error.message) == (Code.FAILED_PRECONDITION, text)
