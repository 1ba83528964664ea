"""Servables that need no TensorFlow: each tensor that is fetched is a function of the feeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event

import numpy as np

from harness.wire import messages as wire
from server_impl.lifecycle.snapshot import Serving
from server_impl.lifecycle.states import ServableId
from server_impl.servable.servable import Servable, Signature, TensorSpec
from server_impl.tensor import NUMPY_DTYPE, Tensor

Computation = Callable[[Mapping[str, Tensor]], Tensor]


class FakeBriefRun:
    """A run of a fake runner, made when it is told to; errors come out at the end, as from a session."""

    seconds = 0.0

    def __init__(self, compute: Callable[[], list[Tensor]]) -> None:
        self.compute = compute

    def run(self) -> None:
        try:
            self.computed, self.error = self.compute(), None
        except Exception as error:
            self.computed, self.error = [], error

    def outputs(self) -> list[Tensor]:
        if self.error is not None:
            raise self.error
        return self.computed


class FakeRunner:
    """Keeps what it was asked; ``inline`` and ``before_run`` let a test steer it."""

    def __init__(self, computations: Mapping[str, Computation]) -> None:
        self.computations = computations
        self.inline = True
        self.before_run: Callable[[], object] = lambda: None
        self.fed: list[Mapping[str, Tensor]] = []
        self.fetched: list[list[str]] = []
        self.timeouts: list[int | None] = []

    def run(
        self, feeds: Mapping[str, Tensor], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[Tensor]:
        self.fed.append(feeds)
        self.fetched.append(list(fetches))
        self.timeouts.append(timeout_ms)
        self.before_run()
        return [self.computations[name](feeds) for name in fetches]

    def begin(self, feeds: Mapping[str, Tensor], fetches: Sequence[str]) -> FakeBriefRun | None:
        return FakeBriefRun(lambda: self.run(feeds, fetches)) if self.inline else None

    def close(self) -> None: ...


def tensor(dtype: int, values: object) -> Tensor:
    return Tensor(dtype, np.array(values, dtype=NUMPY_DTYPE[dtype]))


def constant(dtype: int, values: object) -> Computation:
    return lambda feeds: tensor(dtype, values)


def signature(
    name: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    *,
    method: str = "tensorflow/serving/predict",
    defaults: Mapping[str, Tensor] | None = None,
) -> Signature:
    """Aliases to tensor names; all tensors are float here, which nothing looks at."""
    definition = wire.SignatureDef(method_name=method)
    for declared, message in ((inputs, definition.inputs), (outputs, definition.outputs)):
        for alias, tensor_name in declared.items():
            message[alias].name = tensor_name
            message[alias].dtype = wire.DT_FLOAT
    return Signature(
        name,
        method,
        {alias: TensorSpec(inputs[alias], wire.DT_FLOAT, None) for alias in sorted(inputs)},
        {alias: TensorSpec(outputs[alias], wire.DT_FLOAT, None) for alias in sorted(outputs)},
        defaults or {},
        definition,
    )


def servable(
    *signatures: Signature, runner: FakeRunner | None = None, name: str = "m", version: int = 3
) -> Servable:
    by_name = {each.name: each for each in signatures}
    definitions = wire.SignatureDefMap(signature_def={each.name: each.definition for each in signatures})
    return Servable(name, version, by_name, definitions, runner or FakeRunner({}))


def serving(*servables: Servable, labels: Mapping[str, Mapping[str, int]] | None = None) -> Serving[Servable]:
    """All of them available."""
    served: Serving[Servable] = Serving()
    served.publish([(ServableId(each.name, each.version), each) for each in servables], Event())
    served.labels = labels or {}
    return served
