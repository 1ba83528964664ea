"""``build_models.py DIR``: the SavedModels, and one TFRecord file, that these tests use.

Runs in a process of its own, as it imports TensorFlow.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

v1 = tf.compat.v1

# fmt: off
ECHO_DTYPES = [
    "float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16",
    "uint32", "uint64", "bool", "string", "complex64", "complex128", "qint8", "quint8", "qint16", "quint16",
    "qint32", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz",
    "int4", "uint4", "int2", "uint2",
]
# fmt: on


def signature(inputs, outputs, defaults=()):
    message = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    for alias, tensor in inputs.items():
        message.inputs[alias].CopyFrom(v1.saved_model.utils.build_tensor_info(tensor))
    for alias, tensor in outputs.items():
        message.outputs[alias].CopyFrom(v1.saved_model.utils.build_tensor_info(tensor))
    for alias, value in dict(defaults).items():
        message.defaults[alias].CopyFrom(tf.make_tensor_proto(value))
    return message


def graph_model(path, build, tags=("serve",)):
    with tf.Graph().as_default(), v1.Session() as session:
        signatures = build()
        builder = v1.saved_model.builder.SavedModelBuilder(str(path))
        builder.add_meta_graph_and_variables(session, list(tags), signature_def_map=signatures)
        builder.save()


def half_plus(path, addend):
    module = tf.Module()
    module.half = tf.Variable(0.5)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def predict(x):
        return {"y": x * module.half + addend}

    module.predict = predict
    tf.saved_model.save(module, str(path), signatures={"serving_default": predict})


def busy(path):
    """Busy for ``ms`` milliseconds, the largest of the batch; ``quick`` does not wait."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "ms")])
    def wait(ms):
        start = tf.timestamp()
        limit = tf.cast(tf.reduce_max(ms), tf.float64) / 1000
        turns = tf.while_loop(lambda _: tf.timestamp() - start < limit, lambda n: [n + 1], [tf.constant(0)])
        return {"ms": ms + 0 * tf.cast(turns[0], tf.float32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "ms")])
    def quick(ms):
        return {"ms": -ms}

    module.wait, module.quick = wait, quick
    tf.saved_model.save(module, str(path), signatures={"wait": wait, "quick": quick})


def previous(path):
    """Keeps what it is given, and gives what it was given before."""
    module = tf.Module()
    module.kept = tf.Variable(np.zeros(3, np.float32))

    @tf.function(input_signature=[tf.TensorSpec([3], tf.float32, "x")])
    def predict(x):
        before = tf.identity(module.kept) + 0.0
        with tf.control_dependencies([before]):
            module.kept.assign(x)
        return {"y": before}

    module.predict = predict
    tf.saved_model.save(module, str(path), signatures={"serving_default": predict})


def echo():
    signatures = {}
    for name in ECHO_DTYPES:
        fed = v1.placeholder(tf.dtypes.as_dtype(name), None, name=f"{name}_in")
        signatures[name] = signature({"v": fed}, {"w": tf.identity(fed, name=f"{name}_out")})
    return signatures


def odd():
    """Signatures that name what is not there, defaults, and every way to write a shape."""
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    y = v1.placeholder(tf.float32, None, name="y")
    z = tf.add(x, 1.0, name="z")
    handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], name="handle")
    missing = signature({"x": x}, {"z": z})
    missing.outputs["z"].name = "nowhere:0"
    index = signature({"x": x}, {"z": z})
    index.outputs["z"].name = "z:7"
    return {
        "serving_default": signature(
            {"x": x, "y": y}, {"z": z}, {"y": np.float32([[1, 2]]), "x": np.float32(7)}
        ),
        "missing": missing,
        "index": index,
        "resource": signature({"x": x}, {"handle": handle}),
    }


def main(folder):
    half_plus(folder / "half_plus_two", 2.0)
    half_plus(folder / "half", 0.0)
    busy(folder / "busy")
    previous(folder / "previous")
    graph_model(folder / "echo", echo)
    graph_model(folder / "odd", odd)
    graph_model(folder / "train", odd, tags=("train", "gpu"))
    with tf.io.TFRecordWriter(str(folder / "three.tfrecord")) as writer:
        for record in (b"", b"one", b"two" * 1000):
            writer.write(record)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
