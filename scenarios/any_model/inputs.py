"""Inputs for a signature of which nothing is known but the dtypes and shapes in the model's metadata."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.client.outcome import SignatureInfo
from harness.terms import Array, Tensors, TensorSpec
from harness.wire import tensors

#: Dtypes that JSON carries in both directions [5.6, 5.8.8].
IN_JSON = frozenset(
    f"DT_{name}"
    for name in ("FLOAT", "DOUBLE", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT32", "UINT64")
) | {"DT_BOOL", "DT_STRING"}

#: Elements in the known dimensions of a large input.
_LARGE = 10_000
#: The largest size that an unknown dimension gets.
_LARGEST = 3
#: Unknown dimensions of different places get sizes of their own up to this rank.
_RANK = 8

_BRIEF_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8).map(str.encode)
#: By kind of dtype. Eighths have an exact form in every float and in JSON; whole numbers are small, because
#: many models look something up by them.
_ELEMENTS: Mapping[str, st.SearchStrategy[object]] = {
    "f": st.integers(-80, 80).map(lambda eighths: eighths / 8),
    "V": st.integers(-80, 80).map(lambda eighths: eighths / 8),
    "i": st.integers(0, 9),
    "u": st.integers(0, 9),
    "b": st.booleans(),
    "c": st.integers(-80, 80).map(lambda eighths: complex(eighths / 8, 1)),
    "O": _BRIEF_TEXT,
}


def within(signature: SignatureInfo, dtypes: Collection[str] | None = None) -> bool:
    """Tell whether inputs can be made up, and whether all dtypes are among ``dtypes`` if that is given."""
    specs = (*signature.inputs.values(), *signature.outputs.values())
    known = all(tensors.numpy_dtype(spec.dtype) is not None for spec in specs)
    return bool(signature.inputs) and known and (dtypes is None or all(s.dtype in dtypes for s in specs))


def has_rows(signature: SignatureInfo) -> bool:
    """Tell whether every input and output has a first dimension of any size: rows, in JSON's row format."""
    specs = (*signature.inputs.values(), *signature.outputs.values())
    return all(spec.shape and spec.shape[0] == -1 for spec in specs)


def is_large(signature: SignatureInfo) -> bool:
    """Tell whether an input has so many elements that examples take noticeable time."""
    return any(
        math.prod(size for size in spec.shape or () if size > 0) > _LARGE
        for spec in signature.inputs.values()
    )


@st.composite
def fitting(draw: st.DrawFn, signature: SignatureInfo) -> Tensors:
    """One tensor for each input.

    Unknown dimensions in the same place get the same size in all inputs: they belong together as a rule.
    """
    largest = 1 if is_large(signature) else _LARGEST
    sizes = draw(st.lists(st.integers(1, largest), min_size=_RANK, max_size=_RANK))
    return {alias: draw(_tensor(spec, sizes)) for alias, spec in sorted(signature.inputs.items())}


def _tensor(spec: TensorSpec, sizes: list[int]) -> st.SearchStrategy[Array]:
    shape = (-1,) if spec.shape is None else spec.shape
    dtype = tensors.numpy_dtype(spec.dtype)
    assert dtype is not None, "only signatures within reach are asked for"
    known = tuple(sizes[at % _RANK] if size < 0 else size for at, size in enumerate(shape))
    wide = np.dtype(np.float32) if dtype.kind == "V" else dtype
    return hnp.arrays(wide, known, elements=_ELEMENTS[dtype.kind]).map(lambda array: array.astype(dtype))
