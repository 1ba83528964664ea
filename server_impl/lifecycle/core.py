"""The core of the server: applies configs, and answers what is served and in which state."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.wire import messages as wire
from server_impl.config import model_config
from server_impl.errors import Code, ServingError, invalid_argument, not_found, unimplemented
from server_impl.lifecycle.labels import accept_labels, labels_of
from server_impl.lifecycle.managed import LoaderFactory
from server_impl.lifecycle.manager import Manager
from server_impl.lifecycle.monitor import EventBus, Monitor, VersionStatus, unavailable_error
from server_impl.lifecycle.retry import RetryPolicy
from server_impl.lifecycle.snapshot import Serving
from server_impl.lifecycle.source import MonitoredModel, StoragePathSource, monitored_models
from server_impl.lifecycle.threads import STOP_CHECK_S

logger = logging.getLogger(__name__)

S = TypeVar("S")


def _initial_load_threads() -> int:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 4 * cpus


@dataclass(frozen=True, slots=True)
class CoreOptions:
    """The flags that concern the life cycle [1.2], with their defaults."""

    num_load_threads: int = 0
    num_unload_threads: int = 0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    file_system_poll_wait_seconds: float = 1
    allow_version_labels_for_unavailable_models: bool = False
    flush_filesystem_caches: bool = True


class ServerCore(Generic[S]):
    """All models of a server: ``serving`` is what requests lease servables from, ``monitor`` the states.

    ``start()`` applies the first config and returns when its models are up; ``stop()`` ends every wait
    and unloads. Between the two, configs may be applied from any thread, one at a time.
    """

    def __init__(self, loader_factory: LoaderFactory[S], options: CoreOptions | None = None) -> None:
        self._options = options or CoreOptions()
        self._bus = EventBus()
        self.monitor = Monitor()
        self.serving: Serving[S] = Serving()
        self._bus.subscribe(self.monitor.handle)
        self._stop = threading.Event()
        self._manager = Manager(
            loader_factory,
            self.serving,
            self._bus,
            retry=RetryPolicy(self._options.max_num_load_retries, self._options.load_retry_interval_micros),
            num_load_threads=self._options.num_load_threads,
            num_unload_threads=self._options.num_unload_threads,
            stop=self._stop,
        )
        self._config_lock = threading.Lock()
        self._config = wire.ModelServerConfig()
        self._source: StoragePathSource | None = None

    def start(self, config: wire.ModelServerConfig) -> None:
        """Begin to manage, and apply the first config [1.3.7]; stops again if that fails.

        Returns when every model has an available version [3.4.2], which may be never [3.3.2].
        """
        self._manager.start()
        try:
            self.reload_config(config)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Make every wait give up, and unload what no request uses."""
        self._stop.set()
        if self._source is not None:
            self._source.stop()
        self._manager.stop()

    def model_status(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """States of all versions of a model, highest first, or of one of them.

        Raises NOT_FOUND if there never was such a version or model [6.8.1].
        """
        versions = self.monitor.versions(name)
        if version is not None:
            versions = [status for status in versions if status.version == version]
            if not versions:
                raise not_found(f"Could not find version {version} of model {name}")
        if not versions:
            raise not_found(f"Could not find any versions of model {name}")
        return versions

    def handle_reload_request(self, config: wire.ModelServerConfig) -> None:
        """Apply the config of a HandleReloadConfigRequest, which must be a list [6.9.1].

        Blocks, and raises, as ``reload_config`` does.
        """
        try:
            if config.WhichOneof("config") != "model_config_list":
                raise invalid_argument(
                    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                    "Only ModelConfigList is currently supported"
                )
            for index, model in enumerate(config.model_config_list.config):
                logger.info(
                    "\nConfig entry\n\tindex : %d\n\tpath : %s\n\tname : %s\n\tplatform : %s",
                    index,
                    model.base_path,
                    model.name,
                    model.model_platform,
                )
            self.reload_config(config)
        except ServingError as error:
            logger.error("ReloadConfig failed: %s", error.message)
            raise

    def reload_config(self, config: wire.ModelServerConfig) -> None:
        """Make ``config`` the current one [2.3-2.7].

        One call at a time; others wait, however long that takes [2.5.6]. Blocks until each model whose
        name is new has a version that is available or failed [2.5.2]. An error after the checks of
        ``model_config.validate`` leaves the config in place: what had been done by then stays [2.3.6].
        Raises CANCELLED if the server stops meanwhile.
        """
        with self._exclusively():
            model_config.validate(config, self._config)
            if config.WhichOneof("config") is None:
                logger.info("Taking no action for empty config.")
                return
            self._config = config
            self._update_labels()
            logger.info("Adding/updating models.")
            if config.WhichOneof("config") == "custom_model_config":
                # TensorFlow Serving kills its process here.
                raise unimplemented("ModelServer does not yet support custom model config.")
            self._update_models()
            logger.info("Finished adding/updating models")
            model_config.check_logging(config)
            if not self._options.flush_filesystem_caches:
                logger.info("Finished reloading config")

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        while not self._config_lock.acquire(timeout=STOP_CHECK_S):
            self._check_running()
        try:
            self._check_running()  # whoever held the lock may have let go because the server stops
            yield
        finally:
            self._config_lock.release()

    def _check_running(self) -> None:
        if self._stop.is_set():
            raise ServingError(Code.CANCELLED, "The server is shutting down.")

    def _update_labels(self) -> None:
        self.serving.labels = accept_labels(
            labels_of(self._config),
            self.serving.labels,
            self.monitor.is_available,
            allow_unavailable=self._options.allow_version_labels_for_unavailable_models,
        )

    def _update_models(self) -> None:
        models = monitored_models(self._config)
        for model in models:
            logger.info(" (Re-)adding model: %s", model.name)
        model_config.check_platforms(self._config)
        if self._source is None:
            self._load_first(models)
        else:
            self._load_new(self._source, models)

    def _load_first(self, models: list[MonitoredModel]) -> None:
        source = StoragePathSource(models, self._manager.aspire, self._options.file_system_poll_wait_seconds)
        with ExitStack() as undo:
            # If this fails, what was aspired stays so, though nobody looks at its base path any more [2.5.8].
            undo.callback(source.stop)
            with self._manager.initial_load(_initial_load_threads()):
                source.start()
                decisions = self.monitor.wait_until_decided({model.name for model in models}, self._stop)
            if (error := unavailable_error(decisions, "servable")) is not None:
                raise error
            undo.pop_all()
        self._source = source

    def _load_new(self, source: StoragePathSource, models: list[MonitoredModel]) -> None:
        # A monitor of its own: what became of a model of the same name before does not count.
        monitor = Monitor()
        with self._bus.subscription(monitor.handle):
            new = {model.name for model in models} - source.names
            source.update(models)
            decisions = monitor.wait_until_decided(new, self._stop)
        if (error := unavailable_error(decisions, "model")) is not None:
            raise error
