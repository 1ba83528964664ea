"""A matrix product, whose operation insists on the inner size: ``z = x w + contents`` with ``w`` of 3 x 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

_WEIGHTS = ((1.0, 0.0), (0.0, 1.0), (0.5, -0.5))


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    from tensorflow.compat import v1 as tf

    # Graph mode, so that no function around the product looks at shapes before it does.
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        z = tf.matmul(x, tf.constant(_WEIGHTS), name="product") + float(contents)
        signature = tf.saved_model.predict_signature_def({"x": x}, {"z": z})
        builder = tf.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], {SERVING_DEFAULT: signature})
        builder.save()


def _sample(k: int) -> Tensors:
    return {"x": np.array([[k % 10, 1, -2], [0, k % 3, 0.5]], np.float32)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    return {"z": inputs["x"] @ np.array(_WEIGHTS, np.float32) + np.float32(contents)}


BUILDER = Builder(
    name="matmul",
    signatures={
        SERVING_DEFAULT: Signature(
            {"x": TensorSpec("DT_FLOAT", (-1, 3))}, {"z": TensorSpec("DT_FLOAT", (-1, 2))}, _sample, _expected
        )
    },
    export=export,
)
