"""Outputs of awkward forms: unequal batches, scalars, no rows, odd dtypes; and a signature without inputs.

From ``x``, floats: ``serving_default`` gives all of it and its first element (two batch sizes), ``scalar``
the sum, ``mixed`` both the input and the sum, ``positive`` the elements above zero (maybe none), ``as_half``
and the like the input in another dtype, and ``constant`` needs no input. Sums have the contents added.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

#: Dtypes that JSON cannot carry, each given by the signature ``as_<name>``.
_ODD = {
    "half": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "uint16": np.dtype(np.uint16),
    "complex64": np.dtype(np.complex64),
    "complex128": np.dtype(np.complex128),
}

_ROWS, _SCALAR = TensorSpec("DT_FLOAT", (-1,)), TensorSpec("DT_FLOAT", ())


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    def given_x(outputs: Any) -> Any:
        return tf.function(outputs, input_signature=[tf.TensorSpec([None], tf.float32, "x")])

    def total(x: Any) -> Any:
        return tf.reduce_sum(x) + float(contents)

    def cast(dtype: Any) -> Any:
        return given_x(lambda x: {"y": tf.cast(x, dtype)})

    module = tf.Module()
    signatures = {
        SERVING_DEFAULT: given_x(lambda x: {"all": tf.identity(x), "first": x[:1]}),
        "scalar": given_x(lambda x: {"sum": total(x)}),
        "mixed": given_x(lambda x: {"all": tf.identity(x), "sum": total(x)}),
        "positive": given_x(lambda x: {"kept": tf.boolean_mask(x, x > 0)}),
        "constant": tf.function(lambda: {"c": tf.constant([1.5, 2.5])}, input_signature=[]),
    }
    signatures |= {f"as_{name}": cast(dtype) for name, dtype in _ODD.items()}
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(path), signatures=signatures)


def _sample(k: int) -> Tensors:
    return {"x": np.array([k % 100 + 1, 0.5, -1], np.float32)}


def _total(contents: int, inputs: Tensors) -> np.float32:
    return np.float32(inputs["x"].sum() + contents)


def _cast(name: str) -> Signature:
    spec = TensorSpec(f"DT_{name.upper()}", (-1,))
    return Signature(_X, {"y": spec}, _sample, lambda _, inputs: {"y": inputs["x"].astype(_ODD[name])})


_X = {"x": _ROWS}

BUILDER = Builder(
    name="forms",
    signatures={
        SERVING_DEFAULT: Signature(
            _X,
            {"all": _ROWS, "first": _ROWS},
            _sample,
            lambda _, inputs: {"all": inputs["x"], "first": inputs["x"][:1]},
        ),
        "scalar": Signature(
            _X, {"sum": _SCALAR}, _sample, lambda *given: {"sum": np.asarray(_total(*given))}
        ),
        "mixed": Signature(
            _X,
            {"all": _ROWS, "sum": _SCALAR},
            _sample,
            lambda contents, inputs: {"all": inputs["x"], "sum": np.asarray(_total(contents, inputs))},
        ),
        "positive": Signature(
            _X, {"kept": _ROWS}, _sample, lambda _, inputs: {"kept": inputs["x"][inputs["x"] > 0]}
        ),
        "constant": Signature(
            {},
            {"c": TensorSpec("DT_FLOAT", (2,))},
            lambda _: {},
            lambda *_: {"c": np.array([1.5, 2.5], np.float32)},
        ),
    }
    | {f"as_{name}": _cast(name) for name in _ODD},
    export=export,
)
