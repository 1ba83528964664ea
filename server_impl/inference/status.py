"""GetModelStatus: the states of a model's versions [6.8]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server_impl.errors import invalid_argument, not_found

if TYPE_CHECKING:
    from server_impl.inference.model_spec import ModelSpec
    from server_impl.lifecycle.monitor import Monitor, VersionStatus


def versions(monitor: Monitor, spec: ModelSpec | None) -> list[VersionStatus]:
    """The version that ``spec`` names, else all versions, highest first; a label is ignored [6.8.1].

    Raises INVALID_ARGUMENT for a missing spec, NOT_FOUND if nothing is known.
    """
    if spec is None:
        raise invalid_argument("Missing ModelSpec")
    known = monitor.versions(spec.name)
    if spec.version is None:
        if not known:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return known
    found = [status for status in known if status.version == spec.version]
    if not found:
        raise not_found(f"Could not find version {spec.version} of model {spec.name}")
    return found
