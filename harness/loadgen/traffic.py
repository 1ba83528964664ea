"""Turns what a run is about - a scenario, models, a file - into prepared requests with right answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import orjson

from harness.client import json_form
from harness.client.grpc import PREDICT, predict_request
from harness.client.rest import model_path
from harness.loadgen.checking import Expected
from harness.loadgen.collector import Endpoint
from harness.loadgen.course import Course
from harness.loadgen.plan import Prepared
from harness.models import BUILDERS
from harness.scenario import Scenario
from harness.terms import Protocol, Request, Tensors

#: How many different inputs each request is sent with.
VARIANTS = 8

#: How inputs can travel, by name, and over which protocol.
ENCODINGS: dict[str, Protocol] = {
    "row": Protocol.REST,
    "column": Protocol.REST,
    "base64": Protocol.REST,
    "content": Protocol.GRPC,
    "typed": Protocol.GRPC,
}
#: The encoding of each protocol that names nothing else in figures.
_USUAL = ("row", "content")


class TrafficError(Exception):
    """The traffic that was asked for cannot be sent; the text is a sentence for users."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How requests are sent: protocols, encodings, and how many rows each has (0 = as they come)."""

    protocols: Sequence[Protocol] = (Protocol.REST, Protocol.GRPC)
    encodings: Sequence[str] = _USUAL
    batch: int = 0

    def ways(self) -> list[tuple[Protocol, str]]:
        """Protocol and encoding, each pair with the same share of the traffic. Raises TrafficError."""
        ways = [
            (ENCODINGS[encoding], encoding)
            for encoding in self.encodings
            if ENCODINGS[encoding] in self.protocols
        ]
        for protocol in self.protocols:
            if protocol not in dict(ways):
                usual = " or ".join(name for name, carrier in ENCODINGS.items() if carrier is protocol)
                raise TrafficError(f"no encoding was chosen for {protocol}: add {usual} to --encoding")
        return ways


def of_scenario(scenario: Scenario, mix: Mix) -> list[tuple[Request, Prepared]]:
    """The scenario's traffic with the answers of its oracles. Raises TrafficError."""
    if not scenario.traffic:
        raise TrafficError(f"scenario {scenario.id} has no traffic; choose another one")
    course = Course(scenario)
    prepared = []
    for traffic in scenario.traffic:
        request = traffic.request
        builder = BUILDERS[scenario.configured()[request.model].builder]
        signature = builder.signature(request.signature)
        versions = course.answering(request)
        variants = [request.inputs] if request.inputs is not None else samples(signature.sample, mix.batch)
        for inputs in variants:
            right = {
                version: [signature.expected(contents, inputs) for contents in several]
                for version, several in versions.items()
            }
            expected = Expected(cast(Any, right), builder.tolerance)
            weight = traffic.weight / len(variants)
            prepared += [(request, one) for one in prepare(request, inputs, mix, weight, expected)]
    return prepared


def prepare(
    request: Request, inputs: Tensors, mix: Mix, weight: float, expected: Expected
) -> Iterable[Prepared]:
    """One request in every way of ``mix``, which share ``weight``. Raises TrafficError."""
    ways = mix.ways()
    for protocol, encoding in ways:
        name = f"{protocol} predict {request.key}" + ("" if encoding in _USUAL else f" {encoding}")
        endpoint = Endpoint(protocol, request.model, name)
        if protocol is Protocol.REST:
            path = model_path(request.model, request.version, request.label) + ":predict"
            body = _json(request, inputs, encoding)
        else:
            path = PREDICT
            body = predict_request(
                request.model,
                inputs,
                version=request.version,
                label=request.label,
                signature=request.signature,
                content=encoding == "content",
            ).SerializeToString()
        yield Prepared(protocol, endpoint, path, body, weight / len(ways), expected)


def _json(request: Request, inputs: Tensors, encoding: str) -> bytes:
    if encoding != "column" and rows_of(inputs) is None:
        raise TrafficError(
            f"inputs of model {request.model} do not have the same number of rows, so JSON can carry them in "
            "columns only: use --encoding column,content"
        )
    if encoding != "base64":
        form: json_form.Form = "row" if encoding == "row" else "column"
        return json_form.predict_body(inputs, signature=request.signature, form=form)
    if not any(array.dtype == object for array in inputs.values()):
        raise TrafficError(f"model {request.model} has no string input, so nothing that base64 could carry")
    body = json.loads(json_form.predict_body(inputs, signature=request.signature))
    body["instances"] = _base64(body["instances"])
    return orjson.dumps(body)


def _base64(value: Any) -> Any:
    """``value`` with every string as ``{"b64": ...}`` [5.7]."""
    if isinstance(value, list):
        return [_base64(item) for item in value]
    if isinstance(value, dict) and value.keys() != {"b64"}:
        return {name: _base64(item) for name, item in value.items()}
    return {"b64": base64.b64encode(value.encode()).decode()} if isinstance(value, str) else value


def samples(sample: Callable[[int], Tensors], rows: int) -> list[Tensors]:
    """Different inputs: as they are, or ``rows`` rows each."""
    if not rows:
        return [sample(k) for k in range(VARIANTS)]
    return [batch(sample, k * rows, rows) for k in range(VARIANTS)]


def batch(sample: Callable[[int], Tensors], first: int, rows: int) -> Tensors:
    """Exactly ``rows`` rows, from samples ``first`` and following."""
    parts: list[Tensors] = []
    found = 0
    while found < rows:
        parts.append(sample(first + len(parts)))
        more = rows_of(parts[-1])
        if not more:
            raise TrafficError("--batch: inputs that do not have the same number of rows make no batches")
        found += more
    return {alias: np.concatenate([part[alias] for part in parts])[:rows] for alias in parts[0]}


def rows_of(inputs: Tensors) -> int | None:
    """The size of the first dimension of all inputs; None where it is not the same, or one is a scalar."""
    sizes = {array.shape[:1] for array in inputs.values()}
    return sizes.pop()[0] if len(sizes) == 1 and () not in sizes else None
