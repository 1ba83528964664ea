"""An image in, three numbers out: the mean of each channel plus ten times the contents.

As much to send as for a real image model, and next to nothing to compute.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

_SIZE = 224


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, _SIZE, _SIZE, 3], tf.float32, "image")])
    def mean(image):  # type: ignore[no-untyped-def]
        return {"mean": tf.reduce_mean(image, axis=[1, 2]) + 10.0 * contents}

    tf.saved_model.save(module, str(path), signatures=mean)


def _sample(k: int) -> Tensors:
    return {"image": np.random.default_rng(k).random((1, _SIZE, _SIZE, 3)).astype(np.float32)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    mean = inputs["image"].astype(np.float64).mean(axis=(1, 2)) + 10.0 * contents
    return {"mean": mean.astype(np.float32)}


BUILDER = Builder(
    name="image_mean",
    signatures={
        SERVING_DEFAULT: Signature(
            {"image": TensorSpec("DT_FLOAT", (-1, _SIZE, _SIZE, 3))},
            {"mean": TensorSpec("DT_FLOAT", (-1, 3))},
            _sample,
            _expected,
        )
    },
    export=export,
    tolerance=1e-5,
)
