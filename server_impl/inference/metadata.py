"""GetModelMetadata: the signatures of a servable [6.7]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from server_impl.errors import invalid_argument
from server_impl.inference.model_spec import ModelSpec, acquire

if TYPE_CHECKING:
    from server_impl.lifecycle.snapshot import Lease, Serving
    from server_impl.servable.servable import Servable

SIGNATURE_DEF = "signature_def"


def described(
    serving: Serving[Servable], spec: ModelSpec | None, fields: Sequence[str] = (SIGNATURE_DEF,)
) -> Lease[Servable]:
    """Hold the servable whose ``signature_def_map`` answers the request.

    The fields are checked before the name [6.7.1]; naming ``signature_def`` repeatedly is harmless.
    Raises INVALID_ARGUMENT for a missing spec and for fields, otherwise as
    :func:`server_impl.inference.model_spec.acquire`.
    """
    if spec is None:
        raise invalid_argument("Missing ModelSpec")
    if not fields:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in fields:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    return acquire(serving, spec)
