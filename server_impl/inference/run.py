"""Running a servable for a request, and timing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from server_impl.metrics import ServingMetrics
    from server_impl.servable.servable import BriefRun, Servable
    from server_impl.tensor import Tensor

#: The name of the only runtime there is, as a label of ``runtime_latency``: TF2 models run in it too.
RUNTIME = "TF1"


class Settings(NamedTuple):
    """What all inference of one server has in common.

    ``check_method_names`` is the flag ``enable_signature_method_name_check`` [6.4.3, 6.5.3].
    """

    metrics: ServingMetrics
    check_method_names: bool = False


R_co = TypeVar("R_co", covariant=True)

#: What the time of a run is recorded under; None for a method whose runs are not [7.2].
Api = Literal["Predict", "Classify", "Regress"] | None


class Run(Struct, frozen=True):
    """A run that is ready to start: ``feeds`` by tensor name, ``fetches`` in the order of the results.

    ``model_name`` is the one that the request gave.
    """

    settings: Settings
    servable: Servable
    model_name: str
    api: Api
    feeds: Mapping[str, Tensor]
    fetches: Sequence[str]

    def outputs(self, timeout_ms: int | None) -> list[Tensor]:
        """Run, wait for the end, and record the time [7.2]."""
        start = perf_counter()
        outputs = self.servable.run(self.feeds, self.fetches, timeout_ms=timeout_ms)
        self.record(perf_counter() - start)
        return outputs

    def begin(self) -> BriefRun | None:
        """The run, begun, if it is so short that the thread which reads requests may make it."""
        return self.servable.begin(self.feeds, self.fetches)

    def record(self, seconds: float) -> None:
        """Record what a run took, unless it failed [7.2]."""
        if self.api is not None:
            latency = self.settings.metrics.runtime_latency
            latency.record(seconds * 1e6, self.model_name, self.api, RUNTIME)


class Call(Protocol[R_co]):
    """A request of any kind that passed every check before its run."""

    @property
    def prepared(self) -> Run:
        """The run that it takes."""
        ...

    def result(self, outputs: list[Tensor]) -> R_co:
        """Check what the run gave, and put it as the method wants it. Raises ServingError."""
        ...

    def run(self, timeout_ms: int | None = None) -> R_co:
        """Run, and give the result. Raises ServingError."""
        ...
