"""A model without a default signature: ``y = 3 * x + contents`` under the name ``triple`` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import Builder, Signature
from harness.terms import Tensors, TensorSpec

_FLOATS = TensorSpec("DT_FLOAT", (-1,))


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def triple(x):  # type: ignore[no-untyped-def]
        return {"y": 3.0 * x + float(contents)}

    tf.saved_model.save(module, str(path), signatures={"triple": triple})


def _sample(k: int) -> Tensors:
    return {"x": np.array([k % 1000, 0.5], np.float32)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    return {"y": (3 * inputs["x"] + np.float32(contents)).astype(np.float32)}


BUILDER = Builder(
    name="named",
    signatures={"triple": Signature({"x": _FLOATS}, {"y": _FLOATS}, _sample, _expected)},
    export=export,
)
