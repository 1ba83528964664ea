"""A 7 by 7 grid of int32 and two signatures: its sum plus ``1000 * contents``, and the grid turned over."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

_GRID = TensorSpec("DT_INT32", (-1, 7, 7))


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()
    module.version = tf.Variable(contents, dtype=tf.int32, name="version")
    grid_spec = [tf.TensorSpec([None, 7, 7], tf.int32, "grid")]

    @tf.function(input_signature=grid_spec)
    def total(grid):  # type: ignore[no-untyped-def]
        return {"sum": tf.reduce_sum(grid, [1, 2]) + 1000 * module.version}

    @tf.function(input_signature=grid_spec)
    def turned(grid):  # type: ignore[no-untyped-def]
        return {"turned": tf.transpose(grid, [0, 2, 1]) + module.version}

    tf.saved_model.save(module, str(path), signatures={SERVING_DEFAULT: total, "turned": turned})


def _sample(k: int) -> Tensors:
    return {"grid": np.arange(49, dtype=np.int32).reshape(1, 7, 7) + np.int32(k % 10)}


def _total(contents: int, inputs: Tensors) -> Tensors:
    return {"sum": inputs["grid"].sum(axis=(1, 2), dtype=np.int32) + np.int32(1000 * contents)}


def _turned(contents: int, inputs: Tensors) -> Tensors:
    return {"turned": inputs["grid"].transpose(0, 2, 1) + np.int32(contents)}


BUILDER = Builder(
    name="grid",
    signatures={
        SERVING_DEFAULT: Signature({"grid": _GRID}, {"sum": TensorSpec("DT_INT32", (-1,))}, _sample, _total),
        "turned": Signature({"grid": _GRID}, {"turned": _GRID}, _sample, _turned),
    },
    export=export,
)
