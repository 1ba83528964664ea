"""Is an answer right? Comparison of what came with what an oracle expects."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.client.outcome import UNNAMED, Prediction
from harness.models import Builder
from harness.terms import Array, Tensors


class Mismatch(AssertionError):  # noqa: N818 - the server's error, not ours
    """A check failed: what was expected, what was seen."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected: {expected}\nactual:   {actual}")
        self.expected = expected
        self.actual = actual


def difference(
    builder: Builder, signature: str | None, contents: int, inputs: Tensors, answer: Prediction
) -> str | None:
    """How ``answer`` differs from what ``contents`` must answer; None where it is right.

    REST replies carry no dtype and no alias for a single output: there whole numbers must come as such,
    and the lone output takes the name of the expected one.
    """
    expected = builder.signature(signature).expected(contents, inputs)
    outputs = answer.outputs
    if UNNAMED in outputs and len(outputs) == len(expected) == 1:
        outputs = {next(iter(expected)): outputs[UNNAMED]}
    if outputs.keys() != expected.keys():
        return f"outputs {_names(outputs)} instead of {_names(expected)}"
    for alias, right in expected.items():
        wrong = tensor_difference(right, outputs[alias], builder.tolerance, typed=answer.version is not None)
        if wrong:
            return f"output {alias!r}: {wrong}"
    return None


def answering(
    builder: Builder, signature: str | None, inputs: Tensors, answer: Prediction, candidates: Iterable[int]
) -> int | None:
    """The contents among ``candidates`` that would answer so, if any."""
    for contents in candidates:
        if difference(builder, signature, contents, inputs, answer) is None:
            return contents
    return None


def tensor_difference(right: Array, actual: Array, tolerance: float, *, typed: bool) -> str | None:
    """How ``actual`` differs from ``right``; None where it does not.

    Floats may differ by ``tolerance`` times the largest of ``right``. Where not ``typed`` the dtype is not
    known, but whole numbers must have come as such.
    """
    if typed and actual.dtype != right.dtype:
        return f"dtype {actual.dtype} instead of {right.dtype}"
    if actual.shape != right.shape:
        return f"shape {list(actual.shape)} instead of {list(right.shape)}"
    if not right.size:
        return None
    kinds = {"i": "iu", "u": "iu", "f": "fiu"}.get(right.dtype.kind, right.dtype.kind)
    if not typed and actual.dtype.kind not in kinds:
        return f"values like {actual.ravel()[0]!r} instead of {right.ravel()[0]!r}"
    if right.dtype.kind == "f":
        limit = tolerance * max(1e-30, float(np.nanmax(np.abs(np.where(np.isfinite(right), right, 0)))))
        same = np.isclose(
            actual.astype(np.float64), right.astype(np.float64), rtol=0, atol=limit, equal_nan=True
        )
    else:
        same = np.asarray(actual == right)
    if same.all():
        return None
    where = tuple(int(index) for index in np.argwhere(~same)[0])
    count = int((~same).sum())
    first = f"{actual[where]!r} instead of {right[where]!r} at {list(where)}"
    return f"{first}, {count} of {same.size} elements differ"


def _names(tensors: Tensors) -> str:
    return ", ".join(sorted(repr(alias) for alias in tensors)) or "none"
