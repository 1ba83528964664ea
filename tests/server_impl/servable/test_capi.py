from __future__ import annotations

import gc
import math
import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.servable import capi
from server_impl.servable.capi import tensors
from server_impl.tensor import DTYPE_NAME, NUMPY_DTYPE, Tensor, shaped

SHAPES = [(), (0,), (3,), (2, 0, 3), (2, 3, 4), (30_000,)]


def completed(run: capi.PreparedRun, tensor: Tensor) -> list[Tensor]:
    """All steps of a run with one input."""
    frame = run.begin([tensor], None)
    frame.run()
    return run.results(frame)


@pytest.fixture(scope="module")
def echo(models):
    """Gives back what it is given: ``echo(tensor) -> tensor``."""
    session, _ = capi.load_session(str(models / "echo"), ["serve"], wire.ConfigProto())
    runs = {}

    def run(tensor: Tensor) -> Tensor:
        name = NAMES[tensor.dtype]
        if name not in runs:
            runs[name] = session.prepare([(f"{name}_in", 0)], [(f"{name}_out", 0)])
        (result,) = completed(runs[name], tensor)
        return result

    yield run
    session.close()


#: What the model calls the dtypes.
NAMES = {
    dtype: {"float": "float32", "double": "float64", "half": "float16"}.get(n, n)
    for dtype, n in DTYPE_NAME.items()
}
FEW_VALUES = {
    wire.DT_BOOL: 2,
    wire.DT_FLOAT8_E4M3B11FNUZ: 30,
    wire.DT_INT2: 2,
    wire.DT_UINT2: 4,
    wire.DT_INT4: 8,
    wire.DT_UINT4: 16,
}
NUMERIC = [dtype for dtype in NUMPY_DTYPE if dtype != wire.DT_STRING]


def numbers(dtype: int, shape: tuple[int, ...]) -> np.ndarray:
    count = int(np.prod(shape))
    limit = FEW_VALUES.get(dtype, 100)
    return (np.arange(count) % limit).astype(NUMPY_DTYPE[dtype]).reshape(shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", NUMERIC, ids=NAMES.get)
def test_numbers_go_there_and_back(echo, dtype, shape):
    array = numbers(dtype, shape)
    result = echo(Tensor(dtype, array))
    assert result.dtype == dtype
    assert result.array.dtype == array.dtype
    assert result.array.shape == shape
    assert_array_equal(result.array, array)
    assert not result.array.flags.writeable


BEYOND_NUMPY = [(2, *[1] * 253), (3, *[1] * 70, 1500), (2, *[0] * 99), (2**62, 0), (0, 2**62, 2**62)]


@pytest.mark.parametrize("shape", BEYOND_NUMPY, ids=lambda shape: f"{shape[0]}x{len(shape)}")
def test_shapes_beyond_those_of_numpy(echo, shape):
    array = np.arange(math.prod(shape), dtype=np.float32)
    result = echo(Tensor(wire.DT_FLOAT, shaped(array, shape))).array
    assert result.shape == shape
    assert result.ndim == len(shape)
    assert_array_equal(result.reshape(-1), array)
    words = echo(Tensor(wire.DT_STRING, shaped(array.astype("S4").astype(object), shape))).array
    assert words.shape == shape
    assert words.ravel().tolist() == array.astype("S4").tolist()


@pytest.mark.parametrize("size", [6, 60_000])
def test_strided_arrays(echo, size):
    array = np.arange(4 * size, dtype=np.float32).reshape(2 * size, 2)[::2, 1]
    assert_array_equal(echo(Tensor(wire.DT_FLOAT, array)).array, array)


def test_arrays_at_odd_addresses(echo):
    array = np.frombuffer(b"?" + np.arange(30_000, dtype=np.float64).tobytes(), np.float64, offset=1)
    assert array.ctypes.data % 8
    assert_array_equal(echo(Tensor(wire.DT_DOUBLE, array)).array, array)


def test_special_numbers_keep_their_bits(echo):
    bits = np.array([0x7FC00001, 0xFF800000, 0x80000000, 1, 0x7FFFFF], np.uint32)
    result = echo(Tensor(wire.DT_FLOAT, bits.view(np.float32)))
    assert_array_equal(result.array.view(np.uint32), bits)


# 22 bytes is the longest string that lies in the tensor itself.
STRINGS = [b"", b"a", b"\0\xff\0", b"x" * 22, b"x" * 23, b"long " * 1000, "grün".encode()]


@pytest.mark.parametrize("shape", [(7,), (7, 1), (1, 7, 1)], ids=str)
def test_strings_go_there_and_back(echo, shape):
    array = np.array(STRINGS, object).reshape(shape)
    result = echo(Tensor(wire.DT_STRING, array))
    assert result.array.dtype == object
    assert result.array.shape == shape
    assert result.array.ravel().tolist() == STRINGS


@pytest.mark.parametrize("shape", [(0,), (2, 0)], ids=str)
def test_no_strings(echo, shape):
    assert echo(Tensor(wire.DT_STRING, np.empty(shape, object))).array.shape == shape


def test_a_single_string_has_no_dimensions(echo):
    scalar = np.empty((), object)
    scalar[()] = b"alone"
    result = echo(Tensor(wire.DT_STRING, scalar)).array
    assert result.shape == ()
    assert result[()] == b"alone"


def test_big_memory_is_shared_for_as_long_as_it_is_needed(echo):
    base = np.arange(100_016, dtype=np.float32)
    start = -base.ctypes.data % 64 // 4
    array = base[start : start + 100_000]
    result = echo(Tensor(wire.DT_FLOAT, array)).array
    assert result.ctypes.data == array.ctypes.data
    assert len(tensors._lent) == 1
    expected = array.copy()
    del array, base
    gc.collect()
    assert_array_equal(result, expected)
    del result
    assert not tensors._lent


def test_errors_have_the_code_and_text_of_tensorflow(models):
    session, _ = capi.load_session(str(models / "half_plus_two"), ["serve"], wire.ConfigProto())
    run = session.prepare([("serving_default_x", 0)], [("StatefulPartitionedCall", 0)])
    with pytest.raises(ServingError) as caught:
        completed(run, Tensor(wire.DT_INT32, np.array([1], np.int32)))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == "Expects arg[0] to be float but int32 is provided"
    # The run stays usable.
    (result,) = completed(run, Tensor(wire.DT_FLOAT, np.array([1], np.float32)))
    assert result.array.tolist() == [2.5]
    session.close()


@pytest.mark.parametrize(
    ("dtype", "shape", "text"),
    [
        (wire.DT_VARIANT, (2, 3), "Expects arg[0] to be float but variant is provided"),
        (wire.DT_RESOURCE, (1,), "Invalid resource type hash code: 0(name:  type: )."),
        (wire.DT_RESOURCE, (2, 3), "Malformed TF_RESOURCE tensor: expected a scalar"),
    ],
)
def test_objects_of_tensorflow_are_refused(models, dtype, shape, text):
    session, _ = capi.load_session(str(models / "echo"), ["serve"], wire.ConfigProto())
    run = session.prepare([("float32_in", 0)], [("float32_out", 0)])
    with pytest.raises(ServingError, match=re.escape(text)):
        completed(run, Tensor(dtype, np.empty(shape, "V0")))
    session.close()


def test_a_message_is_read_by_tensorflows_own_rules():
    message = wire.TensorProto(dtype=wire.DT_INT32, int_val=[7])
    message.tensor_shape.dim.add(size=3)
    tensor = capi.tensor_from_proto(message)
    dtype, array = tensor.dtype, tensor.array
    assert dtype == wire.DT_INT32
    assert array.tolist() == [7, 7, 7]


def test_a_message_that_is_no_tensor():
    message = wire.TensorProto(dtype=wire.DT_INT32, tensor_content=b"123")
    with pytest.raises(ServingError) as caught:
        capi.tensor_from_proto(message)
    assert caught.value.code is Code.INVALID_ARGUMENT
