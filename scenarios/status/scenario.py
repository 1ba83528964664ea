"""The servers that the checks of the status need."""

from __future__ import annotations

import re

from harness.actions import Publish
from harness.checks import Failed, Shows
from harness.scenario import Scenario, Step
from harness.terms import All, Code, Model, State

SCENARIO = Scenario(
    id="status",
    title="The status of models",
    models=(
        Model("m", "half_plus_two", versions=(1, 2, 3), policy=All(), labels={"stable": 1}),
        Model("one", "named"),
    ),
    # Labels are in force from the start; else only a reload could give them.
    flags={"allow_version_labels_for_unavailable_models": True},
    steps=(Step("start", "Every configured model is served."),),
)

#: How a version without a graph ends [11.1].
NO_MODEL = Failed(
    Code.NOT_FOUND, re.compile(r"Specified file path does not appear to contain a SavedModel .*", re.DOTALL)
)

BROKEN = Scenario(
    id="status_broken",
    title="The status of a version that cannot be loaded",
    models=(Model("m", "half_plus_two"),),
    flags={"max_num_load_retries": 0},
    steps=(
        Step(
            "broken",
            "A version that cannot be loaded ends with its error, beside the one that is served.",
            (Publish("m", 2, files={"saved_model.pb": None}),),
            (
                Shows(
                    "m",
                    {1: State.AVAILABLE, 2: NO_MODEL},
                    facts=("3.5.3", "6.8.2", "STA-02"),
                ),
            ),
        ),
    ),
)
