"""Servers whose flags change what requests may do."""

from __future__ import annotations

import re

from harness.checks import Answers, Refuses
from harness.scenario import Scenario, Step
from harness.terms import Code, Level, Model, Request

SCENARIO = Scenario(
    id="no_rest_timeout",
    title="REST requests may run for ever",
    models=(Model("m", "slow"),),
    flags={"rest_api_timeout_in_ms": 0},
    steps=(Step("start", "The model is served."),),
)

_COMPILED = Model("m", "compiled")

WITHOUT_XLA = Scenario(
    id="without_xla",
    title="XLA is off unless it is asked for",
    models=(_COMPILED,),
    steps=(
        Step(
            "start",
            "A model that insists on being compiled is loaded, but cannot be run.",
            checks=(
                Refuses(
                    Request("m"),
                    Code.INTERNAL,
                    re.compile("(?s)XLA compilation disabled.*"),
                    facts=("1.2",),
                    level=Level.UNVERIFIED,
                ),
            ),
        ),
    ),
)

WITH_XLA = Scenario(
    id="with_xla",
    title="XLA is on",
    models=(_COMPILED,),
    flags={"xla_cpu_compilation_enabled": True},
    steps=(
        Step(
            "start",
            "With --xla_cpu_compilation_enabled such a model is compiled and run.",
            checks=(Answers(Request("m"), by=1, facts=("1.2",), level=Level.UNVERIFIED),),
        ),
    ),
)
