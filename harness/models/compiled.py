"""A model that insists on being compiled with XLA: ``y = x / 2 + 2 * contents``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()
    module.intercept = tf.Variable(2.0 * contents, name="intercept")

    @tf.function(jit_compile=True)
    def line(x):  # type: ignore[no-untyped-def]
        return x * 0.5 + module.intercept

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def compiled(x):  # type: ignore[no-untyped-def]
        return {"y": line(x)}

    tf.saved_model.save(module, str(path), signatures=compiled)


def _sample(k: int) -> Tensors:
    return {"x": np.array([k % 1000, k % 7 + 0.5, -3.25], np.float32)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    return {"y": (inputs["x"] * np.float32(0.5) + np.float32(2 * contents)).astype(np.float32)}


BUILDER = Builder(
    name="compiled",
    signatures={
        SERVING_DEFAULT: Signature(
            {"x": TensorSpec("DT_FLOAT", (-1,))}, {"y": TensorSpec("DT_FLOAT", (-1,))}, _sample, _expected
        )
    },
    export=export,
)
