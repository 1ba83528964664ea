"""Rows of any length in, and outputs that do or do not follow the batch: ``y = x + contents``.

``serving_default`` answers row by row, ``uneven`` has an output with one row whatever the batch, ``total``
one without rows. Nothing checks the rank of ``x``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()
    module.shift = tf.Variable(float(contents), name="shift")
    rows = [tf.TensorSpec([None, None], tf.float32, "x")]

    @tf.function(input_signature=rows)
    def shifted(x):  # type: ignore[no-untyped-def]
        return {"y": x + module.shift}

    @tf.function(input_signature=rows)
    def uneven(x):  # type: ignore[no-untyped-def]
        return {"same": x + module.shift, "head": (x + module.shift)[:1]}

    @tf.function(input_signature=rows)
    def total(x):  # type: ignore[no-untyped-def]
        return {"sum": tf.reduce_sum(x) + module.shift}

    signatures = {SERVING_DEFAULT: shifted, "uneven": uneven, "total": total}
    tf.saved_model.save(module, str(path), signatures=signatures)


def _sample(k: int) -> Tensors:
    return {"x": np.arange(2 * (1 + k % 4), dtype=np.float32).reshape(2, -1) + np.float32(k % 100)}


def _shifted(contents: int, inputs: Tensors) -> Tensors:
    return {"y": inputs["x"] + np.float32(contents)}


def _uneven(contents: int, inputs: Tensors) -> Tensors:
    same = inputs["x"] + np.float32(contents)
    return {"same": same, "head": same[:1]}


def _total(contents: int, inputs: Tensors) -> Tensors:
    return {"sum": np.asarray(inputs["x"].sum() + contents, np.float32)}


_X, _ROWS = {"x": TensorSpec("DT_FLOAT", (-1, -1))}, TensorSpec("DT_FLOAT", (-1, -1))

BUILDER = Builder(
    name="shapes",
    signatures={
        SERVING_DEFAULT: Signature(_X, {"y": _ROWS}, _sample, _shifted),
        "uneven": Signature(_X, {"same": _ROWS, "head": _ROWS}, _sample, _uneven),
        "total": Signature(_X, {"sum": TensorSpec("DT_FLOAT", ())}, _sample, _total),
    },
    export=export,
)
