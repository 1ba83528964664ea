"""Loading one version: SavedModel, batching around it, warm-up through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.wire import messages as wire
from server_impl.config.text_proto import read_text_proto
from server_impl.filesystem import join, local_path
from server_impl.inference.run import Settings
from server_impl.load_options import LoadOptions
from server_impl.memory import release_to_system
from server_impl.protocol.grpc import predict_message
from server_impl.protocol.grpc.example_messages import ClassifyRequest, MultiInferenceRequest, RegressRequest
from server_impl.servable import saved_model
from server_impl.servable.batch_scheduler import BatchScheduler
from server_impl.servable.batching import BatchingSession
from server_impl.servable.servable import Runner, Servable
from server_impl.servable.session import Session
from server_impl.servable.warmup import Kind, WarmupRequest, run_warmup

#: Where a version keeps batching parameters of its own.
_BATCHING_FILE = "batching_params.pbtxt"

#: How each kind of warm-up request becomes one that the inference core takes [9.3].
_REQUESTS: Mapping[Kind, Callable[[Any], Any]] = {
    "predict": predict_message.from_message,
    "classify": ClassifyRequest.from_message,
    "regress": RegressRequest.from_message,
    "multi_inference": MultiInferenceRequest.from_message,
}


class SavedModelLoaders:
    """Makes the loaders of one server's versions, which share ``options`` and the threads for batches.

    Raises INVALID_ARGUMENT if the batching parameters allow no thread [8.2].
    """

    def __init__(self, options: LoadOptions, settings: Settings) -> None:
        self.options = options
        self.settings = settings
        self._scheduler = None if options.batching is None else BatchScheduler(options.batching)

    def __call__(self, name: str, version: int, path: str) -> SavedModelLoader:
        """Give the loader of version ``version`` of model ``name`` in the folder ``path``."""
        return SavedModelLoader(name, version, path, self)

    def runner(self, session: Session, path: str) -> Runner:
        """Put batching in front of ``session``, if the version in ``path`` is to be batched [8, 8.13].

        Raises ServingError for parameters that are not valid.
        """
        parameters = self.options.batching
        if parameters is None or self._scheduler is None:
            return session
        if self.options.per_model_batching:
            file = join(path, _BATCHING_FILE)
            if not local_path(file).exists():
                return session
            parameters = read_text_proto(file, wire.BatchingParameters())
        return BatchingSession(session, parameters, self._scheduler, self.settings.metrics)

    def close(self) -> None:
        """End the threads for batches."""
        if self._scheduler is not None:
            self._scheduler.stop()


class SavedModelLoader:
    """Loads version ``version`` of model ``name`` from the folder ``path``."""

    def __init__(self, name: str, version: int, path: str, loaders: SavedModelLoaders) -> None:
        self._name = name
        self._version = version
        self._path = path
        self._loaders = loaders
        self._servable: Servable | None = None

    def estimate(self) -> None:
        """Raise ServingError if the folder cannot be read [3.7.6]."""
        saved_model.estimate(self._path)

    def load(self) -> Servable:
        """Load, and answer the warm-up requests that the version brings [9.2].

        Raises ServingError; nothing stays in memory then.
        """
        options, metrics = self._loaders.options, self._loaders.settings.metrics
        loaded = saved_model.load(self._path, tags=options.tags, config=options.session, metrics=metrics)
        runner: Runner = loaded.session
        try:
            runner = self._loaders.runner(loaded.session, self._path)
            servable = Servable(
                self._name, self._version, loaded.signatures, loaded.signature_def_map, runner
            )
            if options.warmup:
                self._warm_up(servable)
        except BaseException:
            runner.close()
            raise
        self._servable = servable
        return servable

    def _warm_up(self, servable: Servable) -> None:
        settings = self._loaders.settings

        def run(kind: Kind, message: WarmupRequest) -> None:
            _REQUESTS[kind](message).prepare(settings, servable).run()

        iterations = self._loaders.options.warmup_iterations
        run_warmup(self._path, run, settings.metrics, iterations=iterations)

    def unload(self) -> None:
        """Free the servable that ``load`` gave."""
        if self._servable is not None:
            self._servable.close()
            self._servable = None
            release_to_system()
