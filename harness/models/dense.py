"""One dense layer, 784 floats to 10 scores, with weights seeded by the contents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Array, Tensors, TensorSpec

_PIXELS, _CLASSES = 784, 10


def _weights(contents: int) -> tuple[Array, Array]:
    random = np.random.default_rng(contents)
    return random.normal(size=(_PIXELS, _CLASSES)).astype(np.float32), random.normal(size=_CLASSES).astype(
        np.float32
    )


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    kernel, bias = _weights(contents)
    module = tf.Module()
    module.kernel = tf.Variable(kernel, name="kernel")
    module.bias = tf.Variable(bias, name="bias")

    @tf.function(input_signature=[tf.TensorSpec([None, _PIXELS], tf.float32, "pixels")])
    def dense(pixels):  # type: ignore[no-untyped-def]
        return {"scores": tf.linalg.matmul(pixels, module.kernel) + module.bias}

    tf.saved_model.save(module, str(path), signatures=dense)


def _sample(k: int) -> Tensors:
    # Sixteenths are exact in binary and short in JSON.
    return {
        "pixels": np.random.default_rng(k).integers(0, 17, (2, _PIXELS)).astype(np.float32) / np.float32(16)
    }


def _expected(contents: int, inputs: Tensors) -> Tensors:
    kernel, bias = _weights(contents)
    return {"scores": (inputs["pixels"].astype(np.float64) @ kernel + bias).astype(np.float32)}


BUILDER = Builder(
    name="dense",
    signatures={
        SERVING_DEFAULT: Signature(
            {"pixels": TensorSpec("DT_FLOAT", (-1, _PIXELS))},
            {"scores": TensorSpec("DT_FLOAT", (-1, _CLASSES))},
            _sample,
            _expected,
        )
    },
    export=export,
    tolerance=1e-5,
)
