"""How tensors travel: typed fields and bytes, of every dtype, right and wrong [6.4.7, 6.4.9]."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

from harness.cases import GrpcCase
from harness.models.echo import DTYPES
from harness.terms import Array, Level
from harness.wire import messages as wire
from harness.wire import tensors
from scenarios.grpc.scenario import SCENARIO, answer, floats, invalid, tensor, with_input

pytestmark = pytest.mark.scenario(SCENARIO)

#: A few values of each dtype, extremes among them.
VALUES: dict[str, Array] = {
    "float": np.array([0.1, -0.0, 3.4028235e38, np.inf, np.nan], np.float32),
    "double": np.array([0.1, -0.0, 1e308, -np.inf, np.nan], np.float64),
    "half": np.array([0.1, -0.0, 65504, np.inf], np.float16),
    "bfloat16": np.array([0.1, -0.0, 3e38, -np.inf], ml_dtypes.bfloat16),
    "complex64": np.array([1 + 2j, -0.5j], np.complex64),
    "complex128": np.array([1 + 2j, -0.1j], np.complex128),
    "bool": np.array([True, False]),
    "string": np.array([b"", b"text", b"\x00\xff", "grüße".encode()], object),
}
for name, dtype in DTYPES.items():
    if dtype.kind in "iu":
        VALUES[name] = np.array([np.iinfo(dtype).min, 0, np.iinfo(dtype).max], dtype)

#: How a shape is laid out: as it is, as one column, with no rows at all, one value without dimensions.
SHAPES: dict[str, Callable[[Array], Array]] = {
    "vector": lambda array: array,
    "matrix": lambda array: array[:, None],
    "no-rows": lambda array: array[:0],
    "zero-sized": lambda array: array[:0].reshape(2, 0, 3),
    "scalar": lambda array: array[0].reshape(()) if array.dtype != object else np.array(array[1], object),
}


ROUND_TRIPS = tuple(
    GrpcCase(
        f"{name}/{shape}/{'content' if content else 'typed'}",
        "A tensor may come as bytes or in the field of its dtype; it is answered in the field, with dtype "
        "and shape, element by element.",
        with_input("echo", tensors.to_proto(laid_out(values), content=content), signature=name),
        answer("echo", {"y": laid_out(values)}, signature=name),
        facts=("6.4.7", "6.4.9", "GRP-09", "GRP-13"),
    )
    for name, values in VALUES.items()
    for shape, laid_out in SHAPES.items()
    for content in ((False,) if name == "string" else (True, False))
)

#: Typed values that do not fit the shape, of one dtype for each field, each with what becomes of them.
FLOAT, STRING = wire.DT_FLOAT, wire.DT_STRING
COUNTS = {
    "short": (tensor(FLOAT, [4], float_val=[1.5, 2.5]), "float", floats(1.5, 2.5, 2.5, 2.5)),
    "none": (tensor(FLOAT, [3]), "float", floats(0, 0, 0)),
    "surplus": (tensor(FLOAT, [1], float_val=[1.5, 2.5]), "float", floats(1.5)),
    "short-strings": (
        tensor(STRING, [3], string_val=[b"a", b"b\0"]),
        "string",
        np.array([b"a", b"b\0", b"b\0"], object),
    ),
    "no-strings": (tensor(STRING, [2]), "string", np.array([b"", b""], object)),
    "short-int64": (tensor(wire.DT_INT64, [3], int64_val=[7]), "int64", np.array([7, 7, 7], np.int64)),
    "short-half": (tensor(wire.DT_HALF, [2], half_val=[15360]), "half", np.array([1, 1], np.float16)),
    "short-bool": (tensor(wire.DT_BOOL, [3], bool_val=[True]), "bool", np.array([True] * 3)),
    "short-complex": (
        tensor(wire.DT_COMPLEX64, [2], scomplex_val=[1, 2]),
        "complex64",
        np.array([1 + 2j, 1 + 2j], np.complex64),
    ),
}

#: Odd but legal ways to write a tensor, each with what it is taken for.
ODD = {
    "wrong-field": (tensor(FLOAT, [2], int_val=[3, 4]), "float", floats(0, 0)),
    "both-fields": (
        tensor(FLOAT, [1], float_val=[1.5], tensor_content=floats(2.5).tobytes()),
        "float",
        floats(2.5),
    ),
    "no-shape": (tensor(FLOAT, None, float_val=[1.5]), "float", np.array(1.5, np.float32)),
    "unknown-rank": (
        wire.TensorProto(dtype=FLOAT, float_val=[1.5], tensor_shape=wire.TensorShapeProto(unknown_rank=True)),
        "float",
        np.array(1.5, np.float32),
    ),
    "named-dimension": (
        wire.TensorProto(
            dtype=FLOAT,
            float_val=[1.5],
            tensor_shape=wire.TensorShapeProto(dim=[wire.TensorShapeProto.Dim(size=1, name="batch")]),
        ),
        "float",
        floats(1.5),
    ),
    "version-number": (tensor(FLOAT, [1], float_val=[1.5], version_number=7), "float", floats(1.5)),
    "int8-wraps": (tensor(wire.DT_INT8, [2], int_val=[7, 300]), "int8", np.array([7, 44], np.int8)),
    "uint8-wraps": (tensor(wire.DT_UINT8, [2], int_val=[-5, 300]), "uint8", np.array([251, 44], np.uint8)),
    "int16-wraps": (tensor(wire.DT_INT16, [1], int_val=[70000]), "int16", np.array([4464], np.int16)),
    "uint16-wraps": (tensor(wire.DT_UINT16, [1], int_val=[-1]), "uint16", np.array([65535], np.uint16)),
    # Lengths of all strings, then the strings.
    "string-content": (
        tensor(STRING, [2], tensor_content=b"\x01\x02abc"),
        "string",
        np.array([b"a", b"bc"], object),
    ),
}

#: Tensors that cannot be read.
BROKEN = {
    "content-too-short": tensor(FLOAT, [2], tensor_content=b"abcd"),
    "content-too-long": tensor(FLOAT, [1], tensor_content=b"abcdefgh"),
    "content-not-whole": tensor(FLOAT, [1], tensor_content=b"abc"),
    "no-dtype": tensor(wire.DT_INVALID, [1]),
    "unknown-dtype": tensor(999, [1]),
    "reference-dtype": tensor(wire.DT_FLOAT + 100, [1], float_val=[1]),
    "negative-dimension": tensor(FLOAT, [-1], float_val=[1]),
    "too-many-elements": tensor(FLOAT, [2**40, 2**40]),
    "not-a-boolean": tensor(wire.DT_BOOL, [2], tensor_content=b"\x01\x02"),
    "string-content-too-short": tensor(STRING, [2], tensor_content=b"\x01\x09abc"),
    "too-many-dimensions": tensor(FLOAT, [1] * 255, float_val=[1]),
}

CASES = (
    *ROUND_TRIPS,
    *(
        GrpcCase(
            f"count/{name}",
            "Where a field has too few values the last one is repeated, where it has none all are zero, and "
            "what is too much is dropped.",
            with_input("echo", proto, signature=signature),
            answer("echo", {"y": expected}, signature=signature),
            facts=("6.4.7", "GRP-10"),
        )
        for name, (proto, signature, expected) in COUNTS.items()
    ),
    *(
        GrpcCase(
            f"odd/{name}",
            "Bytes win over values, values in the field of another dtype are not seen, a shape that is not "
            "there or not known is that of a scalar, and narrow integers wrap.",
            with_input("echo", proto, signature=signature),
            answer("echo", {"y": expected}, signature=signature),
            facts=("6.4.7", "GRP-10"),
            level=Level.SHOULD,
        )
        for name, (proto, signature, expected) in ODD.items()
    ),
    *(
        GrpcCase(
            f"broken/{name}",
            "A tensor that cannot be read is an invalid argument, and the input is named.",
            with_input("echo", proto, signature="string" if proto.dtype == STRING else "float"),
            invalid("tensor parsing error: x"),
            facts=("6.4.7", "GRP-11"),
        )
        for name, proto in BROKEN.items()
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
