"""The server that the checks of JSON need, and the words they are written in."""

from __future__ import annotations

from harness.cases import HttpRequest, Reply, error, ok, post
from harness.scenario import Scenario, Step
from harness.terms import Model

SCENARIO = Scenario(
    id="json",
    title="JSON and tensors",
    models=(
        Model("m", "half_plus_two"),  # y = x / 2 + 2
        Model("two", "two_in_two_out"),  # a = 2 a + 1 (float), b = 1000 - b (int64)
        Model("echo", "echo"),
        Model("bits", "bits"),
        Model("forms", "forms"),
        Model("strings", "strings"),
    ),
    steps=(Step("start", "Every configured model is served."),),
)


def predict(model: str, body: str | bytes, signature: str | None = None) -> HttpRequest:
    """A request with this body; ``signature`` is put into it as its first member."""
    if signature is not None:
        member = f'{{"signature_name": "{signature}", '
        body = member + body[1:] if isinstance(body, str) else member.encode() + body[1:]
    return post(f"/v1/models/{model}:predict", body)


def rows(*texts: str) -> Reply:
    """Predictions of one output, letter by letter: every row on one line [5.8.3]."""
    return ok(f'{{\n    "predictions": [{", ".join(texts)}\n    ]\n}}')


def column(*texts: str) -> Reply:
    """A column of rank 1, letter by letter: every element on a line of its own [5.8.3]."""
    return ok('{\n    "outputs": [\n        ' + ",\n        ".join(texts) + "\n    ]\n}")


def refused(text: str) -> Reply:
    """A bad request with this text."""
    return error(400, text)


def in_row(text: str, item: int = 0, key: str | None = None) -> Reply:
    """What is wrong with a value in a row, which is always a bad request [5.3.5]."""
    where = f"element: {item}" if key is None else f"element: {item} key: {key}"
    return refused(f"Failed to process {where} of 'instances' list. Error: INVALID_ARGUMENT: {text}")


def wrong(value: str, kind: str, dtype: str) -> str:
    """The text for a JSON value of a kind that ``dtype`` does not take [5.6.1]."""
    return f"JSON Value: {value} Type: {kind} is not of expected type: {dtype}"
