"""Inputs and outputs of Predict: what must be given, what is answered, which mistake counts first [6.4]."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from harness.cases import GrpcCase, Refused
from harness.models import BUILDERS
from harness.models.fan_out import OUTPUTS
from harness.terms import Code, Level, Tensors
from harness.wire import messages as wire
from scenarios.grpc.scenario import SCENARIO, answer, floats, invalid, predict, tensor, with_input

pytestmark = pytest.mark.scenario(SCENARIO)

X = {"x": floats(1)}
INT64 = np.array([5], np.int64)

#: Inputs of the wrong number, each with the text that says so.
COUNTS = {
    "none": ("m", {}, "0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}."),
    "surplus": (
        "m",
        X | {"y": X["x"]},
        "2!=1 len({x,y}) != len({x}). Sent extra: {y}. Missing but required: {}.",
    ),
    "two-wrong": (
        "m",
        {"b": X["x"], "a": X["x"]},
        "2!=1 len({a,b}) != len({x}). Sent extra: {a,b}. Missing but required: {x}.",
    ),
    "one-of-two": (
        "two",
        {"a": X["x"]},
        "1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
    ),
    "one-of-two-and-others": (
        "two",
        {"a": X["x"], "c": X["x"], "d": X["x"]},
        "3!=2 len({a,c,d}) != len({a,b}). Sent extra: {c,d}. Missing but required: {b}.",
    ),
}


def not_found(alias: str, given: str, defaults: str = "") -> re.Pattern[str]:
    """The text for an input that is not there; the tensor's name in the graph is left open."""
    return re.compile(
        rf"Signature input alias: {alias}\(feed name: [^)]*\) not found in request and no default value "
        rf"provided. Inputs expected to be in the request \{{{re.escape(given)}\}}, "
        rf"or default input alias set: {defaults}"
    )


INPUTS = (
    *(
        GrpcCase(
            f"count/{name}",
            "As many inputs must be given as the signature has; the text lists both sets, sorted.",
            predict(model, inputs),
            invalid(f"input size does not match signature: {text}"),
            facts=("6.4.4", "GRP-05"),
        )
        for name, (model, inputs, text) in COUNTS.items()
    ),
    *(
        GrpcCase(
            f"alias/{name}",
            "Inputs go by the aliases of the signature.",
            predict(model, inputs),
            invalid(not_found(alias, given)),
            facts=("6.4.5", "GRP-06"),
        )
        for name, model, inputs, alias, given in (
            ("other", "m", {"y": X["x"]}, "x", "y"),
            ("upper-case", "m", {"X": X["x"]}, "x", "X"),
            ("empty", "m", {"": X["x"]}, "x", ""),
            ("tensor-name", "m", {"serving_default_x:0": X["x"]}, "x", "serving_default_x:0"),
            ("one-of-two", "two", {"a": X["x"], "z": INT64}, "b", "a,z"),
        )
    ),
    *(
        GrpcCase(
            f"defaults/{name}",
            "Inputs for which the signature has a default need not be given.",
            predict("defaults", {alias: floats(*values) for alias, values in inputs.items()}),
            answer("defaults", {"s": floats(*expected)}),
            facts=("6.4.6", "GRP-07"),
        )
        for name, inputs, expected in (
            ("both-left-out", {"a": (1, 2)}, (1102, 1103)),
            ("one-left-out", {"a": (1, 2), "c": (4,)}, (106, 107)),
            ("none-left-out", {"a": (1, 2), "b": (2,), "c": (4,)}, (8, 9)),
        )
    ),
    *(
        GrpcCase(
            f"defaults/{name}",
            "Defaults do not replace a required input, nor allow one that the signature does not have.",
            predict("defaults", dict.fromkeys(given, X["x"]), signature=signature),
            invalid(text),
            facts=("6.4.4", "6.4.6", "GRP-07"),
            level=Level.SHOULD,
        )
        for name, given, signature, text in (
            ("required-missing", "b", None, not_found("a", "b", "b,c")),
            ("nothing-given", "", None, not_found("a", "", "b,c")),
            (
                "unknown",
                "az",
                None,
                "Inputs contains invalid name. Used request inputs: a, request input: a,z",
            ),
            (
                "unknown-and-all",
                "abcz",
                None,
                "input size does not match signature: 4!=3 len({a,b,c,z}) != len({a,b,c}). Sent extra: {z}. "
                "Missing but required: {}.",
            ),
            (
                "signature-without",
                "a",
                "strict",
                "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. "
                "Missing but required: {b}.",
            ),
        )
    ),
    GrpcCase(
        "no-inputs",
        "A signature without inputs is run without any.",
        predict("forms", {}, signature="constant"),
        answer("forms", {"c": floats(1.5, 2.5)}, signature="constant"),
        facts=("6.4.4",),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "no-inputs/given",
        "A signature without inputs takes none.",
        predict("forms", X, signature="constant"),
        invalid(
            "input size does not match signature: 1!=0 len({x}) != len({}). Sent extra: {x}. "
            "Missing but required: {}."
        ),
        facts=("6.4.4", "GRP-05"),
        level=Level.SHOULD,
    ),
)

DTYPES_AND_SHAPES = (
    *(
        GrpcCase(
            f"dtype/{name}",
            "A tensor of another dtype than the graph's is refused by the run, not by the server.",
            predict("m", {"x": array}),
            invalid(re.compile(rf".*float.*{word}.*", re.DOTALL)),
            facts=("6.4.10", "GRP-08"),
        )
        for name, array, word in (
            ("int32", np.array([1], np.int32), "int32"),
            ("double", np.array([1], np.float64), "double"),
            ("half", np.array([1], np.float16), "half"),
            ("string", np.array([b"1"], object), "string"),
        )
    ),
    *(
        GrpcCase(
            f"inner-shape/{name}",
            "A shape that the graph cannot work with is refused by the operation, not by the server.",
            predict("matmul", {"x": np.ones(shape, np.float32)}),
            invalid(None),
            facts=("6.4.10", "GRP-08"),
        )
        for name, shape in (("narrow", (1, 2)), ("flat", (3,)), ("no-columns", (2, 0)))
    ),
    *(
        GrpcCase(
            f"shape/{name}",
            "The server never compares shapes with the signature: whatever the graph can do is done.",
            predict("m", {"x": np.array(values, np.float32)}),
            answer("m", {"y": np.array(values, np.float32) / 2 + 6}, version=3),
            facts=("6.4.10",),
            level=Level.SHOULD,
        )
        for name, values in (("scalar", 3.0), ("matrix", [[1, 2], [3, 4]]))
    ),
    *(
        GrpcCase(
            f"no-rows/{name}",
            "A batch without rows is passed through.",
            predict(model, {"x": np.zeros(shape, np.float32)}),
            answer(model, {output: np.zeros(came, np.float32)}, version=version),
            facts=("6.4.10", "GRP-15"),
        )
        for name, model, shape, output, came, version in (
            ("vector", "m", (0,), "y", (0,), 3),
            ("matrix", "matmul", (0, 3), "z", (0, 2), 1),
        )
    ),
    GrpcCase(
        "uneven-outputs",
        "Outputs may differ in their first dimension, or have none.",
        predict("forms", {"x": floats(1, 2, 3)}, signature="mixed"),
        answer("forms", {"all": floats(1, 2, 3), "sum": np.array(7, np.float32)}, signature="mixed"),
        facts=("6.4.9",),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "empty-output",
        "An output may turn out to have no rows.",
        predict("forms", {"x": floats(-1, -2)}, signature="positive"),
        answer("forms", {"kept": floats()}, signature="positive"),
        facts=("6.4.9",),
        level=Level.SHOULD,
    ),
)


def fan(*aliases: str) -> Tensors:
    """These outputs of fan_out for an input of 1."""
    return {alias: floats(101 + OUTPUTS.index(alias)) for alias in aliases}


def not_an_output(alias: str) -> str:
    """The text for an alias that is no output of fan_out."""
    known = ",".join(sorted(OUTPUTS))
    return (
        f"output tensor alias not found in signature: {alias} Outputs expected to be in the set {{{known}}}."
    )


OUTPUT_FILTER = (
    GrpcCase(
        "filter/empty",
        "Without a filter every output is answered, however many there are.",
        predict("fan", X),
        answer("fan", fan(*OUTPUTS)),
        facts=("6.4.8", "GRP-12"),
    ),
    *(
        GrpcCase(
            f"filter/{name}",
            "A filter names the outputs that are wanted, and no others are answered.",
            predict("fan", X, output_filter=aliases),
            answer("fan", fan(*aliases)),
            facts=("6.4.8", "GRP-12"),
        )
        for name, aliases in (("one", ("y3",)), ("two", ("y31", "y0")), ("all", OUTPUTS))
    ),
    *(
        GrpcCase(
            f"filter/{name}",
            "A filter may name only outputs of the signature, each once; its entries are looked at in order.",
            predict("fan", X, output_filter=aliases),
            invalid(text),
            facts=("6.4.8", "GRP-12"),
        )
        for name, aliases, text in (
            ("unknown", ("none",), not_an_output("none")),
            ("other-case", ("Y0",), not_an_output("Y0")),
            ("tensor-name", ("y0:0",), not_an_output("y0:0")),
            ("empty-name", ("",), not_an_output("")),
            ("unknown-then-twice", ("none", "y0", "y0"), not_an_output("none")),
            ("twice", ("y0", "y0"), "duplicate output tensor alias: y0"),
            ("twice-then-unknown", ("y0", "y0", "none"), "duplicate output tensor alias: y0"),
        )
    ),
    *(
        GrpcCase(
            f"filter/shared/{name}",
            "Two outputs may be one tensor in the graph.",
            predict("fan", X, signature="shared", output_filter=aliases),
            answer("fan", dict.fromkeys(aliases or ("p", "q"), floats(101)), signature="shared"),
            facts=("6.4.8",),
            level=Level.SHOULD,
        )
        for name, aliases in (("both", ()), ("one", ("q",)))
    ),
)

ORDER = (
    *(
        GrpcCase(
            f"order/{name}",
            "Of several mistakes the first in this order counts: signature, number of inputs, their names "
            "and tensors, output filter, run.",
            request,
            reply,
            facts=("6.4.1", "X-51"),
            level=Level.SHOULD,
        )
        for name, request, reply in (
            (
                "signature-before-inputs",
                predict("m", {}, signature="none"),
                Refused(Code.FAILED_PRECONDITION, 'Serving signature key "none" not found.'),
            ),
            (
                "count-before-filter",
                predict("m", {}, output_filter=("none",)),
                invalid(re.compile(r"input size does not match signature: .*")),
            ),
            (
                "alias-before-filter",
                predict("m", {"y": X["x"]}, output_filter=("none",)),
                invalid(not_found("x", "y")),
            ),
            (
                "filter-before-run",
                predict("m", {"x": np.array([1], np.int32)}, output_filter=("none",)),
                invalid(
                    "output tensor alias not found in signature: none Outputs expected to be in the set {y}."
                ),
            ),
        )
    ),
    GrpcCase(
        "order/tensor-before-filter",
        "A tensor that cannot be read is noticed before the output filter.",
        with_input("m", tensor(wire.DT_FLOAT, [2], tensor_content=b"abc"), output_filter=("none",)),
        invalid("tensor parsing error: x"),
        facts=("6.4.1", "X-51"),
        level=Level.SHOULD,
    ),
)

EXAMPLES = BUILDERS["examples"]


def over_predict(signature: str) -> GrpcCase:
    """Two rows of tf.Example as strings, through a signature that is meant for another method."""
    inputs = EXAMPLES.signatures[signature].sample(7)
    outputs = EXAMPLES.signatures[signature].expected(1, inputs)
    return GrpcCase(
        f"any-method/{signature}",
        "Predict runs any signature, whatever its method name; Examples are then strings like others.",
        predict("examples", inputs, signature=signature),
        answer("examples", outputs, signature=signature),
        facts=("6.4.3", "GRP-16"),
    )


METHODS = tuple(
    map(over_predict, ("serving_default", "regress", "predict", "regress_named_oddly", "regress_nameless"))
)


@pytest.mark.cases((*INPUTS, *DTYPES_AND_SHAPES, *OUTPUT_FILTER, *ORDER, *METHODS))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
