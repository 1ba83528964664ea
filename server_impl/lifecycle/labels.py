"""Version labels: names for versions of a model, replaced as a whole with each config [2.6]."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, failed_precondition, invalid_argument

#: Model name -> label -> version. Models without labels may be missing.
Labels = Mapping[str, Mapping[str, int]]


def labels_of(config: wire.ModelServerConfig) -> Labels:
    """The labels of all models; of a label given twice the last one counts [2.1.3]."""
    return {
        model.name: dict(sorted(model.version_labels.items()))
        for model in config.model_config_list.config
        if model.version_labels
    }


def version_for_label(labels: Labels | None, name: str, label: str) -> int:
    """Version that ``label`` names for model ``name``; ``labels`` is None before the first config.

    Raises UNAVAILABLE before the first config [2.6.7] and INVALID_ARGUMENT for an unknown label, be
    the model known or not [2.6.5].
    """
    if labels is None:
        raise ServingError(Code.UNAVAILABLE, f"Model labels does not init yet.{label}")
    try:
        return labels[name][label]
    except KeyError:
        raise invalid_argument(f"Unrecognized servable version label: {label}") from None


def accept_labels(
    wanted: Labels,
    current: Labels | None,
    is_available: Callable[[str, int], bool],
    *,
    allow_unavailable: bool,
) -> Labels:
    """The label map that a config brings, or FAILED_PRECONDITION if one label may not be set [2.6.1].

    A label must name a version that is available now. With ``allow_unavailable`` one that is new or
    keeps its version may name any; moving a label to an unavailable version is never allowed [2.6.3].
    """
    for name, versions in wanted.items():
        present = (current or {}).get(name, {})
        for label, version in versions.items():
            if allow_unavailable and present.get(label, version) == version:
                continue
            if not is_available(name, version):
                raise failed_precondition(
                    f"Request to assign label to version {version} of model {name}, "
                    "which is not currently available for inference"
                )
    return wanted
