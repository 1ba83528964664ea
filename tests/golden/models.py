"""``models.py FOLDER``: the SavedModels that the recorded requests talk about. Imports TensorFlow.

The recordings name models, inputs, outputs and tensors, so these are given. A function below is one
model, or one family of models; graph-mode models return their signatures. Input and output aliases
are the names of the tensors unless a dictionary says otherwise.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.golden import variants
from tests.golden.setups import DTYPES

v1 = tf.compat.v1

#: Versions of ``lin``.
LIN_VERSIONS = (*range(1, 10), 11)

Signatures = dict[str, Any]
Tensors = Mapping[str, Any] | Sequence[Any]
GRAPHS: dict[str, Callable[[], Signatures]] = {}


def graph(name: str) -> Callable[[Callable[[], Signatures]], Callable[[], Signatures]]:
    """Registers a graph-mode model."""

    def register(build: Callable[[], Signatures]) -> Callable[[], Signatures]:
        GRAPHS[name] = build
        return build

    return register


def given(name: str, dtype: Any = tf.float32, shape: Sequence[int | None] | None = (None,)) -> Any:
    """A placeholder; floats of one dimension unless told otherwise."""
    return v1.placeholder(dtype, None if shape is None else list(shape), name=name)


def signature(inputs: Tensors, outputs: Tensors, method: str = "predict") -> Any:
    """A signature; a method without a slash is one of TensorFlow Serving's."""
    if method and "/" not in method:
        method = f"tensorflow/serving/{method}"
    return v1.saved_model.build_signature_def(_infos(inputs), _infos(outputs), method)


def _infos(tensors: Tensors) -> dict[str, Any]:
    named = tensors if isinstance(tensors, Mapping) else {tensor.op.name: tensor for tensor in tensors}
    return {alias: v1.saved_model.build_tensor_info(tensor) for alias, tensor in named.items()}


def write_graph(build: Callable[[], Signatures], path: Path, tags: Sequence[str] = ("serve",)) -> None:
    with v1.Graph().as_default(), v1.Session() as session:
        signatures = build()
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, list(tags), signatures, strip_default_attrs=True)
        builder.save()


# --------------------------------------------------------------------------- values as they are


def echo(dtype: str) -> Callable[[], Signatures]:
    def build() -> Signatures:
        v = given("v", tf.dtypes.as_dtype(dtype), None)
        return {"serving_default": signature([v], [tf.identity(v, name="w")])}

    return build


GRAPHS |= {f"echo_{dtype}": echo(dtype) for dtype in DTYPES}


def cast(source: Any, target: Any, alias: str, output: str) -> Callable[[], Signatures]:
    def build() -> Signatures:
        x = given(alias, source, None)
        return {"serving_default": signature([x], [tf.bitcast(x, target, name=output)])}

    return build


GRAPHS["bits32"] = cast(tf.int32, tf.float32, "bits", "value")
GRAPHS["bits64"] = cast(tf.int64, tf.float64, "bits", "value")
GRAPHS["tobits32"] = cast(tf.float32, tf.int32, "value", "bits")
GRAPHS["tobits64"] = cast(tf.float64, tf.int64, "value", "bits")


@graph("bits16")
def bits16() -> Signatures:
    bits = given("bits", tf.int32, None)
    narrow = tf.cast(bits, tf.uint16)
    half, brain = tf.bitcast(narrow, tf.float16, name="half"), tf.bitcast(narrow, tf.bfloat16, name="brain")
    wide = {"half_as_float": tf.cast(half, tf.float32), "brain_as_float": tf.cast(brain, tf.float32)}
    return {"serving_default": signature([bits], [half, brain])} | {
        name: signature([bits], {"value": value}) for name, value in wide.items()
    }


# --------------------------------------------------------------------------- several tensors, many shapes


@graph("mixed")
def mixed() -> Signatures:
    amount, count = given("amount"), given("count", tf.int64)
    tag, on = given("tag", tf.string), given("on", tf.bool)
    outputs = [
        tf.multiply(amount, tf.cast(count, tf.float32), name="total"),
        tf.strings.join([tag, tf.strings.as_string(count)], ":", name="line"),
        tf.logical_not(on, name="off"),
        tf.square(count, name="square"),
    ]
    return {"serving_default": signature([amount, count, tag, on], outputs)}


@graph("pair")
def pair() -> Signatures:
    p, q = given("p", shape=(None, 2)), given("q", tf.int32)
    r = tf.add(tf.reduce_sum(p, axis=1), tf.cast(q, tf.float32), name="r")
    return {"serving_default": signature([p, q], [r])}


@graph("scalar")
def scalar() -> Signatures:
    s = given("s", shape=())
    return {"serving_default": signature([s], [tf.multiply(s, s, name="sq")])}


@graph("rank4")
def rank4() -> Signatures:
    x = given("x", shape=(None, 2, 2, 2))
    return {
        "serving_default": signature([x], [tf.add(x, x, name="doubled")]),
        "sums": signature([x], [tf.reduce_sum(x, axis=[1, 2, 3], name="sum")]),
    }


@graph("rank3")
def rank3() -> Signatures:
    x = given("x", tf.int32, (None, None, 2))
    return {"serving_default": signature([x], [tf.negative(x, name="neg")])}


@graph("fixed")
def fixed() -> Signatures:
    x = given("x", shape=(3, 2))
    return {"serving_default": signature([x], [tf.reduce_sum(x, axis=1, name="row")])}


@graph("mat")
def mat() -> Signatures:
    x = given("x", shape=(None, 3))
    weights = tf.constant([[1.0, 0.0], [0.0, 1.0], [0.5, -0.5]])
    return {"serving_default": signature([x], [tf.matmul(x, weights, name="z")])}


@graph("uneven")
def uneven() -> Signatures:
    x = given("x")
    same, head = tf.identity(x, name="same"), tf.identity(x[:1], name="head")
    total, kept = tf.reduce_sum(x, name="total"), tf.identity(x[x > 0], name="kept")
    outputs = {
        "serving_default": [same, head],
        "with_scalar": [same, total],
        "scalar_only": [total],
        "head_only": [head],
        "positive": [kept],
    }
    return {name: signature([x], tensors) for name, tensors in outputs.items()}


@graph("five")
def five() -> Signatures:
    x = given("x")
    aliases = ("alpha", "beta", "gamma", "delta", "epsilon")
    return {"serving_default": signature([x], {alias: x + float(i) for i, alias in enumerate(aliases)})}


@graph("two_in")
def two_in() -> Signatures:
    a, b = given("a", shape=None), given("b", shape=None)
    return {"serving_default": signature([a, b], [tf.add(a, b, name="s")])}


@graph("two_io")
def two_io() -> Signatures:
    a, b = given("a", shape=None), given("b", tf.int64, None)
    return {"serving_default": signature([a, b], [tf.add(a, a, name="a2"), tf.add(b, b, name="b2")])}


def grid(dtype: Any) -> Callable[[], Signatures]:
    def build() -> Signatures:
        x = given("grid", dtype, (None, 7, 7))
        return {
            "serving_default": signature([x], [tf.reduce_sum(x, axis=[1, 2], name="sum")]),
            "transpose": signature([x], [tf.transpose(x, [0, 2, 1], name="turned")]),
        }

    return build


GRAPHS |= {"grid7f": grid(tf.float32), "grid7i": grid(tf.int32)}


@graph("image")
def image() -> Signatures:
    x = given("image", shape=(None, 224, 224, 3))
    return {
        "serving_default": signature([x], [tf.reduce_mean(x, axis=[1, 2, 3], name="mean")]),
        "channels": signature([x], [tf.reduce_mean(x, axis=[1, 2], name="rgb")]),
    }


@graph("strs")
def strs() -> Signatures:
    text = given("text", tf.string, None)
    copies = {name: tf.identity(text, name=name) for name in ("same", "same_bytes", "s2", "s3", "s4")}
    n, length = tf.strings.length(text, name="n"), tf.strings.length(text, name="len")
    both = {"same": copies["s2"], "same_bytes": copies["s3"], "len_bytes": length}
    return {
        "serving_default": signature([text], [copies["same"]]),
        "bytes": signature([text], [copies["same_bytes"]]),
        "both": signature([text], both),
        "len": signature([text], [n]),
        "bytes_in": signature({"text_bytes": text}, {"same": copies["s4"]}),
    }


# --------------------------------------------------------------------------- tf.Example


@graph("examples")
def examples() -> Signatures:
    serialized = given("serialized", tf.string)
    optional = {"x": (tf.float32, 0.5), "k": (tf.int64, 3), "s": (tf.string, "none")}
    features = {name: tf.io.FixedLenFeature([1], *kind) for name, kind in optional.items()}
    parsed = tf.io.parse_example(serialized, features)
    required = tf.io.parse_example(serialized, {"r": tf.io.FixedLenFeature([2], tf.float32)})["r"]
    x, k = parsed["x"], tf.cast(parsed["k"], tf.float32)

    def column(text: str) -> Any:
        return tf.fill([tf.shape(x)[0], 1], text)

    classes = tf.concat([column("low"), parsed["s"], column("high")], axis=1, name="classes")
    scores = tf.concat([x, 2.0 * x, k], axis=1, name="scores")
    y = tf.reshape(2.0 * x + k, [-1], name="y")
    classify = {
        "serving_default": [classes, scores],
        "classify_scores": [scores],
        "classify_classes": [classes],
        "classify_extra_output": {"classes": classes, "other": scores},
        "classify_three": {"classes": classes, "scores": scores, "more": y},
        "classify_neither": {"other": scores},
        "classify_rank1": {"scores": y},
        "classify_int": {"classes": tf.cast(scores, tf.int64, name="ints"), "scores": scores},
        "classify_double": {"scores": tf.cast(scores, tf.float64, name="dbl")},
        "classify_wide": {"classes": classes, "scores": tf.concat([scores, x], axis=1, name="wide")},
        "classify_short": {"scores": tf.identity(scores[:1], name="short")},
        "classify_required": {"scores": tf.identity(required, name="need")},
    }
    regress = {
        "regress": {"outputs": y},
        "regress_column": {"outputs": tf.reshape(y, [-1, 1], name="ycol")},
        "regress_double": {"outputs": tf.cast(y, tf.float64, name="ydbl")},
        "regress_wide": {"outputs": tf.identity(scores, name="ywide")},
        "regress_short": {"outputs": tf.identity(y[:1], name="yshort")},
        "regress_alias": {"other": y},
        "regress_two": {"outputs": y, "more": scores},
    }
    inputs = {"inputs": serialized}
    return {
        **{name: signature(inputs, outputs, "classify") for name, outputs in classify.items()},
        **{name: signature(inputs, outputs, "regress") for name, outputs in regress.items()},
        "wrong_input_alias": signature({"examples": serialized}, {"outputs": y}, "regress"),
        "wrong_input_alias_c": signature({"examples": serialized}, [scores], "classify"),
        "as_predict": signature(inputs, [classes, scores, y]),
    }


@graph("feats")
def feats() -> Signatures:
    serialized = given("serialized", tf.string)
    kinds = {"f": tf.float32, "i": tf.int64, "b": tf.string}
    parsed = tf.io.parse_example(
        serialized, {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}
    )

    def joined(name: str) -> Any:
        values = tf.RaggedTensor.from_sparse(parsed[name])
        if name == "f":
            values = values.with_values(tf.strings.as_string(values.values, precision=3))
        elif name == "i":
            values = values.with_values(tf.strings.as_string(values.values))
        rows = tf.strings.reduce_join(values, axis=1, separator="|")
        return tf.reshape(rows, [tf.shape(serialized)[0], 1])

    cols = tf.concat([joined(name) for name in kinds], axis=1, name="cols")
    return {"serving_default": signature({"inputs": serialized}, {"classes": cols}, "classify")}


# --------------------------------------------------------------------------- signatures


@graph("sigs")
def sigs() -> Signatures:
    names = ("serving_default", "has space", "with/slash", "with:colon", "ünï", "UPPER", "upper", 'quo"te')
    x = given("x")
    return {
        name: signature([x], {"y": tf.add(x, 10.0 * i, name=f"y{i}")})
        for i, name in enumerate((*names, "dot.dash-under_1", "%41"))
    }


@graph("consts")
def consts() -> Signatures:
    one, x = tf.constant([1.5, 2.5], name="one"), given("x")
    return {
        "serving_default": signature({}, {"c": one}),
        "other": signature([x], [tf.identity(x, name="y")]),
        "nothing_out": signature([x], {}),
    }


@graph("only_named")
def only_named() -> Signatures:
    x = given("x")
    return {"predict_me": signature([x], [tf.multiply(x, 3.0, name="y")])}


@graph("dup_out")
def dup_out() -> Signatures:
    x = given("x")
    y = tf.multiply(x, 3.0, name="y")
    return {"serving_default": signature([x], {"p": y, "q": y, "x_again": x})}


@graph("wrong_ref")
def wrong_ref() -> Signatures:
    x = given("x")
    y = tf.identity(x, name="y")
    signatures = {name: signature([x], [y]) for name in ("serving_default", "bad_input", "bad_index")}
    signatures["serving_default"].outputs["y"].name = "no_such:0"
    signatures["bad_input"].inputs["x"].name = "no_such_in:0"
    signatures["bad_index"].outputs["y"].name = "y:7"
    return signatures


@graph("methods")
def methods() -> Signatures:
    x, ser = given("x"), given("ser", tf.string)
    y = tf.identity(x, name="y")
    f = tf.cast(tf.strings.length(ser), tf.float32, name="f")
    return {
        "serving_default": signature([x], [y]),
        "empty_method": signature([x], [y], ""),
        "odd_method": signature([x], [y], "my/method"),
        "regress": signature({"inputs": ser}, {"outputs": f}, "regress"),
        "regress_named_predict": signature({"inputs": ser}, {"outputs": f}),
        "regress_odd": signature({"inputs": ser}, {"outputs": f}, "my/regress"),
        "classify": signature({"inputs": ser}, {"scores": tf.reshape(f, [-1, 1], name="sc")}, "classify"),
    }


@graph("defaults")
def defaults() -> Signatures:
    a, b, c = given("a"), given("b", shape=None), given("c", shape=None)
    default = signature([a, b, c], [tf.add(a + b, c, name="s")])
    default.defaults["b"].CopyFrom(tf.make_tensor_proto(100.0))
    default.defaults["c"].CopyFrom(tf.make_tensor_proto(1000.0))
    return {"serving_default": default, "strict": signature([a, b], [tf.add(a, b, name="t")])}


@graph("errs")
def errs() -> Signatures:
    """Operations that fail on some inputs."""
    x, i, t = given("x"), given("i", tf.int32), given("t", tf.string)
    with tf.control_dependencies([v1.assert_positive(x, message="x must be > 0", name="check")]):
        y = tf.identity(x, name="y")
    return {
        "serving_default": signature([x], [y]),
        "gather": signature([i], [tf.gather(tf.constant([10.0, 20.0, 30.0]), i, name="g")]),
        "divide": signature([i], [tf.math.floordiv(tf.constant(100), i, name="d")]),
        "reshape": signature([x], [tf.reshape(x, [2, 2], name="m")]),
        "log": signature([x], [tf.math.log(x, name="l")]),
        "number": signature([t], [tf.strings.to_number(t, name="n")]),
    }


# --------------------------------------------------------------------------- what is not served, or not used


def plain() -> Signatures:
    x = given("x")
    return {"serving_default": signature([x], [tf.add(x, 1.0, name="y")])}


def no_signatures() -> Signatures:
    plain()
    return {}


TAGGED = {
    "no_signatures": (no_signatures, ["serve"]),
    "wrong_tag": (plain, ["train"]),
    "two_tags": (plain, ["serve", "gpu"]),
}


def unknown_op(path: Path) -> None:
    write_graph(plain, path)
    saved, file = saved_model_pb2.SavedModel(), path / "saved_model.pb"
    saved.ParseFromString(file.read_bytes())
    for node in saved.meta_graphs[0].graph_def.node:
        if node.name == "y":
            node.op = "NoSuchOpAnywhere"
    file.write_bytes(saved.SerializeToString())


# --------------------------------------------------------------------------- modules of TensorFlow 2


def lin(path: Path, version: int) -> None:
    """``y = x / 2 + version``; the signature ``which`` tells the version alone."""
    module = tf.Module()
    module.scale, module.shift = tf.Variable(0.5, name="scale"), tf.Variable(float(version), name="shift")
    floats = [tf.TensorSpec([None], tf.float32, "x")]
    line = tf.function(lambda x: {"y": x * module.scale + module.shift}, input_signature=floats)
    which = tf.function(
        lambda x: {"version": tf.zeros_like(x, tf.int64) + tf.constant(version, tf.int64)},
        input_signature=floats,
    )
    tf.saved_model.save(module, str(path), signatures={"serving_default": line, "which": which})


def slow(path: Path, version: int) -> None:
    """Busy for as many milliseconds as the largest input says, then tells its version."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "ms")])
    def wait(ms: Any) -> Any:
        end = tf.timestamp() + tf.cast(tf.reduce_max(ms), tf.float64) / 1000.0
        (turns,) = tf.while_loop(
            lambda _: tf.timestamp() < end, lambda n: [n + 1], [tf.constant(0, tf.int64)]
        )
        # Something must need the loop, or it is pruned.
        return {"version": tf.zeros_like(ms, tf.int64) + version + tf.minimum(turns, 0)}

    tf.saved_model.save(module, str(path), signatures=wait)


def vocab(path: Path) -> None:
    """Numbers of words that stand in an asset."""
    module = tf.Module()
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder, "_vocab.txt")
        words.write_text("ant\nbee\ncow\ndog\n")
        index = tf.lookup.TextFileIndex
        lines = tf.lookup.TextFileInitializer(
            str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER
        )
        module.table = tf.lookup.StaticHashTable(lines, -1)
        find = tf.function(
            lambda word: {"id": module.table.lookup(word)},
            input_signature=[tf.TensorSpec([None], tf.string, "word")],
        )
        tf.saved_model.save(module, str(path), signatures=find)


def counter(path: Path) -> None:
    """Adds up what it is given; ``peek`` only looks."""
    module = tf.Module()
    module.n = tf.Variable(0, dtype=tf.int64, name="n")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "by")])
    def bump(by: Any) -> Any:
        return {"n": tf.zeros_like(by) + module.n.assign_add(tf.reduce_sum(by))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "any")])
    def peek(anything: Any) -> Any:
        return {"n": tf.zeros_like(anything) + module.n.read_value()}

    module.bump, module.peek = bump, peek
    tf.saved_model.save(module, str(path), signatures={"serving_default": bump, "peek": peek})


# --------------------------------------------------------------------------- all of it


def main(folder: Path) -> None:
    """Write every model to ``folder/NAME/VERSION``."""
    for name, build in GRAPHS.items():
        write_graph(build, folder / name / "1")
    for version in LIN_VERSIONS:
        lin(folder / "lin" / str(version), version)
    for version in (1, 2, 3):
        slow(folder / "slow" / str(version), version)
    vocab(folder / "vocab" / "1")
    counter(folder / "counter" / "1")
    for name, (build, tags) in TAGGED.items():
        write_graph(build, folder / name / "1", tags)
    unknown_op(folder / "unknown_op" / "1")
    variants.write(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
