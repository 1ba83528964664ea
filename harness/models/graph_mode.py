"""A model as TensorFlow 1 exported them, in two editions: ``y = x / 2 + 2 * contents``.

The edition with the tags ``serve`` and ``gpu`` adds ``GPU_SHIFT`` to every answer; the one tagged ``serve``
alone is what a server loads unless told otherwise [11.2].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

#: What the edition for ``serve`` and ``gpu`` adds.
GPU_SHIFT = 1000


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    from tensorflow.compat import v1 as tf

    builder = tf.saved_model.Builder(str(path))
    for tags, shift in ((["serve"], 0), (["serve", "gpu"], GPU_SHIFT)):
        with tf.Graph().as_default(), tf.Session() as session:
            x = tf.placeholder(tf.float32, [None], name="x")
            intercept = tf.Variable(2.0 * contents, name="intercept", use_resource=False)
            y = tf.add(x * 0.5 + intercept, float(shift), name="y")
            signature = tf.saved_model.predict_signature_def({"x": x}, {"y": y})
            if shift:
                builder.add_meta_graph(tags, {SERVING_DEFAULT: signature})
            else:
                session.run(tf.global_variables_initializer())
                builder.add_meta_graph_and_variables(session, tags, {SERVING_DEFAULT: signature})
    builder.save()


def _sample(k: int) -> Tensors:
    return {"x": np.array([k % 1000, k % 7 + 0.5], np.float32)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    return {"y": (inputs["x"] * np.float32(0.5) + np.float32(2 * contents)).astype(np.float32)}


BUILDER = Builder(
    name="graph_mode",
    signatures={
        SERVING_DEFAULT: Signature(
            {"x": TensorSpec("DT_FLOAT", (-1,))}, {"y": TensorSpec("DT_FLOAT", (-1,))}, _sample, _expected
        )
    },
    export=export,
)
