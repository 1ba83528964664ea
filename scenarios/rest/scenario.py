"""The servers that the checks of the REST API need."""

from __future__ import annotations

from harness.scenario import All, Model, Scenario, Step

START = (Step("start", "Every configured model is served."),)

#: ``y = x / 2 + 2 * version`` in three versions; the answer tells which one gave it.
M = Model(
    "m",
    "half_plus_two",
    versions=(1, 2, 3),
    policy=All(),
    labels={"stable": 1, "canary": 3, "has space": 2, "été": 2, "7": 1, "gone": 77},
)
#: Names that a URL must quote, and one that is a word of the URL grammar; contents 10, 20, 30.
ODD = Model("a name/with:odd%chars+", "half_plus_two", folder="odd", offset=9)
UMLAUT = Model("münchen", "half_plus_two", folder="umlaut", offset=19)
METADATA = Model("metadata", "half_plus_two", folder="metadata", offset=29)
NAMED = Model("named", "named")
ECHO = Model("echo", "echo")

SCENARIO = Scenario(
    id="rest",
    title="The REST API",
    models=(M, ODD, UMLAUT, METADATA, NAMED, ECHO),
    # Labels are in force from the start; else only a reload could give them.
    flags={"allow_version_labels_for_unavailable_models": True},
    steps=START,
)

CORS = Scenario(
    id="rest_cors",
    title="Replies that web pages of other origins may read",
    models=(Model("m", "half_plus_two", versions=(1, 2, 3)),),
    flags={"rest_api_enable_cors_support": True},
    steps=START,
)

TIMEOUT = Scenario(
    id="rest_timeout",
    title="A time limit for requests",
    models=(Model("slow", "slow")),
    flags={"rest_api_timeout_in_ms": 300},
    steps=START,
)
