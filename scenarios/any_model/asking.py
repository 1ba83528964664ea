"""Asks a model the same in different ways, and tells whether the answers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from harness.client import Prediction, Refusal
from harness.client.outcome import HTTP_STATUS, UNNAMED, SignatureInfo
from harness.player import Player
from harness.terms import Array, Tensors
from harness.verdict import Mismatch, tensor_difference
from scenarios.any_model.inputs import fitting, is_large

#: Different inputs that each signature is tried with; those that take long to send and to compute, fewer.
EXAMPLES, EXAMPLES_IF_LARGE = 6, 2
#: Part of the largest number by which floats may differ: JSON rounds them to six digits and more [5.8.4].
TOLERANCE = 1e-5

#: What came of a request: outputs, or an error.
Outcome = Prediction | Refusal
Ask = Callable[[Tensors], Outcome]


class Unsteady(Exception):  # noqa: N818 - the model's nature, nobody's error
    """The model answers the same question differently."""


class Asked(NamedTuple):
    """A signature of a model of which only metadata are known."""

    name: str
    info: SignatureInfo


def signatures(player: Player, model: str, suits: Callable[[SignatureInfo], bool]) -> Iterator[Asked]:
    """The signatures that ``suits`` takes; skips the test where there are none."""
    known = player.client(player.protocols[0]).metadata(model).signatures
    chosen = [Asked(name, info) for name, info in sorted(known.items()) if suits(info)]
    if not chosen:
        pytest.skip(f"none of the signatures {', '.join(sorted(known))} is of the kind that this check needs")
    return iter(chosen)


def outcome(ask: Callable[[], Prediction]) -> Outcome:
    """What comes of a request, an error included."""
    try:
        return ask()
    except Refusal as refusal:
        return refusal


def expect_same(player: Player, asked: Asked, one: Ask, other: Ask) -> None:
    """Try two ways to ask the same with many inputs. Raises Mismatch; skips models that are not steady."""

    @settings(
        max_examples=EXAMPLES_IF_LARGE if is_large(asked.info) else EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(fitting(asked.info))
    def same(inputs: Tensors) -> None:
        player.evidence.clear()
        first, second = one(inputs), other(inputs)
        problem = difference(first, second)
        if problem is None:
            return
        if difference(first, one(inputs)) is not None:
            raise Unsteady
        raise Mismatch(
            f"signature {asked.name!r}: one answer, however it is asked, to {_shown(inputs)}", problem
        )

    try:
        same()
    except Unsteady:
        pytest.skip(f"signature {asked.name} answers the same question differently each time")


def difference(first: Outcome, second: Outcome) -> str | None:
    """How two outcomes differ; None where they do not. Dtypes count where both protocols tell them."""
    if isinstance(first, Refusal) or isinstance(second, Refusal):
        if isinstance(first, Refusal) and isinstance(second, Refusal):
            alike = first.text == second.text and _status(first) == _status(second)
            return None if alike else f"{first} and {second}"
        return f"{_told(first)} and {_told(second)}"
    outputs, others = _named_alike(first.outputs, second.outputs)
    if outputs.keys() != others.keys():
        return f"outputs {sorted(outputs)} and {sorted(others)}"
    # Numbers of JSON have lost their dtype: the other side knows it.
    typed = first.version is not None and second.version is not None
    if first.version is None:
        outputs, others = others, outputs
    for alias in outputs:
        problem = tensor_difference(_plain(outputs[alias]), _plain(others[alias]), TOLERANCE, typed=typed)
        if problem is not None:
            return f"output {alias!r}: {problem}"
    return None


def _named_alike(first: Tensors, second: Tensors) -> tuple[Tensors, Tensors]:
    """A single output has no name in JSON: it gets the other's."""
    if len(first) == len(second) == 1 and UNNAMED in {*first, *second}:
        return {UNNAMED: next(iter(first.values()))}, {UNNAMED: next(iter(second.values()))}
    return first, second


def _plain(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _status(refusal: Refusal) -> int | None:
    return refusal.http_status if refusal.code is None else HTTP_STATUS[refusal.code]


def _told(came: Outcome) -> str:
    return str(came) if isinstance(came, Refusal) else "an answer"


def _shown(inputs: Tensors) -> str:
    text = ", ".join(f"{alias}={array.tolist()!r}" for alias, array in inputs.items())
    return text if len(text) < 500 else text[:500] + " ..."
