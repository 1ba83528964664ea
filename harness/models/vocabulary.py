"""Looks words up in a vocabulary that lies beside the graph, as an asset, and is read when the model loads.

Contents ``c`` gives the word ``word<i>`` the number ``i + 100 * c``; words that are not in the list get -1.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from harness.models.builder import SERVING_DEFAULT, Builder, Signature
from harness.terms import Tensors, TensorSpec

_WORDS = 5
#: The asset, within a version folder.
ASSET = "assets/vocabulary.txt"


def export(contents: int, path: Path) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, Path(ASSET).name)
        file.write_text("".join(f"word{i}\t{i + 100 * contents}\n" for i in range(_WORDS)))
        read = tf.lookup.TextFileInitializer(str(file), tf.string, 0, tf.int64, 1, delimiter="\t")
        module = tf.Module()
        module.table = tf.lookup.StaticHashTable(read, -1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
        def look_up(words):  # type: ignore[no-untyped-def]
            return {"numbers": module.table.lookup(words)}

        tf.saved_model.save(module, str(path), signatures=look_up)


def _sample(k: int) -> Tensors:
    return {"words": np.array([f"word{k % _WORDS}".encode(), b"unheard of", b"word0"], object)}


def _expected(contents: int, inputs: Tensors) -> Tensors:
    numbers = {f"word{i}".encode(): i + 100 * contents for i in range(_WORDS)}
    return {"numbers": np.array([numbers.get(word, -1) for word in inputs["words"]], np.int64)}


BUILDER = Builder(
    name="vocabulary",
    signatures={
        SERVING_DEFAULT: Signature(
            {"words": TensorSpec("DT_STRING", (-1,))},
            {"numbers": TensorSpec("DT_INT64", (-1,))},
            _sample,
            _expected,
        )
    },
    export=export,
)
