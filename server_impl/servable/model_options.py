"""Session options that a version brings along, in ``assets.extra/saved_model_config.pb`` [11.7]."""

from __future__ import annotations

import base64
import logging

from google.protobuf.message import DecodeError

from harness.wire import messages as wire
from server_impl.filesystem import join, local_path

logger = logging.getLogger(__name__)

_FILE = "assets.extra/saved_model_config.pb"


def with_overrides(config: wire.ConfigProto, path: str) -> wire.ConfigProto:
    """``config`` with what the version in the folder ``path`` overrides.

    A file that cannot be read changes nothing but the log.
    """
    name = join(path, _FILE)
    file = local_path(name)
    if not file.exists():
        return config
    logger.info("Loading model config from %s", name)
    try:
        read = wire.SavedModelConfig.FromString(file.read_bytes())
    except (OSError, DecodeError):
        logger.warning(
            "Failed to load saved model config: INTERNAL: Unable to parse SavedModelConfig: %s", name
        )
        return config
    logger.info("Finished loading model config from %s:%s", name, read)
    if not read.HasField("session_overrides"):
        return config
    changed = wire.ConfigProto()
    changed.CopyFrom(config)
    rewriter = changed.graph_options.rewrite_options
    overrides = read.session_overrides
    for given, optimizer, parameter, value in (
        (
            overrides.HasField("remote_op_remap_config"),
            "remote_op_config_rewrite",
            "remote_op_rewrite_config",
            overrides.remote_op_remap_config,
        ),
        (
            overrides.HasField("batch_op_rewriter_config"),
            "batch_op_rewriter",
            "batch_op_rewrite_config",
            overrides.batch_op_rewriter_config,
        ),
    ):
        if given:
            added = rewriter.custom_optimizers.add(name=optimizer)
            added.parameter_map[parameter].s = base64.b64encode(value)
    rewriter.disable_meta_optimizer = overrides.disable_meta_optimizer
    return changed
