"""A server that gives REST requests as much time as they want."""

from __future__ import annotations

from harness.scenario import Model, Scenario, Step

SCENARIO = Scenario(
    id="no_rest_timeout",
    title="REST requests may run for ever",
    models=(Model("m", "slow"),),
    flags={"rest_api_timeout_in_ms": 0},
    steps=(Step("start", "The model is served."),),
)
