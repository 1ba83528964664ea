"""SavedModel builders, each with a numpy oracle.

One module is one kind of model: how it is exported, and what it must answer. An answer tells the
contents that gave it, unless the module says otherwise.
"""

from __future__ import annotations

from harness.models import (
    bits,
    dense,
    echo,
    forms,
    grid,
    half_plus_two,
    mobilenet_v2,
    named,
    slow,
    strings,
    two_in_two_out,
)
from harness.models.builder import SERVING_DEFAULT, Builder, Signature

#: Every builder by name.
BUILDERS: dict[str, Builder] = {
    module.BUILDER.name: module.BUILDER
    for module in (
        bits,
        dense,
        echo,
        forms,
        grid,
        half_plus_two,
        mobilenet_v2,
        named,
        slow,
        strings,
        two_in_two_out,
    )
}

__all__ = ["BUILDERS", "SERVING_DEFAULT", "Builder", "Signature"]
