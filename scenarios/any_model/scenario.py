"""Models of several kinds, for runs that name none of their own with ``--own-model``."""

from __future__ import annotations

from harness.scenario import Scenario, Step
from harness.terms import Model

SCENARIO = Scenario(
    id="any_model",
    title="What holds for any model",
    models=(
        Model("half_plus_two", "half_plus_two"),
        Model("two_in_two_out", "two_in_two_out"),
        Model("strings", "strings"),
        Model("grid", "grid"),
        Model("defaults", "defaults"),
        Model("matmul", "matmul"),
    ),
    steps=(Step("start", "Every configured model is served."),),
)
