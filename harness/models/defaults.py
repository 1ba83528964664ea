"""Inputs that need not be given: ``s = a + b + c``, where the signature has 100 for ``b`` and 1000 for ``c``.

The signature ``strict`` is ``t = a + b`` without defaults. Contents are added to both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

_ROWS, _ANY = TensorSpec("DT_FLOAT", (-1,)), TensorSpec("DT_FLOAT", None)


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        a = v1.placeholder(tf.float32, [None], name="a")
        b = v1.placeholder(tf.float32, None, name="b")
        c = v1.placeholder(tf.float32, None, name="c")
        t = tf.add(a + b, float(contents), name="t")
        s = tf.add(t, c, name="s")
        loose = v1.saved_model.predict_signature_def({"a": a, "b": b, "c": c}, {"s": s})
        for alias, value in (("b", 100.0), ("c", 1000.0)):
            loose.defaults[alias].CopyFrom(tf.make_tensor_proto(value))
        strict = v1.saved_model.predict_signature_def({"a": a, "b": b}, {"t": t})
        builder = v1.saved_model.Builder(str(path))
        signatures = {SERVING_DEFAULT: loose, "strict": strict}
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def _sample(k: int) -> Tensors:
    return {
        "a": np.array([k % 100, 0.5], np.float32),
        "b": np.array([k % 7, 1], np.float32),
        "c": np.array([2, k % 3], np.float32),
    }


def _sum(contents: int, inputs: Tensors) -> Tensors:
    b, c = inputs.get("b", np.float32(100)), inputs.get("c", np.float32(1000))
    return {"s": (inputs["a"] + b + np.float32(contents) + c).astype(np.float32)}


BUILDER = Builder(
    name="defaults",
    signatures={
        SERVING_DEFAULT: Signature({"a": _ROWS, "b": _ANY, "c": _ANY}, {"s": _ANY}, _sample, _sum),
        "strict": Signature(
            {"a": _ROWS, "b": _ANY},
            {"t": _ANY},
            lambda k: {alias: value for alias, value in _sample(k).items() if alias != "c"},
            lambda contents, inputs: {
                "t": (inputs["a"] + inputs["b"] + np.float32(contents)).astype(np.float32)
            },
        ),
    },
    export=export,
)
