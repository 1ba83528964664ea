"""Counts: every run adds up what it is given, so that runs which nobody saw, of warm-up, can be told.

``serving_default`` adds, ``peek`` only looks. ``classify`` and ``regress`` take ``tf.Example`` and add one
for each; they carry the method names that MultiInference asks for [6.6.2].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

_METHODS = {"classify": "tensorflow/serving/classify", "regress": "tensorflow/serving/regress"}


def export(contents: int, path: Path) -> None:
    """Write the SavedModel; ``contents`` is where the count begins."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    module = tf.Module()
    module.count = tf.Variable(contents, dtype=tf.int64, name="count")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "by")])
    def add(by):  # type: ignore[no-untyped-def]
        return {"count": tf.zeros_like(by) + module.count.assign_add(tf.reduce_sum(by))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "any")])
    def peek(any):  # type: ignore[no-untyped-def]  # noqa: A002 - the name of the input
        return {"count": tf.zeros_like(any) + module.count.read_value()}

    def counted(inputs: Any) -> Any:
        count = module.count.assign_add(tf.size(inputs, out_type=tf.int64))
        return tf.zeros(tf.shape(inputs)) + tf.cast(count, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(inputs):  # type: ignore[no-untyped-def]
        return {"scores": tf.expand_dims(counted(inputs), 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(inputs):  # type: ignore[no-untyped-def]
        return {"outputs": counted(inputs)}

    signatures = {SERVING_DEFAULT: add, "peek": peek, "classify": classify, "regress": regress}
    tf.saved_model.save(module, str(path), signatures=signatures)
    file = path / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for name, method in _METHODS.items():
        saved_model.meta_graphs[0].signature_def[name].method_name = method
    file.write_bytes(saved_model.SerializeToString())


def _sample(k: int) -> Tensors:
    return {"any": np.zeros(1 + k % 3, np.int64)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    """What ``peek`` answers as long as nothing was added."""
    return {"count": np.full(inputs["any"].shape, contents, np.int64)}


_NUMBERS = TensorSpec("DT_INT64", (-1,))

BUILDER = Builder(
    name="counter",
    signatures={
        "peek": Signature(
            {"any": TensorSpec("DT_INT64", (-1,))},
            {"count": TensorSpec("DT_INT64", (-1,))},
            _sample,
            _expected,
        )
    },
    export=export,
)
