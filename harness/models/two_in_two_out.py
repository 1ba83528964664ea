"""Two inputs and two outputs of different dtypes under the same aliases: ``a`` float, ``b`` int64."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

_ALIASES = {"a": TensorSpec("DT_FLOAT", (-1,)), "b": TensorSpec("DT_INT64", (-1,))}


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()
    module.version = tf.Variable(contents, dtype=tf.int64, name="version")

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.float32, "a"), tf.TensorSpec([None], tf.int64, "b")]
    )
    def two_in_two_out(a, b):  # type: ignore[no-untyped-def]
        return {"a": 2.0 * a + tf.cast(module.version, tf.float32), "b": -b + 1000 * module.version}

    tf.saved_model.save(module, str(path), signatures=two_in_two_out)


def _sample(k: int) -> Tensors:
    return {
        "a": np.array([k % 100, 0.25], np.float32),
        # Beyond 2^53: a server that takes integers through doubles is found out.
        "b": np.array([k, 2**53 + 1 + k % 100], np.int64),
    }


def _expected(contents: int, inputs: Tensors) -> Tensors:
    return {
        "a": (np.float32(2) * inputs["a"] + np.float32(contents)).astype(np.float32),
        "b": -inputs["b"] + np.int64(1000 * contents),
    }


BUILDER = Builder(
    name="two_in_two_out",
    signatures={SERVING_DEFAULT: Signature(_ALIASES, _ALIASES, _sample, _expected)},
    export=export,
)
