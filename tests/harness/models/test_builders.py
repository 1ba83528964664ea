"""Every builder says of itself what is true: names, shapes and dtypes fit its samples and answers."""

from __future__ import annotations

from collections.abc import Mapping

import ml_dtypes
import numpy as np
import pytest

from harness.models import BUILDERS, Builder
from harness.terms import Array, Tensors, TensorSpec

SPECIAL = {"DT_FLOAT": np.float32, "DT_DOUBLE": np.float64, "DT_HALF": np.float16, "DT_STRING": object}

#: Their answers are recorded, not computed.
RECORDED = ("mobilenet_v2",)


def numpy_dtype(name: str) -> np.dtype[object]:
    if name == "DT_BFLOAT16":
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(SPECIAL.get(name) or name.removeprefix("DT_").lower())


def fits(spec: TensorSpec, array: Array) -> bool:
    if array.dtype != numpy_dtype(spec.dtype):
        return False
    return spec.shape is None or (
        len(spec.shape) == array.ndim
        and all(size in (-1, actual) for size, actual in zip(spec.shape, array.shape, strict=True))
    )


def check(specs: Mapping[str, TensorSpec], tensors: Tensors) -> None:
    assert tensors.keys() == specs.keys()
    assert [alias for alias, spec in specs.items() if not fits(spec, tensors[alias])] == []


@pytest.mark.parametrize("builder", BUILDERS.values(), ids=lambda builder: builder.name)
def test_samples_and_answers_fit(builder: Builder) -> None:
    for signature in builder.signatures.values():
        for k in (0, 1, 12345):
            inputs = signature.sample(k)
            check(signature.inputs, inputs)
            assert {alias: array.tolist() for alias, array in inputs.items()} == {
                alias: array.tolist() for alias, array in signature.sample(k).items()
            }
            if builder.name not in RECORDED:
                check(signature.outputs, signature.expected(3, inputs))
