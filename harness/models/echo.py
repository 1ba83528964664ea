"""Gives back what it gets, of any shape: a signature for each dtype, named after it.

Answers do not tell the contents: this is for checks of what happens to values on their way in and out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

#: Each dtype by the name of its signature, which is TensorFlow's.
DTYPES: dict[str, np.dtype[Any]] = {
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "half": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "int8": np.dtype(np.int8),
    "int16": np.dtype(np.int16),
    "int32": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
    "uint8": np.dtype(np.uint8),
    "uint16": np.dtype(np.uint16),
    "uint32": np.dtype(np.uint32),
    "uint64": np.dtype(np.uint64),
    "bool": np.dtype(np.bool_),
    "complex64": np.dtype(np.complex64),
    "complex128": np.dtype(np.complex128),
    "string": np.dtype(object),
}


def export(_: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    def echo(dtype: Any, output: str = "y") -> Any:
        signature = [tf.TensorSpec(None, dtype, "x")]
        return tf.function(lambda x: {output: tf.identity(x)}, input_signature=signature)

    module = tf.Module()
    signatures = {name: echo(tf.dtypes.as_dtype(_tensorflow(name))) for name in DTYPES}
    signatures["string_bytes"] = echo(tf.string, "y_bytes")
    signatures[SERVING_DEFAULT] = signatures["float"]
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(path), signatures=signatures)


def _tensorflow(name: str) -> str:
    return {"float": "float32", "double": "float64", "half": "float16"}.get(name, name)


def _signature(name: str, output: str = "y") -> Signature:
    spec = TensorSpec(f"DT_{name.upper()}", None)
    dtype = DTYPES[name]

    def sample(k: int) -> Tensors:
        if name == "string":
            return {"x": np.array([b"request %d" % k], object)}
        return {"x": np.array([k % 2, 1]).astype(dtype)}

    return Signature({"x": spec}, {output: spec}, sample, lambda _, inputs: {output: inputs["x"]})


BUILDER = Builder(
    name="echo",
    signatures={name: _signature(name) for name in DTYPES}
    | {"string_bytes": _signature("string", "y_bytes"), SERVING_DEFAULT: _signature("float")},
    export=export,
)
