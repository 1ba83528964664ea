"""How versions are loaded, as the flags ask for it: tags, session options, batching, warm-up."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from harness.wire import messages as wire
from server_impl.config.text_proto import read_text_proto
from server_impl.errors import invalid_argument
from server_impl.flags import Options

logger = logging.getLogger(__name__)

#: Fields of a platform configuration that are honoured; the others get a sentence in the log.
_HONOURED = frozenset(
    {
        "session_config",
        "batching_parameters",
        "saved_model_tags",
        "enable_model_warmup",
        "model_warmup_options",
        "enable_per_model_batching_params",
        "mixed_precision",
    }
)

_PARALLELISM = (
    "tensorflow_session_parallelism",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What holds for every version of every model.

    ``batching`` is None if requests are not batched; with ``per_model_batching`` only versions that
    bring a ``batching_params.pbtxt`` are [8.13]. ``warmup_iterations`` is None for one run of each record.
    """

    tags: tuple[str, ...] = ("serve",)
    session: wire.ConfigProto = field(default_factory=wire.ConfigProto)
    batching: wire.BatchingParameters | None = None
    per_model_batching: bool = False
    warmup: bool = True
    warmup_iterations: int | None = None


def from_flags(options: Options) -> LoadOptions:
    """Read the flags and the files that they name, in TensorFlow Serving's order [1.3.4-1.3.6].

    With ``--platform_config_file`` that file alone counts [1.2 #27]. Raises ServingError.
    """
    path = options.text("platform_config_file")
    return _from_platform_config(path) if path else _from_single_flags(options)


def _from_single_flags(options: Options) -> LoadOptions:
    batching = None
    path = options.text("batching_parameters_file")
    if options.is_on("enable_batching"):
        batching = wire.BatchingParameters()
        if path:
            read_text_proto(path, batching)
    elif path:
        raise invalid_argument(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."
        )
    iterations = options.number("num_request_iterations_for_warmup")
    return LoadOptions(
        tags=tuple(tag for tag in options.text("saved_model_tags").split(",") if tag),
        session=_in_mixed_precision(_session(options), options.text("mixed_precision")),
        batching=batching,
        per_model_batching=options.is_on("enable_per_model_batching_parameters"),
        warmup=options.is_on("enable_model_warmup"),
        warmup_iterations=iterations if iterations > 0 else None,
    )


def _session(options: Options) -> wire.ConfigProto:
    config = wire.ConfigProto()
    if path := options.text("tensorflow_session_config_file"):
        read_text_proto(path, config)
    both, intra, inter = (options.number(name) for name in _PARALLELISM)
    if both > 0 and intra > 0 and inter > 0:
        raise invalid_argument(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )
    # The flags win over the file even when they are not given [1.2 #22].
    if intra > 0 or inter > 0:
        config.intra_op_parallelism_threads, config.inter_op_parallelism_threads = intra, inter
    else:
        config.intra_op_parallelism_threads = config.inter_op_parallelism_threads = both
    return config


def _in_mixed_precision(config: wire.ConfigProto, wanted: str) -> wire.ConfigProto:
    """Let oneDNN compute in ``bfloat16`` where that is ``wanted`` [1.2 #45]."""
    if wanted == "bfloat16":
        logger.info("Running inference with bfloat16 auto mixed precision")
        config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = wire.RewriterConfig.ON
    elif wanted:
        logger.warning("%s auto mixed precision is not supported. Valid option: bfloat16", wanted)
    return config


def _from_platform_config(path: str) -> LoadOptions:
    platforms = read_text_proto(path, wire.PlatformConfigMap())
    adapter = wire.SavedModelBundleSourceAdapterConfig()
    if not platforms.platform_configs["tensorflow"].source_adapter_config.Unpack(adapter):
        raise invalid_argument(
            f'{path}: platform_configs needs an entry "tensorflow" whose source_adapter_config is a '
            "tensorflow.serving.SavedModelBundleSourceAdapterConfig"
        )
    config = adapter.legacy_config
    for given, _ in config.ListFields():
        if given.name not in _HONOURED:
            logger.warning("%s: %s has no effect in this server", path, given.name)
    iterations = config.model_warmup_options.num_request_iterations
    return LoadOptions(
        tags=tuple(config.saved_model_tags),
        session=_in_mixed_precision(config.session_config, config.mixed_precision),
        batching=config.batching_parameters if config.HasField("batching_parameters") else None,
        per_model_batching=config.enable_per_model_batching_params,
        warmup=config.enable_model_warmup,
        warmup_iterations=iterations.value
        if config.model_warmup_options.HasField("num_request_iterations")
        else None,
    )
