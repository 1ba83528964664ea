"""Several classifications and regressions of the same examples in one call [6.6]."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.cases import Answer, Call, GrpcCase, Refused
from harness.client.grpc import MULTI_INFERENCE, model_spec
from harness.models.examples import example
from harness.terms import Code, Level
from harness.wire import messages as wire
from scenarios.inference.scenario import (
    LABELS,
    ROWS,
    SCENARIO,
    SCORES,
    VALUES,
    classifications,
    invalid,
    regressions,
    rows,
    rows_with_context,
)

pytestmark = pytest.mark.scenario(SCENARIO)

CLASSIFY, REGRESS, PREDICT = (f"tensorflow/serving/{word}" for word in ("classify", "regress", "predict"))


def task(
    method: str, signature: str = "", *, model: str = "m", version: int | None = None
) -> wire.InferenceTask:
    """One of the tasks of a call."""
    spec = model_spec(model, version, signature=signature)
    return wire.InferenceTask(model_spec=spec, method_name=method)


def multi(*tasks: wire.InferenceTask, input: wire.Input | None = None) -> Call:  # noqa: A002 - the field's name
    """A call with these tasks, over the two rows unless told otherwise."""
    given = rows(*ROWS) if input is None else input
    return Call(MULTI_INFERENCE, wire.MultiInferenceRequest(tasks=tasks, input=given))


def spec(signature: str) -> wire.ModelSpec:
    return model_spec("m", 1, signature=signature)


CLASSIFIED = wire.InferenceResult(
    model_spec=spec("serving_default"), classification_result=classifications(LABELS, SCORES)
)
REGRESSED = wire.InferenceResult(model_spec=spec("regress"), regression_result=regressions(*VALUES))
CLASSIFY_TASK, REGRESS_TASK = task(CLASSIFY), task(REGRESS, "regress")


def answer(*results: wire.InferenceResult) -> Answer:
    """All of the reply."""
    return Answer(wire.MultiInferenceResponse(results=results))


ANSWERS = (
    *(
        GrpcCase(
            f"answer/{name}",
            "Each task has its result, in the order of the tasks, with the model, version and signature.",
            multi(*tasks),
            answer(*results),
            facts=("6.6.3", "GRP-20"),
        )
        for name, tasks, results in (
            ("classify", (CLASSIFY_TASK,), (CLASSIFIED,)),
            ("regress", (REGRESS_TASK,), (REGRESSED,)),
            ("both", (CLASSIFY_TASK, REGRESS_TASK), (CLASSIFIED, REGRESSED)),
            ("both-turned", (REGRESS_TASK, CLASSIFY_TASK), (REGRESSED, CLASSIFIED)),
        )
    ),
    GrpcCase(
        "answer/many",
        "A call may have many tasks, also several of one method.",
        multi(CLASSIFY_TASK, REGRESS_TASK, task(CLASSIFY, "scores"), task(REGRESS, "regress_column")),
        answer(
            CLASSIFIED,
            REGRESSED,
            wire.InferenceResult(
                model_spec=spec("scores"), classification_result=classifications([[""] * 3] * 2, SCORES)
            ),
            wire.InferenceResult(model_spec=spec("regress_column"), regression_result=regressions(*VALUES)),
        ),
        facts=("6.6.3", "GRP-20"),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "answer/version",
        "The version of the first task counts; those of later tasks do not matter.",
        multi(task(REGRESS, "regress", version=1), task(CLASSIFY, version=9)),
        answer(REGRESSED, CLASSIFIED),
        facts=("6.6.3", "GRP-20"),
        level=Level.QUIRK,
    ),
    GrpcCase(
        "answer/context",
        "A context belongs to all examples here as well.",
        multi(REGRESS_TASK, input=rows_with_context(example(k=9), example(x=1.5), example(k=2))),
        answer(wire.InferenceResult(model_spec=spec("regress"), regression_result=regressions(12.0, 3.0))),
        facts=("6.5.4", "6.6.3"),
        level=Level.SHOULD,
    ),
    GrpcCase(
        "answer/other-method-name",
        "The method name of the signature itself does not matter.",
        multi(task(REGRESS, "regress_named_oddly")),
        answer(
            wire.InferenceResult(
                model_spec=spec("regress_named_oddly"), regression_result=regressions(*VALUES)
            )
        ),
        facts=("6.6.2",),
        level=Level.SHOULD,
    ),
)

REFUSALS = (
    *(
        GrpcCase(
            f"refused/{name}",
            "All tasks are of one model, and no signature is asked twice.",
            multi(*tasks),
            reply,
            facts=("6.6.1", "6.6.2", "GRP-21"),
        )
        for name, tasks, reply in (
            ("no-tasks", (), invalid("ModelSpec has no name specified.")),
            (
                "no-spec",
                (wire.InferenceTask(method_name=REGRESS),),
                invalid("ModelSpec has no name specified."),
            ),
            ("no-name", (task(REGRESS, "regress", model=""),), invalid("ModelSpec has no name specified.")),
            (
                "second-without-name",
                (REGRESS_TASK, task(CLASSIFY, model="")),
                invalid("Found ModelSpec with an empty model name."),
            ),
            (
                "two-models",
                (REGRESS_TASK, task(CLASSIFY, model="plain")),
                invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name."),
            ),
            (
                "same-signature",
                (REGRESS_TASK, REGRESS_TASK),
                invalid("Duplicate evaluation of signature: regress"),
            ),
            (
                "same-signature-by-default",
                (task(CLASSIFY, "serving_default"), CLASSIFY_TASK),
                invalid("Duplicate evaluation of signature: serving_default"),
            ),
            (
                "unknown-signature",
                (task(REGRESS, "none"),),
                invalid("Requested signature not found in model graph: none"),
            ),
            (
                "unknown-before-duplicate",
                (REGRESS_TASK, task(REGRESS, "none"), REGRESS_TASK),
                invalid("Requested signature not found in model graph: none"),
            ),
        )
    ),
    *(
        GrpcCase(
            f"missing/{name}",
            "The model is looked for by the first task.",
            multi(wanted),
            Refused(Code.NOT_FOUND, f"Servable not found for request: {text}"),
            facts=("6.3", "6.6.1", "GRP-02"),
        )
        for name, wanted, text in (
            ("model", task(REGRESS, "regress", model="nobody"), "Latest(nobody)"),
            ("version", task(REGRESS, "regress", version=9), "Specific(m, 9)"),
        )
    ),
    *(
        GrpcCase(
            f"method/{name}",
            "A task is a classification or a regression; other methods are not implemented.",
            multi(task(method, "regress")),
            Refused(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method}"),
            facts=("6.6.2", "GRP-22"),
        )
        for name, method in (("predict", PREDICT), ("none", ""), ("other", "regress"))
    ),
    *(
        GrpcCase(
            f"signature/{name}",
            "A signature must be fit for its task, as for Classify and Regress themselves.",
            multi(wanted),
            invalid(text),
            facts=("6.6.2", "6.5.2", "6.5.5"),
            level=Level.SHOULD,
        )
        for name, wanted, text in (
            (
                "classify-a-regression",
                task(CLASSIFY, "regress"),
                re.compile(
                    'Expected classification signature outputs to contain at least one of "classes".*',
                    re.DOTALL,
                ),
            ),
            ("regress-a-classification", task(REGRESS, "serving_default"), "Expected one output Tensor."),
            (
                "double",
                task(REGRESS, "regress_double"),
                "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE",
            ),
            (
                "wide",
                task(CLASSIFY, "classify_wide"),
                "Tensors class and score should match in dim_size(1). Got 3 vs. 4",
            ),
        )
    ),
    *(
        GrpcCase(
            f"input/{name}",
            "There must be an example.",
            multi(REGRESS_TASK, input=given),
            invalid("Input is empty."),
            facts=("6.6.2", "CR-08"),
        )
        for name, given in (("none", wire.Input()), ("empty", rows()))
    ),
    GrpcCase(
        "input/unusable",
        "What the model's parsing refuses fails the whole call.",
        multi(REGRESS_TASK, CLASSIFY_TASK, input=rows(example(x=1))),
        invalid(re.compile(r".*Key: x, Index: 0\..*int64.*float.*", re.DOTALL)),
        facts=("6.5.7", "CR-13"),
    ),
)


@pytest.mark.cases((*ANSWERS, *REFUSALS))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
