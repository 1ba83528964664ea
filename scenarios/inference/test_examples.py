"""Examples and what they are answered: Classify and Regress that succeed, and inputs that the model refuses.

Over gRPC [6.5].
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.cases import GrpcCase, Refused
from harness.models.examples import example
from harness.terms import Code, Level
from harness.wire import messages as wire
from scenarios.inference.scenario import (
    LABELS,
    ROWS,
    SCENARIO,
    SCORES,
    VALUES,
    classified,
    classify,
    invalid,
    regress,
    regressed,
    rows,
    rows_with_context,
)

pytestmark = pytest.mark.scenario(SCENARIO)

NO_CLASSES = (("",) * 3,) * 2
NO_SCORES = ((0.0,) * 3,) * 2

ANSWERS = (
    GrpcCase(
        "classify",
        "Each example is answered by its classes, label and score; the reply names what has answered.",
        classify(rows(*ROWS)),
        classified(LABELS, SCORES),
        facts=("6.5.6", "6.4.12", "CR-07"),
    ),
    GrpcCase(
        "regress",
        "Each example is answered by its value; the reply names the model, version and signature.",
        regress(rows(*ROWS)),
        regressed(*VALUES),
        facts=("6.5.5", "6.4.12", "CR-07"),
    ),
    GrpcCase(
        "regress/column",
        "The output of a regression may be a column as well.",
        regress(rows(*ROWS), signature="regress_column"),
        regressed(*VALUES, signature="regress_column"),
        facts=("6.5.5",),
        level=Level.SHOULD,
    ),
    *(
        GrpcCase(
            f"{name}/version",
            "A version can be asked for.",
            request,
            reply,
            facts=("6.3", "CR-07"),
        )
        for name, request, reply in (
            ("classify", classify(rows(*ROWS), version=1), classified(LABELS, SCORES)),
            ("regress", regress(rows(*ROWS), version=1), regressed(*VALUES)),
        )
    ),
    GrpcCase(
        "classify/scores-only",
        "Without classes the labels are empty.",
        classify(rows(*ROWS), signature="scores"),
        classified(NO_CLASSES, SCORES, signature="scores"),
        facts=("6.5.6", "CR-12"),
    ),
    *(
        GrpcCase(
            f"classify/{signature}-only",
            "Without scores they are zero; another output beside the classes does not matter.",
            classify(rows(*ROWS), signature=signature),
            classified(LABELS, NO_SCORES, signature=signature),
            facts=("6.5.6", "CR-12"),
        )
        for signature in ("classes", "classify_surplus")
    ),
    GrpcCase(
        "empty-example",
        "An example without features is answered with what the model has for them.",
        classify(rows(example())),
        classified([("low", "none", "high")], [(0.5, 1.0, 3.0)]),
        facts=("6.5.4",),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "other-features",
        "Features that the model does not ask for do not matter.",
        regress(rows(example(x=1.5, unknown=2, other="text"))),
        regressed(6.0),
        facts=("6.5.7",),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "feature-without-kind",
        "A feature that is named but has no kind is as if it were not there.",
        regress(rows(wire.Example(features=wire.Features(feature={"x": wire.Feature()})))),
        regressed(4.0),
        facts=("6.5.7",),
        level=Level.QUIRK,
    ),
    GrpcCase(
        "not-a-number",
        "Scores may be infinite or no numbers.",
        regress(rows(example(x=float("nan")), example(x=float("inf")))),
        regressed(float("nan"), float("inf")),
        facts=("6.5.5",),
        level=Level.SHOULD,
    ),
    *(
        GrpcCase(
            f"context/{name}",
            "Features of the context belong to every example; an example's own feature wins.",
            request,
            reply,
            facts=("6.5.4", "CR-05"),
        )
        for name, request, reply in (
            (
                "added",
                regress(rows_with_context(example(k=9), example(x=1.5), example(k=2))),
                regressed(12.0, 3.0),
            ),
            ("overridden", regress(rows_with_context(example(x=9.5, k=4), example(x=1.5))), regressed(7.0)),
            ("empty", regress(rows_with_context(example(), example(x=1.5))), regressed(6.0)),
            (
                "classify",
                classify(rows_with_context(example(s="all"), example(), example(s="own"))),
                classified(
                    [("low", "all", "high"), ("low", "own", "high")], [(0.5, 1.0, 3.0), (0.5, 1.0, 3.0)]
                ),
            ),
        )
    ),
)

#: Inputs without an example.
EMPTY = {
    "nothing": None,
    "no-kind": wire.Input(),
    "no-examples": rows(),
    "context-alone": rows_with_context(example(k=9)),
}

NOWHERE = tuple(
    GrpcCase(
        f"{name}/{verb}",
        "The model is looked for first, then the signature, whose absence is an invalid argument.",
        call(rows(*ROWS), **where),
        reply,
        facts=facts,
    )
    for verb, call in (("classify", classify), ("regress", regress))
    for name, where, reply, facts in (
        (
            "no-model",
            {"model": "nobody"},
            Refused(Code.NOT_FOUND, "Servable not found for request: Latest(nobody)"),
            ("6.3", "6.5.1", "GRP-02"),
        ),
        (
            "no-version",
            {"version": 8},
            Refused(Code.NOT_FOUND, "Servable not found for request: Specific(m, 8)"),
            ("6.3", "6.5.1", "GRP-02"),
        ),
        (
            "no-label",
            {"label": "none"},
            invalid("Unrecognized servable version label: none"),
            ("6.3", "6.5.1"),
        ),
        (
            "no-signature",
            {"signature": "none"},
            invalid("No signature was found with the name: none"),
            ("6.5.1", "CR-09"),
        ),
    )
)


#: Examples that the model cannot use: TensorFlow's own texts.
UNUSABLE = {
    "wrong-kind": (rows(example(x=1)), r".*Key: x, Index: 0\..*int64.*float.*"),
    "string-for-float": (rows(example(x="1.5")), r".*Key: x, Index: 0\..*string.*float.*"),
    "too-many": (rows(example(x=[1.0, 2.0])), r".*Key: x, Index: 0\..*Values size: 2.*"),
    "empty-list": (rows(example(x=[])), r".*Key: x, Index: 0\..*Values size: 0.*"),
    "second-row": (rows(example(x=1.0), example(x="no")), r".*Key: x, Index: 1\..*"),
}

REFUSALS = (
    *(
        GrpcCase(
            f"empty/{name}/{verb}",
            "There must be an example; a context is none.",
            call(examples),
            invalid("Input is empty."),
            facts=("6.5.4", "CR-08"),
        )
        for name, examples in EMPTY.items()
        for verb, call in (("classify", classify), ("regress", regress))
    ),
    *(
        GrpcCase(
            f"unusable/{name}/{verb}",
            "Examples whose features are not what the model asks for are an invalid argument; the text tells "
            "the feature and the row.",
            call(examples),
            invalid(re.compile(text, re.DOTALL)),
            facts=("6.5.7", "CR-13"),
        )
        for name, (examples, text) in UNUSABLE.items()
        for verb, call in (("classify", classify), ("regress", regress))
    ),
    GrpcCase(
        "unusable/absent",
        "A feature without a default must be there.",
        classify(rows(example(x=1.5)), signature="required"),
        invalid(
            re.compile(r".*Feature: r \(data type: float\) is required but could not be found\..*", re.DOTALL)
        ),
        facts=("6.5.7", "CR-13"),
    ),
)


@pytest.mark.cases((*ANSWERS, *NOWHERE, *REFUSALS))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
