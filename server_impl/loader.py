"""Loading one version: SavedModel, batching around it, warm-up through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from server_impl.inference.run import Settings
from server_impl.load_options import LoadOptions
from server_impl.protocol import predict_message
from server_impl.protocol.example_messages import ClassifyRequest, MultiInferenceRequest, RegressRequest
from server_impl.servable import saved_model
from server_impl.servable.servable import Servable
from server_impl.servable.warmup import Kind, WarmupRequest, run_warmup

#: How each kind of warm-up request becomes one that the inference core takes [9.3].
_REQUESTS: Mapping[Kind, Callable[[Any], Any]] = {
    "predict": predict_message.from_message,
    "classify": ClassifyRequest.from_message,
    "regress": RegressRequest.from_message,
    "multi_inference": MultiInferenceRequest.from_message,
}


class SavedModelLoader:
    """Loads version ``version`` of model ``name`` from the folder ``path``."""

    def __init__(self, name: str, version: int, path: str, options: LoadOptions, settings: Settings) -> None:
        self._name = name
        self._version = version
        self._path = path
        self._options = options
        self._settings = settings
        self._servable: Servable | None = None

    def estimate(self) -> None:
        """Raise ServingError if the folder cannot be read [3.7.6]."""
        saved_model.estimate(self._path)

    def load(self) -> Servable:
        """Load, and answer the warm-up requests that the version brings [9.2].

        Raises ServingError; nothing stays in memory then.
        """
        loaded = saved_model.load(self._path, tags=self._options.tags, config=self._options.session)
        servable = Servable(
            self._name, self._version, loaded.signatures, loaded.signature_def_map, loaded.session
        )
        try:
            if self._options.warmup:
                self._warm_up(servable)
        except BaseException:
            servable.close()
            raise
        self._servable = servable
        return servable

    def _warm_up(self, servable: Servable) -> None:
        def run(kind: Kind, message: WarmupRequest) -> None:
            _REQUESTS[kind](message).prepare(self._settings, servable).run()

        iterations = self._options.warmup_iterations
        run_warmup(self._path, run, self._settings.metrics, iterations=iterations)

    def unload(self) -> None:
        """Free the servable that ``load`` gave."""
        if self._servable is not None:
            self._servable.close()
            self._servable = None
