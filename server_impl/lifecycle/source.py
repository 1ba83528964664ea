"""From disk to aspired versions: looks into the base paths of all models and asks for what it finds."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from harness.wire import messages as wire
from server_impl.errors import ServingError, invalid_argument
from server_impl.filesystem import io_errors, join, local_path
from server_impl.lifecycle.policy import (
    Latest,
    Specific,
    VersionPolicy,
    canonical_folders,
    choose,
    version_policy,
)
from server_impl.lifecycle.threads import Periodic

logger = logging.getLogger(__name__)

#: Takes the name of a model and the versions aspired, each with its path.
Aspire = Callable[[str, Sequence[tuple[int, str]]], None]


@dataclass(frozen=True, slots=True)
class MonitoredModel:
    """A model whose versions lie below ``base_path``, an absolute path or URI."""

    name: str
    base_path: str
    policy: VersionPolicy = field(default_factory=Latest)


def monitored_models(config: wire.ModelServerConfig) -> list[MonitoredModel]:
    """What to look for on disk, in the order of the config."""
    return [
        MonitoredModel(model.name, model.base_path, version_policy(model.model_version_policy))
        for model in config.model_config_list.config
    ]


class StoragePathSource:
    """Polls the base paths of ``models``, in their order, and calls ``aspire`` for each model.

    ``poll_wait_s`` is the period; 0 polls once, a negative number never [3.2.2].
    """

    def __init__(self, models: Sequence[MonitoredModel], aspire: Aspire, poll_wait_s: float) -> None:
        self._lock = threading.Lock()  # a poll and an update exclude each other
        self._models = tuple(models)
        self._aspire = aspire
        self._poll_wait_s = poll_wait_s
        self._polls: Periodic | None = None

    @property
    def names(self) -> frozenset[str]:
        """Names of the models that are polled."""
        with self._lock:
            return frozenset(model.name for model in self._models)

    def start(self) -> None:
        """Begin to poll: at once, then periodically."""
        if self._poll_wait_s >= 0:
            self._polls = Periodic("file-system-poll", self.poll, self._poll_wait_s or None)

    def stop(self) -> None:
        """Poll no more."""
        if self._polls is not None:
            self._polls.stop()

    def update(self, models: Sequence[MonitoredModel]) -> None:
        """Poll other models from now on. Nothing is aspired of those that are gone; no poll happens here."""
        with self._lock:
            kept = {model.name for model in models}
            for name in sorted({model.name for model in self._models} - kept):
                self._aspire(name, ())
            self._models = tuple(models)

    def poll(self) -> None:
        """Look once at all models.

        The first base path that is missing or cannot be read ends the poll, and nothing is aspired for
        any model, not even for those before it [3.3.5].
        """
        with self._lock:
            try:
                found = {model.name: find_versions(model) for model in self._models}
            except ServingError as error:
                logger.error(
                    "FileSystemStoragePathSource encountered a filesystem access error: %s", error.message
                )
                return
            for name in sorted(found):
                self._aspire(name, found[name])


def find_versions(model: MonitoredModel) -> Sequence[tuple[int, str]]:
    """The versions of ``model`` that its policy wants and their paths; what is odd is logged.

    Raises INVALID_ARGUMENT for a missing base path [3.3.3] and the system's error for an unreadable one.
    """
    choice = choose(model.name, model.policy, _children(model))
    for warning in choice.warnings:
        logger.warning("%s", warning)
    if not choice.found:
        logger.warning(
            "No versions of servable %s found under base path %s. "
            "Did you forget to name your leaf directory as a number (eg. '/1/')?",
            model.name,
            model.base_path,
        )
    return [(version, join(model.base_path, folder)) for version, folder in choice.candidates]


def _children(model: MonitoredModel) -> Collection[str]:
    try:
        base = local_path(model.base_path)
    except ServingError as error:
        raise _missing(model, error) from None
    if not os.access(base, os.F_OK):
        raise _missing(model, f"NOT_FOUND: {model.base_path} not found")
    if isinstance(model.policy, Specific):
        # The folder is not listed if all that is wanted is there: it may be large, or not readable.
        folders = canonical_folders(model.policy)
        if all(os.access(base / folder, os.F_OK) for folder in folders):
            return folders
    with io_errors(model.base_path):
        return {entry.name for entry in base.iterdir()}


def _missing(model: MonitoredModel, reason: object) -> ServingError:
    return invalid_argument(
        f"Could not find base path {model.base_path} for servable {model.name} with error {reason}"
    )
