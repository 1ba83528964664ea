"""MobileNetV2 at its real size, with random weights seeded by the contents.

The oracle is what Keras itself answered, recorded beside the SavedModel when it was exported.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models import cache
from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Array, Tensors, TensorSpec

_SIZE, _CLASSES, _IMAGES = 224, 1000, 4


def _image(k: int) -> Array:
    # Eighths are exact in binary and short in JSON.
    eighths = np.random.default_rng(k % _IMAGES).integers(-8, 9, (1, _SIZE, _SIZE, 3))
    return eighths.astype(np.float32) / np.float32(8)


def export(contents: int, path: Path) -> None:
    """Write the SavedModel, and ``recorded.npy`` beside it."""
    import keras
    import tensorflow as tf

    model = keras.applications.MobileNetV2(weights=None, classifier_activation=None)
    random = np.random.default_rng(contents)
    for weight in model.weights:
        if weight.path.endswith("kernel"):
            # Keras' own start values let the signal die out over the 53 layers.
            fan_in = 9 if "depthwise" in weight.path else np.prod(weight.shape[:-1])
            weight.assign(random.normal(size=weight.shape, scale=np.sqrt(2 / fan_in)))
    model.export(
        str(path),
        verbose=False,
        input_signature=[tf.TensorSpec([None, _SIZE, _SIZE, 3], tf.float32, "image")],
    )
    images = np.concatenate([_image(k) for k in range(_IMAGES)])
    np.save(path.parent / "recorded.npy", model.predict(images, verbose=0))


def _sample(k: int) -> Tensors:
    return {"image": _image(k)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    recorded = np.load(cache.saved_model(BUILDER, contents).parent / "recorded.npy")
    known = {_image(k).tobytes(): recorded[k] for k in range(_IMAGES)}
    return {"output_0": np.stack([known[row.tobytes()] for row in inputs["image"]])}


BUILDER = Builder(
    name="mobilenet_v2",
    signatures={
        SERVING_DEFAULT: Signature(
            {"image": TensorSpec("DT_FLOAT", (-1, _SIZE, _SIZE, 3))},
            {"output_0": TensorSpec("DT_FLOAT", (-1, _CLASSES))},
            _sample,
            _expected,
        )
    },
    export=export,
    tolerance=1e-3,
)
