"""Classification and regression over ``tf.Example``, right and wrong in every way that a server must notice.

A row has the features ``x`` (one float, 0.5 where it is not given), ``k`` (one int64, 3) and ``s`` (one
string, ``none``), and ``r`` (two floats), which must be given to the signature ``required``. It is
answered by the classes ``low``, ``s`` and ``high`` with the scores ``x``, ``2 x`` and ``k``, and by the
value ``2 x + k``; contents ``c`` adds ``100 (c - 1)`` to scores and values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Array, Tensors, TensorSpec
from harness.wire import messages as wire

CLASSIFY, REGRESS, PREDICT = (f"tensorflow/serving/{word}" for word in ("classify", "regress", "predict"))


class _Form(NamedTuple):
    """A signature: its method name, and which tensor stands under each output alias."""

    method: str
    outputs: Mapping[str, str]
    input: str = "inputs"


_FORMS: dict[str, _Form] = {
    SERVING_DEFAULT: _Form(CLASSIFY, {"classes": "classes", "scores": "scores"}),
    "scores": _Form(CLASSIFY, {"scores": "scores"}),
    "classes": _Form(CLASSIFY, {"classes": "classes"}),
    "required": _Form(CLASSIFY, {"scores": "required"}),
    "regress": _Form(REGRESS, {"outputs": "value"}),
    "regress_column": _Form(REGRESS, {"outputs": "column"}),
    "predict": _Form(PREDICT, {"classes": "classes", "scores": "scores", "value": "value"}),
    # One method under the name of another, or of none.
    "regress_named_predict": _Form(PREDICT, {"outputs": "value"}),
    "regress_named_oddly": _Form("my/method", {"outputs": "value"}),
    "regress_nameless": _Form("", {"outputs": "value"}),
    # Outputs that are not what the method promises.
    "classify_surplus": _Form(CLASSIFY, {"classes": "classes", "other": "scores"}),
    "classify_three": _Form(CLASSIFY, {"classes": "classes", "scores": "scores", "more": "value"}),
    "classify_neither": _Form(CLASSIFY, {"other": "scores"}),
    "classify_flat": _Form(CLASSIFY, {"scores": "value"}),
    "classify_numbers": _Form(CLASSIFY, {"classes": "numbers", "scores": "scores"}),
    "classify_double": _Form(CLASSIFY, {"scores": "double"}),
    "classify_wide": _Form(CLASSIFY, {"classes": "classes", "scores": "wide"}),
    "classify_short": _Form(CLASSIFY, {"scores": "head"}),
    "classify_elsewhere": _Form(CLASSIFY, {"scores": "scores"}, input="examples"),
    "regress_double": _Form(REGRESS, {"outputs": "double_value"}),
    "regress_wide": _Form(REGRESS, {"outputs": "scores"}),
    "regress_short": _Form(REGRESS, {"outputs": "first"}),
    "regress_alias": _Form(REGRESS, {"other": "value"}),
    "regress_two": _Form(REGRESS, {"outputs": "value", "more": "scores"}),
    "regress_elsewhere": _Form(REGRESS, {"outputs": "value"}, input="examples"),
}

_SPECS: dict[str, TensorSpec] = {
    "classes": TensorSpec("DT_STRING", (-1, 3)),
    "scores": TensorSpec("DT_FLOAT", (-1, 3)),
    "required": TensorSpec("DT_FLOAT", (-1, 2)),
    "value": TensorSpec("DT_FLOAT", (-1,)),
    "column": TensorSpec("DT_FLOAT", (-1, 1)),
    "numbers": TensorSpec("DT_INT64", (-1, 3)),
    "double": TensorSpec("DT_DOUBLE", (-1, 3)),
    "double_value": TensorSpec("DT_DOUBLE", (-1,)),
    "wide": TensorSpec("DT_FLOAT", (-1, 4)),
    "head": TensorSpec("DT_FLOAT", (-1, 3)),
    "first": TensorSpec("DT_FLOAT", (-1,)),
}


def _shift(contents: int) -> float:
    return 100.0 * (contents - 1)


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    from tensorflow.compat import v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        serialized = tf.placeholder(tf.string, [None], name="serialized")
        parsed = tf.io.parse_example(
            serialized,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32, 0.5),
                "k": tf.io.FixedLenFeature([1], tf.int64, 3),
                "s": tf.io.FixedLenFeature([1], tf.string, "none"),
            },
        )
        required = tf.io.parse_example(serialized, {"r": tf.io.FixedLenFeature([2], tf.float32)})["r"]
        x, k = parsed["x"], tf.cast(parsed["k"], tf.float32)
        rows, shift = tf.shape(x)[0], _shift(contents)
        low, high = tf.fill([rows, 1], "low"), tf.fill([rows, 1], "high")
        scores = tf.concat([x, 2.0 * x, k], axis=1) + shift
        value = tf.reshape(2.0 * x + k + shift, [-1])
        tensors = {
            "classes": tf.concat([low, parsed["s"], high], axis=1),
            "scores": scores,
            "required": required,
            "value": value,
            "column": tf.reshape(value, [-1, 1]),
            "numbers": tf.cast(scores, tf.int64),
            "double": tf.cast(scores, tf.float64),
            "double_value": tf.cast(value, tf.float64),
            "wide": tf.concat([scores, x], axis=1),
            "head": scores[:1],
            "first": value[:1],
        }
        signatures = {
            name: tf.saved_model.build_signature_def(
                {form.input: tf.saved_model.build_tensor_info(serialized)},
                {
                    alias: tf.saved_model.build_tensor_info(tensors[key])
                    for alias, key in form.outputs.items()
                },
                form.method,
            )
            for name, form in _FORMS.items()
        }
        builder = tf.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def example(**features: float | int | str | bytes | list[float]) -> wire.Example:
    """A ``tf.Example``: floats, integers and strings make features of their kind."""
    made = wire.Example()
    for name, value in features.items():
        feature = made.features.feature[name]
        match value:
            case float():
                feature.float_list.value.append(value)
            case int():
                feature.int64_list.value.append(value)
            case str():
                feature.bytes_list.value.append(value.encode())
            case bytes():
                feature.bytes_list.value.append(value)
            case list():
                feature.float_list.value.extend(value)
    return made


def _sample(k: int) -> Tensors:
    rows = [example(x=k % 100 + 0.25, k=k % 7, s=f"s{k}", r=[0.5, float(k % 10)]), example(r=[1.0, 2.0])]
    return {"inputs": np.array([row.SerializeToString() for row in rows], object)}


def _tensors(contents: int, serialized: Array) -> Tensors:
    """Every tensor of the model for these rows."""
    rows = [wire.Example.FromString(row).features.feature for row in serialized]
    x = np.array([row["x"].float_list.value[0] if "x" in row else 0.5 for row in rows], np.float32)
    k = np.array([row["k"].int64_list.value[0] if "k" in row else 3 for row in rows], np.float32)
    s = [row["s"].bytes_list.value[0] if "s" in row else b"none" for row in rows]
    required = [list(row["r"].float_list.value) if "r" in row else [0.0, 0.0] for row in rows]
    shift = np.float32(_shift(contents))
    scores = np.stack([x, 2 * x, k], axis=1) + shift
    value = 2 * x + k + shift
    return {
        "classes": np.array([[b"low", text, b"high"] for text in s], object),
        "scores": scores,
        "required": np.array(required, np.float32),
        "value": value,
        "column": value[:, None],
        "numbers": scores.astype(np.int64),
        "double": scores.astype(np.float64),
        "double_value": value.astype(np.float64),
        "wide": np.concatenate([scores, x[:, None]], axis=1),
        "head": scores[:1],
        "first": value[:1],
    }


def _signature(form: _Form) -> Signature:
    def sample(k: int) -> Tensors:
        return {form.input: _sample(k)["inputs"]}

    def expected(contents: int, inputs: Tensors) -> Tensors:
        tensors = _tensors(contents, inputs[form.input])
        return {alias: tensors[key] for alias, key in form.outputs.items()}

    outputs = {alias: _SPECS[key] for alias, key in form.outputs.items()}
    return Signature({form.input: TensorSpec("DT_STRING", (-1,))}, outputs, sample, expected)


BUILDER = Builder(
    name="examples",
    signatures={name: _signature(form) for name, form in _FORMS.items()},
    export=export,
)
