"""The servers that the checks of Classify and Regress need, and the words they are written in.

Model ``m`` answers an example with the features ``x`` (0.5), ``k`` (3) and ``s`` ("none") by the classes
``low``, ``s`` and ``high`` with the scores ``x``, ``2 x`` and ``k``, and by the value ``2 x + k``.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.cases import Answer, Call, HttpRequest, Refused, Reply, Text, ok, post
from harness.client.grpc import CLASSIFY, REGRESS, model_spec
from harness.models.examples import example
from harness.scenario import Scenario, Step
from harness.terms import Code, Model
from harness.wire import messages as wire

START = (Step("start", "Every configured model is served."),)
MODELS = (
    Model("m", "examples"),
    Model("features", "features"),
    Model("plain", "half_plus_two"),
    Model("two", "two_in_two_out"),
)

SCENARIO = Scenario(id="inference", title="Classify, Regress and MultiInference", models=MODELS, steps=START)

METHOD_CHECK = Scenario(
    id="inference_method_check",
    title="Method names of signatures are looked at",
    models=MODELS,
    flags={"enable_signature_method_name_check": True},
    steps=START,
)

#: Two rows, and what they are answered.
ROWS = (example(x=1.5, s="mid", k=7), example(x=-2.0))
SCORES = ((1.5, 3.0, 7.0), (-2.0, -4.0, 3.0))
LABELS = (("low", "mid", "high"), ("low", "none", "high"))
VALUES = (10.0, -1.0)


def rows(*examples: wire.Example) -> wire.Input:
    """An input of examples."""
    return wire.Input(example_list=wire.ExampleList(examples=examples))


def rows_with_context(context: wire.Example, *examples: wire.Example) -> wire.Input:
    """An input of examples, and features that belong to all of them."""
    together = wire.ExampleListWithContext(examples=examples, context=context)
    return wire.Input(example_list_with_context=together)


def classify(
    input: wire.Input | None = None,  # noqa: A002 - the field's name
    *,
    model: str = "m",
    signature: str = "",
    version: int | None = None,
    label: str | None = None,
) -> Call:
    """A call of Classify."""
    spec = model_spec(model, version, label, signature)
    return Call(CLASSIFY, wire.ClassificationRequest(model_spec=spec, input=input))


def regress(
    input: wire.Input | None = None,  # noqa: A002 - the field's name
    *,
    model: str = "m",
    signature: str = "regress",
    version: int | None = None,
    label: str | None = None,
) -> Call:
    """A call of Regress."""
    spec = model_spec(model, version, label, signature)
    return Call(REGRESS, wire.RegressionRequest(model_spec=spec, input=input))


def classifications(
    labels: Sequence[Sequence[str]], scores: Sequence[Sequence[float]]
) -> wire.ClassificationResult:
    """Classes of each row."""
    result = wire.ClassificationResult()
    for row_labels, row_scores in zip(labels, scores, strict=True):
        row = result.classifications.add()
        for label, score in zip(row_labels, row_scores, strict=True):
            row.classes.add(label=label, score=score)
    return result


def regressions(*values: float) -> wire.RegressionResult:
    """The value of each row."""
    return wire.RegressionResult(regressions=[wire.Regression(value=value) for value in values])


def classified(
    labels: Sequence[Sequence[str]],
    scores: Sequence[Sequence[float]],
    *,
    model: str = "m",
    signature: str = "serving_default",
) -> Answer:
    """All of the reply to Classify."""
    return Answer(
        wire.ClassificationResponse(
            result=classifications(labels, scores), model_spec=model_spec(model, 1, signature=signature)
        )
    )


def regressed(*values: float, signature: str = "regress") -> Answer:
    """All of the reply to Regress."""
    return Answer(
        wire.RegressionResponse(
            result=regressions(*values), model_spec=model_spec("m", 1, signature=signature)
        )
    )


def invalid(text: Text | None) -> Refused:
    """A refusal with INVALID_ARGUMENT."""
    return Refused(Code.INVALID_ARGUMENT, text)


def json_classify(body: str, *, model: str = "m", signature: str | None = None) -> HttpRequest:
    """A classification over REST; ``signature`` is put into the body as its first member."""
    return _json("classify", model, body, signature)


def json_regress(body: str, *, model: str = "m", signature: str | None = "regress") -> HttpRequest:
    """A regression over REST."""
    return _json("regress", model, body, signature)


def _json(verb: str, model: str, body: str, signature: str | None) -> HttpRequest:
    named = body if signature is None else f'{{"signature_name": "{signature}", {body[1:]}'
    return post(f"/v1/models/{model}:{verb}", named)


def json_classes(*texts: str) -> Reply:
    """The reply to a classification over REST, letter by letter: each row's pairs on one line [5.10.1]."""
    return ok(f'{{\n    "results": [{", ".join(texts)}\n    ]\n}}')


def json_values(*texts: str) -> Reply:
    """The reply to a regression over REST, letter by letter: all on one line [5.10.1]."""
    return ok(f'{{\n    "results": [{", ".join(texts)}]\n}}')
