"""Running a servable for a request, and timing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from server_impl.metrics import ServingMetrics
    from server_impl.servable.servable import Servable
    from server_impl.tensor import Tensor

#: The name of the only runtime there is, as a label of ``runtime_latency``: TF2 models run in it too.
RUNTIME = "TF1"


class Settings(NamedTuple):
    """What all inference of one server has in common.

    ``check_method_names`` is the flag ``enable_signature_method_name_check`` [6.4.3, 6.5.3].
    """

    metrics: ServingMetrics
    check_method_names: bool = False


class Run(NamedTuple):
    """A run that is ready to start: ``feeds`` by tensor name, ``fetches`` in the order of the results."""

    settings: Settings
    servable: Servable
    feeds: Mapping[str, Tensor]
    fetches: Sequence[str]

    @property
    def inline(self) -> bool:
        """Whether this run is so short that the thread which reads requests may make it."""
        nbytes = sum([tensor.array.nbytes for tensor in self.feeds.values()])
        return self.servable.runs_inline(tuple(self.fetches), nbytes)

    def timed(
        self, model_name: str, api: Literal["Predict", "Classify", "Regress"], timeout_ms: int | None
    ) -> list[Tensor]:
        """Run and record the time under the model name that the request gave [7.2]."""
        start = perf_counter()
        outputs = self.servable.run(self.feeds, self.fetches, timeout_ms=timeout_ms)
        self.settings.metrics.runtime_latency.record((perf_counter() - start) * 1e6, model_name, api, RUNTIME)
        return outputs
