"""Computes for as many milliseconds as the input asks, then answers its contents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()
    module.version = tf.Variable(contents, dtype=tf.int64, name="version")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "ms")])
    def slow(ms):  # type: ignore[no-untyped-def]
        start = tf.timestamp()
        seconds = tf.cast(tf.reduce_max(ms), tf.float64) / 1000.0
        turns = tf.while_loop(lambda _: tf.timestamp() - start < seconds, lambda i: [i + 1], [tf.constant(0)])
        # The answer depends on the loop, or the loop would be pruned.
        return {
            "version": tf.zeros_like(ms, tf.int64)
            + module.version
            + tf.cast(tf.minimum(turns[0], 0), tf.int64)
        }

    tf.saved_model.save(module, str(path), signatures=slow)


def _sample(k: int) -> Tensors:
    return {"ms": np.array([5 + k % 10], np.float32)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    return {"version": np.full(inputs["ms"].shape, contents, np.int64)}


BUILDER = Builder(
    name="slow",
    signatures={
        SERVING_DEFAULT: Signature(
            {"ms": TensorSpec("DT_FLOAT", (-1,))},
            {"version": TensorSpec("DT_INT64", (-1,))},
            _sample,
            _expected,
        )
    },
    export=export,
)
