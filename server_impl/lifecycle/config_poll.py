"""Reading the model config file again and again, for ``--model_config_file_poll_wait_seconds`` [2.5.10]."""

from __future__ import annotations

import logging
from collections.abc import Callable

from harness.wire import messages as wire
from server_impl.config.text_proto import read_text_proto
from server_impl.errors import ServingError
from server_impl.lifecycle.threads import Periodic

logger = logging.getLogger(__name__)

ReloadConfig = Callable[[wire.ModelServerConfig], None]


def poll_config_file(path: str, reload_config: ReloadConfig) -> None:
    """Apply the config file at ``path``, changed or not; what goes wrong is only logged."""
    try:
        config = read_text_proto(path, wire.ModelServerConfig())
    except ServingError as error:
        logger.error("Failed to read ModelServerConfig file: %s", error.message)
        return
    try:
        reload_config(config)
    except ServingError as error:
        logger.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", error.message)


def start_config_poll(path: str, reload_config: ReloadConfig, interval_s: float) -> Periodic:
    """Poll the file at once and then every ``interval_s`` seconds, until the result is stopped.

    Stop the core first: that ends a reload which waits.
    """
    return Periodic("config-file-poll", lambda: poll_config_file(path, reload_config), interval_s)
