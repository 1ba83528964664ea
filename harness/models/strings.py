"""Bytes in, bytes out, once as text and once under an alias that asks for base64 in JSON [5.7]."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

_TEXTS = ("plain", 'quote " and \\ backslash', "grüße, 世界", "", "tab\tline\n")
_SPEC = TensorSpec("DT_STRING", (-1,))


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    module = tf.Module()
    module.suffix = tf.Variable(f"#{contents}", dtype=tf.string, name="suffix")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "s")])
    def strings(s):  # type: ignore[no-untyped-def]
        marked = tf.strings.join([s, module.suffix])
        return {"s": marked, "s_bytes": marked}

    tf.saved_model.save(module, str(path), signatures=strings)


def _sample(k: int) -> Tensors:
    texts = (_TEXTS[k % len(_TEXTS)], f"request {k}")
    return {"s": np.array([text.encode() for text in texts], object)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    marked = np.array([text + b"#%d" % contents for text in inputs["s"].tolist()], object)
    return {"s": marked, "s_bytes": marked}


BUILDER = Builder(
    name="strings",
    signatures={SERVING_DEFAULT: Signature({"s": _SPEC}, {"s": _SPEC, "s_bytes": _SPEC}, _sample, _expected)},
    export=export,
)
