"""Floats from and to their bit patterns, so that a check can say exactly which number it means.

``float`` and ``double`` turn integers into the floats with these bits, ``float_bits`` and ``double_bits``
do the reverse. Answers do not tell the contents.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec


def export(_: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    def cast(source: Any, target: Any, alias: str, output: str) -> Any:
        signature = [tf.TensorSpec(None, source, alias)]
        return tf.function(lambda value: {output: tf.bitcast(value, target)}, input_signature=signature)

    module = tf.Module()
    signatures = {
        "float": cast(tf.int32, tf.float32, "bits", "value"),
        "double": cast(tf.int64, tf.float64, "bits", "value"),
        "float_bits": cast(tf.float32, tf.int32, "value", "bits"),
        "double_bits": cast(tf.float64, tf.int64, "value", "bits"),
    }
    signatures[SERVING_DEFAULT] = signatures["float"]
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(path), signatures=signatures)


def _cast(source: str, target: str, alias: str, output: str) -> Signature:
    numpy = {"DT_INT32": np.int32, "DT_INT64": np.int64, "DT_FLOAT": np.float32, "DT_DOUBLE": np.float64}

    def sample(k: int) -> Tensors:
        return {alias: np.array([k, 1065353216], numpy[source])}

    def expected(_: int, inputs: Tensors) -> Tensors:
        return {output: inputs[alias].view(numpy[target])}

    return Signature({alias: TensorSpec(source, None)}, {output: TensorSpec(target, None)}, sample, expected)


_FLOAT = _cast("DT_INT32", "DT_FLOAT", "bits", "value")

BUILDER = Builder(
    name="bits",
    signatures={
        SERVING_DEFAULT: _FLOAT,
        "float": _FLOAT,
        "double": _cast("DT_INT64", "DT_DOUBLE", "bits", "value"),
        "float_bits": _cast("DT_FLOAT", "DT_INT32", "value", "bits"),
        "double_bits": _cast("DT_DOUBLE", "DT_INT64", "value", "bits"),
    },
    export=export,
)
