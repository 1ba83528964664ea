"""The servers that the checks of the REST API need, and what their models answer."""

from __future__ import annotations

import re

from harness.cases import Reply, ok
from harness.scenario import Scenario, Step
from harness.terms import All, Model

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

SCENARIO = Scenario(
    id="rest",
    title="The REST API",
    models=(
        M,
        ODD,
        UMLAUT,
        METADATA,
        Model("named", "named"),
        Model("echo", "echo"),
        Model("defaults", "defaults"),  # s = a + b + c + 1, where b and c have defaults
    ),
    # Labels are in force from the start; else only a reload could give them.
    flags={"allow_version_labels_for_unavailable_models": True},
    steps=START,
)

CORS = Scenario(
    id="rest_cors",
    title="Replies that web pages of other origins may read",
    models=(Model("m", "half_plus_two"),),
    flags={"rest_api_enable_cors_support": True},
    steps=START,
)

TIMEOUT = Scenario(
    id="rest_timeout",
    title="A time limit for requests",
    models=(Model("slow", "slow"),),
    flags={"rest_api_timeout_in_ms": 300},
    steps=START,
)

#: A request that is right, and what ``contents`` of half_plus_two answer to it, letter by letter.
BODY = '{"instances": [1.0, 2.0, 5.0]}'


def answer(contents: int) -> Reply:
    """The reply of ``contents`` to ``BODY``."""
    values = ", ".join(str(x / 2 + 2 * contents) for x in (1.0, 2.0, 5.0))
    return ok(f'{{\n    "predictions": [{values}\n    ]\n}}')


def status(*versions: int) -> Reply:
    """A status that shows ``versions`` available, letter by letter [4.7.1]."""
    entries = ",\n".join(
        f"""  {{
   "version": "{version}",
   "state": "AVAILABLE",
   "status": {{
    "error_code": "OK",
    "error_message": ""
   }}
  }}"""
        for version in versions
    )
    return ok(f'{{\n "model_version_status": [\n{entries}\n ]\n}}\n')


def page(status: int, title: str) -> Reply:
    """An HTML page of the HTTP library, after which the connection is closed [4.8]."""
    return Reply(
        status,
        re.compile(rf".*{title}.*", re.DOTALL),
        headers={"Content-Type": re.compile(r"text/html.*")},
        closes=True,
    )
