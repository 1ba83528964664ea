"""SavedModel builders, each with a numpy oracle. Every answer tells the contents that gave it.

One module is one kind of model: how it is exported, and what it must answer.
"""

from __future__ import annotations

from harness.models import dense, grid, half_plus_two, mobilenet_v2, slow, strings, two_in_two_out
from harness.models.builder import SERVING_DEFAULT, Builder, Signature

#: Every builder by name.
BUILDERS: dict[str, Builder] = {
    module.BUILDER.name: module.BUILDER
    for module in (dense, grid, half_plus_two, mobilenet_v2, slow, strings, two_in_two_out)
}

__all__ = ["BUILDERS", "SERVING_DEFAULT", "Builder", "Signature"]
