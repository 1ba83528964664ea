"""A loaded version of a model, and the signatures under which it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.wire import messages as wire
from server_impl.tensor import Tensor


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor of a signature: its name in the graph, its dtype, and its shape.

    ``shape`` has -1 for a dimension of any size, and is None for a tensor of any rank.
    """

    name: str
    dtype: int
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a SavedModel. Mappings go from alias to tensor, sorted by alias.

    ``defaults`` are the values of inputs that a request may leave out; ``definition`` is the message
    that all of this was read from. ``aliases`` and ``fetches`` are what a request for all outputs gets.
    """

    name: str
    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    defaults: Mapping[str, Tensor]
    definition: wire.SignatureDef
    aliases: tuple[str, ...] = field(init=False)
    fetches: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        # Once, as most requests want them.
        object.__setattr__(self, "aliases", tuple(self.outputs))
        object.__setattr__(self, "fetches", tuple(spec.name for spec in self.outputs.values()))


class BriefRun(Protocol):
    """A run that has begun; ``run`` and then ``outputs`` are to be called by the thread that began it."""

    @property
    def seconds(self) -> float:
        """What ``run`` took."""
        ...

    def run(self) -> None:
        """Computes. Never raises."""
        ...

    def outputs(self) -> list[Tensor]:
        """What was fetched, or the error that the run ended with."""
        ...


class Runner(Protocol):
    """What executes a servable: a session, or batching in front of one."""

    def run(
        self, feeds: Mapping[str, Tensor], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[Tensor]:
        """Computes ``fetches`` from ``feeds``, both by the names of tensors in the graph."""
        ...

    def begin(self, feeds: Mapping[str, Tensor], fetches: Sequence[str]) -> BriefRun | None:
        """Begins such a run for the calling thread to go on with; None if it is too long for that."""
        ...

    def close(self) -> None:
        """Frees what it holds."""
        ...


class Servable:
    """One version of one model, ready to answer. Never changes; any number of threads may use it.

    ``close`` may be called once, when the last run has returned.
    """

    __slots__ = ("begin", "close", "name", "run", "signature_def_map", "signatures", "version")

    def __init__(
        self,
        name: str,
        version: int,
        signatures: Mapping[str, Signature],
        signature_def_map: wire.SignatureDefMap,
        runner: Runner,
    ) -> None:
        self.name = name
        self.version = version
        self.signatures = signatures
        self.signature_def_map = signature_def_map
        # The runner's own methods: one call less for each request.
        self.run = runner.run
        self.begin = runner.begin
        self.close = runner.close
