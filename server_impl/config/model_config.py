"""The model config: which models a server shall serve, and whether a config may be applied."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from google.protobuf import text_format

from harness.wire import messages as wire
from server_impl.errors import failed_precondition, invalid_argument
from server_impl.filesystem import is_absolute

logger = logging.getLogger(__name__)

#: The one platform there is.
TENSORFLOW = "tensorflow"

_TRANSITION_ERROR = (
    "Cannot transition to requested config. "
    "It is only legal to transition from one ModelConfigList to another."
)


def single_model_config(name: str, base_path: str) -> wire.ModelServerConfig:
    """The config that ``--model_name`` and ``--model_base_path`` stand for; says so in the log [10.4]."""
    logger.info(
        "Building single TensorFlow model file config:  model_name: %s model_base_path: %s", name, base_path
    )
    model = wire.ModelConfig(name=name, base_path=base_path, model_platform=TENSORFLOW)
    return wire.ModelServerConfig(model_config_list=wire.ModelConfigList(config=[model]))


def validate(new: wire.ModelServerConfig, current: wire.ModelServerConfig) -> None:
    """Check what must hold before ``new`` takes the place of ``current`` (empty if there is none yet).

    In this order [2.3.1-2.3.5]: FAILED_PRECONDITION if this is no change from a list to a list,
    INVALID_ARGUMENT for a name listed twice, a relative base path, and a changed platform.
    """
    old_kind, new_kind = current.WhichOneof("config"), new.WhichOneof("config")
    both_lists = old_kind == new_kind == "model_config_list"
    if old_kind is not None and not both_lists and new != current:
        logger.error("%s", _TRANSITION_ERROR)
        logger.error("Old config: %s", text_format.MessageToString(current))
        logger.error("New config: %s", text_format.MessageToString(new))
        raise failed_precondition(_TRANSITION_ERROR)
    if new_kind == "model_config_list":
        _validate_list(new.model_config_list.config)
    if both_lists:
        _validate_platforms(new.model_config_list.config, current.model_config_list.config)


def _validate_list(models: Iterable[wire.ModelConfig]) -> None:
    names: set[str] = set()
    for model in models:
        if model.name in names:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        names.add(model.name)
    for model in models:
        if not is_absolute(model.base_path):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )


def _validate_platforms(new: Iterable[wire.ModelConfig], old: Iterable[wire.ModelConfig]) -> None:
    old_platforms = {model.name: platform(model) for model in old}
    for model in new:
        if model.name not in old_platforms:
            continue
        was, wanted = old_platforms[model.name], platform(model)
        if wanted != was:
            raise invalid_argument(
                f"Illegal to change a model's platform. For model {model.name} platform was {was} "
                f"and new platform requested is {wanted}"
            )


def platform(model: wire.ModelConfig) -> str:
    """The platform of ``model``, from whichever field gives it.

    Raises INVALID_ARGUMENT if both fields are set, neither is, or the type is not TENSORFLOW [2.2.2].
    """
    if model.model_type == wire.MODEL_TYPE_UNSPECIFIED:
        if not model.model_platform:
            raise invalid_argument(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) "
                f"nor ModelServerConfig::model_platform, model name is {model.name}"
            )
        return model.model_platform
    logger.warning(
        "Deprecated ModelServerConfig::model_type field used. Prefer ModelServerConfig::model_platform."
    )
    if model.model_platform:
        raise invalid_argument(
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            f"and ModelServerConfig::model_platform, model name is {model.name}"
        )
    if model.model_type != wire.TENSORFLOW:
        raise invalid_argument(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
    return TENSORFLOW


def check_platforms(config: wire.ModelServerConfig) -> None:
    """Raise INVALID_ARGUMENT for the first model whose platform is unclear or unknown [2.2.2]."""
    for model in config.model_config_list.config:
        wanted = platform(model)
        if wanted != TENSORFLOW:
            raise invalid_argument(f"Model {model.name} requests unsupported platform {wanted}")


def check_logging(config: wire.ModelServerConfig) -> None:
    """Raise INVALID_ARGUMENT if a model asks for request logs, which nothing here can write [2.7.1]."""
    if any(model.HasField("logging_config") for model in config.model_config_list.config):
        raise invalid_argument("No request-logger-creator provided.")
