"""The server that the checks of metadata need."""

from __future__ import annotations

from harness.scenario import Scenario, Step
from harness.terms import All, Model

SCENARIO = Scenario(
    id="metadata",
    title="Metadata",
    models=(
        Model("m", "half_plus_two", versions=(1, 2, 3), policy=All(), labels={"stable": 1, "gone": 77}),
        Model("two", "two_in_two_out"),
        Model("named", "named"),
        Model("echo", "echo"),
        Model("examples", "examples"),
        Model("defaults", "defaults"),
        Model("forms", "forms"),
        Model("grid", "grid"),
        Model("strings", "strings"),
    ),
    # Labels are in force from the start; else only a reload could give them.
    flags={"allow_version_labels_for_unavailable_models": True},
    steps=(Step("start", "Every configured model is served."),),
)
