"""SavedModel builders, each with a numpy oracle.

One module is one kind of model: how it is exported, and what it must answer. An answer tells the
contents that gave it, unless the module says otherwise.
"""

from __future__ import annotations

from harness.models import (
    bits,
    compiled,
    counter,
    defaults,
    dense,
    echo,
    examples,
    fan_out,
    features,
    forms,
    graph_mode,
    grid,
    half_plus_two,
    image_mean,
    matmul,
    mobilenet_v2,
    named,
    shapes,
    slow,
    strings,
    two_in_two_out,
    vocabulary,
)
from harness.models.builder import SERVING_DEFAULT, Builder, Signature

#: Every builder by name.
BUILDERS: dict[str, Builder] = {
    module.BUILDER.name: module.BUILDER
    for module in (
        bits,
        compiled,
        counter,
        defaults,
        dense,
        echo,
        examples,
        fan_out,
        features,
        forms,
        graph_mode,
        grid,
        half_plus_two,
        image_mean,
        matmul,
        mobilenet_v2,
        named,
        shapes,
        slow,
        strings,
        two_in_two_out,
        vocabulary,
    )
}

__all__ = ["BUILDERS", "SERVING_DEFAULT", "Builder", "Signature"]
