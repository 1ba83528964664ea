"""One float in, one float out: ``y = x / 2 + 2 * contents``. Contents 1 is the model of the guides."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()
    module.a = tf.Variable(0.5, name="a")
    module.b = tf.Variable(2.0 * contents, name="b")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def half_plus_two(x):  # type: ignore[no-untyped-def]
        return {"y": module.a * x + module.b}

    tf.saved_model.save(module, str(path), signatures=half_plus_two)


def _sample(k: int) -> Tensors:
    return {"x": np.array([k % 1000, k % 7 + 0.5, -3.25], np.float32)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    return {"y": (inputs["x"] * np.float32(0.5) + np.float32(2 * contents)).astype(np.float32)}


BUILDER = Builder(
    name="half_plus_two",
    signatures={
        SERVING_DEFAULT: Signature(
            {"x": TensorSpec("DT_FLOAT", (-1,))}, {"y": TensorSpec("DT_FLOAT", (-1,))}, _sample, _expected
        )
    },
    export=export,
)
