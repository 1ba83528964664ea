"""Starts: when a server is ready, and what stops it."""

from __future__ import annotations

import re

from harness.actions import Put
from harness.checks import Answers, Passes, Shows
from harness.scenario import Scenario, Step
from harness.startup import NO_RETRIES, PORTS, StartUp, not_loaded
from harness.terms import All, Level, Model, Request, State
from scenarios.lifecycle.retries import slow_to_load
from scenarios.versions import GARBAGE

START, LOADING, AVAILABLE, UNLOADING, END = State

LOWER = range(1, 9)

PARTLY = Scenario(
    id="partly_loaded",
    title="A server that may be ready before all its versions are",
    models=(Model("m", "half_plus_two", versions=(9,), policy=All()),),
    before=tuple(Put("m", str(version), 1) for version in LOWER),
    opens=False,
    steps=(
        Step(
            "opens_early",
            "When the ports open the highest version is AVAILABLE; the others may be, or follow.",
            checks=(
                Answers(Request("m"), by=9, facts=("3.4.2", "3.4.3", "LIF-17")),
                Shows("m", dict.fromkeys((9, *LOWER), AVAILABLE), facts=("3.4.3", "LIF-17")),
                # What is seen counts from the moment when a port opens.
                Passes("m", 9, (AVAILABLE,), facts=("3.4.2", "LIF-17")),
                Passes("m", 1, (START, LOADING, AVAILABLE), (START, LOADING), facts=("3.4.3", "LIF-17")),
            ),
        ),
    ),
)

_CONFIG = (*PORTS, NO_RETRIES, "--model_config_file=$FILES/models.config")
_ERROR = r"DATA_LOSS: [^}}]*\$MODELS/{}/1/saved_model\.pb[^}}]*"

START_UPS = (
    StartUp(
        "one-of-two",
        "One model that cannot be loaded stops the start for all.",
        _CONFIG,
        not_loaded("{name: b version: 1}", re.compile(_ERROR.format("b"))),
        models=(Model("a", "half_plus_two"), Model("b", "half_plus_two", files=GARBAGE)),
        files={
            "models.config": 'model_config_list { config { name: "a" base_path: "$MODELS/a" model_platform: '
            '"tensorflow" } config { name: "b" base_path: "$MODELS/b" model_platform: "tensorflow" } }'
        },
        facts=("3.4.4", "LIF-16"),
    ),
    StartUp(
        "lower-version",
        "A lower version that fails before the highest one is loaded stops the start.",
        _CONFIG,
        not_loaded("{name: m version: 1}", re.compile(_ERROR.format("m"))),
        models=(
            Model("m", "slow", versions=(2,), files=slow_to_load("m", 1000)),
            Model("lower", "slow", versions=(1,), folder="m", files=GARBAGE),
        ),
        files={
            "models.config": 'model_config_list { config { name: "m" base_path: "$MODELS/m" '
            'model_platform: "tensorflow" model_version_policy { all { } } } }'
        },
        facts=("3.4.4", "X-35"),
        level=Level.QUIRK,
    ),
)
