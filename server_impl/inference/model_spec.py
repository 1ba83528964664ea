"""Which servable a request means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from server_impl.errors import invalid_argument

if TYPE_CHECKING:
    from server_impl.lifecycle.snapshot import Lease, Serving
    from server_impl.servable.servable import Servable

#: The signature meant by an empty signature name.
DEFAULT_SIGNATURE_NAME = "serving_default"


class ModelSpec(Struct, frozen=True):
    """The ``model_spec`` of a request, as sent. At most one of ``version`` and ``label`` is set [6.3.1]."""

    name: str
    version: int | None = None
    label: str | None = None
    signature_name: str = ""


def acquire(serving: Serving[Servable], spec: ModelSpec | None) -> Lease[Servable]:
    """Hold the servable that ``spec`` means: by version, by label, else the latest [6.3].

    Raises INVALID_ARGUMENT for a missing spec or name and for an unknown label, NOT_FOUND for a servable
    that is not available.
    """
    if spec is None:
        raise invalid_argument("Missing ModelSpec")
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    return serving.acquire(spec.name, version=spec.version, label=spec.label)
