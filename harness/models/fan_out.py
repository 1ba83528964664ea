"""Many outputs: ``y0`` to ``y31``, where ``y<i> = x + i + 100 * contents``.

The signature ``shared`` has two outputs that are one tensor, ``p`` and ``q``, both ``y0``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Array, Tensors, TensorSpec

OUTPUTS = tuple(f"y{i}" for i in range(32))
_ROWS = TensorSpec("DT_FLOAT", (-1,))


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    from tensorflow.compat import v1 as tf

    # Graph mode: a function would give each alias a tensor of its own.
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        outputs = {name: tf.add(x, float(i + 100 * contents), name=name) for i, name in enumerate(OUTPUTS)}
        signatures = {
            SERVING_DEFAULT: tf.saved_model.predict_signature_def({"x": x}, outputs),
            "shared": tf.saved_model.predict_signature_def(
                {"x": x}, {"p": outputs["y0"], "q": outputs["y0"]}
            ),
        }
        builder = tf.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def _sample(k: int) -> Tensors:
    return {"x": np.array([k % 100, 0.5], np.float32)}


def _output(contents: int, inputs: Tensors, i: int) -> Array:
    return inputs["x"] + np.float32(i + 100 * contents)


BUILDER = Builder(
    name="fan_out",
    signatures={
        SERVING_DEFAULT: Signature(
            {"x": _ROWS},
            dict.fromkeys(OUTPUTS, _ROWS),
            _sample,
            lambda contents, inputs: {name: _output(contents, inputs, i) for i, name in enumerate(OUTPUTS)},
        ),
        "shared": Signature(
            {"x": _ROWS},
            {"p": _ROWS, "q": _ROWS},
            _sample,
            lambda contents, inputs: dict.fromkeys(("p", "q"), _output(contents, inputs, 0)),
        ),
    },
    export=export,
)
