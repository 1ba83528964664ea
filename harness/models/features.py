"""Shows the features of a ``tf.Example`` as text, so that a check can see which kind each value became.

The three classes of a row are its features ``f`` (floats), ``i`` (int64) and ``b`` (bytes), any number of
values each, joined by ``|``. Answers do not tell the contents.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec
from harness.wire import messages as wire


def export(_: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    v1 = tf.compat.v1

    texts: dict[str, Callable[[Any], Any]] = {
        "f": lambda values: tf.strings.as_string(values, precision=3),
        "i": tf.strings.as_string,
        "b": tf.identity,
    }

    with v1.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="serialized")
        kinds = {"f": tf.float32, "i": tf.int64, "b": tf.string}
        parsed = tf.io.parse_example(
            serialized, {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}
        )
        columns = []
        for name in kinds:
            rows = tf.RaggedTensor.from_sparse(parsed[name])
            joined = tf.strings.reduce_join(rows.with_values(texts[name](rows.values)), axis=1, separator="|")
            columns.append(tf.reshape(joined, [tf.shape(serialized)[0]]))
        signature = v1.saved_model.build_signature_def(
            {"inputs": v1.saved_model.build_tensor_info(serialized)},
            {"classes": v1.saved_model.build_tensor_info(tf.stack(columns, axis=1))},
            "tensorflow/serving/classify",
        )
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], {SERVING_DEFAULT: signature})
        builder.save()


def _sample(k: int) -> Tensors:
    row = wire.Example()
    row.features.feature["i"].int64_list.value.extend([k, -1])
    row.features.feature["b"].bytes_list.value.append(b"request %d" % k)
    return {"inputs": np.array([row.SerializeToString()], object)}


def _expected(_: int, inputs: Tensors) -> Tensors:
    rows = [wire.Example.FromString(row).features.feature for row in inputs["inputs"]]
    return {
        "classes": np.array(
            [
                [
                    b"|".join(b"%.3f" % value for value in row["f"].float_list.value),
                    b"|".join(b"%d" % value for value in row["i"].int64_list.value),
                    b"|".join(row["b"].bytes_list.value),
                ]
                for row in rows
            ],
            object,
        )
    }


BUILDER = Builder(
    name="features",
    signatures={
        SERVING_DEFAULT: Signature(
            {"inputs": TensorSpec("DT_STRING", (-1,))},
            {"classes": TensorSpec("DT_STRING", (-1, 3))},
            _sample,
            _expected,
        )
    },
    export=export,
)
