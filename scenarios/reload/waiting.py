"""Reloads that wait for a folder, and a server whose configuration says nothing."""

from __future__ import annotations

import re

from harness.actions import Publish, Put, Reload, Replace
from harness.checks import Answers, Logs, Pending, Refuses, Returned, Shows
from harness.scenario import Scenario, Step
from harness.terms import Call, Code, Level, Model, Request, State
from scenarios.reload.models import BAD, A, not_available
from scenarios.versions import GARBAGE, failed, gone

AVAILABLE, END = State.AVAILABLE, State.END

N = Model("n", "half_plus_two", versions=())
E = Model("e", "half_plus_two", versions=())

WAITING = Scenario(
    id="reload_waits",
    title="A reload that waits for a folder",
    models=(A,),
    steps=(
        Step(
            "missing_path",
            "A reload that adds a model without a base path is not answered.",
            actions=(Reload((A, N), id="first"),),
            checks=(
                Logs(
                    "base_path",
                    re.compile("Could not find base path .*/n for servable n with error NOT_FOUND: "),
                    facts=("3.3.3", "2.5.6"),
                    level=Level.SHOULD,
                ),
                Pending("first", facts=("2.5.6", "X-19"), level=Level.QUIRK),
            ),
        ),
        Step(
            "frozen",
            "While it waits, later reloads wait behind it, and no new version of any model is found.",
            actions=(Reload((A,), id="second"), Publish("a", 5)),
            quiet=True,
            checks=(
                Pending("first", facts=("2.5.6", "X-19"), level=Level.QUIRK),
                Pending("second", facts=("2.5.6", "X-19"), level=Level.QUIRK),
                Shows("a", {2: AVAILABLE}, facts=("2.5.7", "3.3.5", "REL-10"), level=Level.QUIRK),
                Answers(Request("a"), by=2, facts=("2.5.7", "REL-08")),
                gone("n", None, "2.5.6"),
            ),
        ),
        Step(
            "path_comes",
            "When the folder comes all go on: both reloads are answered, in their order.",
            actions=(Publish("n", 7),),
            checks=(
                Returned("first", facts=("2.5.6", "REL-09")),
                Returned("second", facts=("2.5.6", "REL-09")),
                Shows("n", {7: END}, facts=("2.5.6", "2.5.1", "REL-09")),
                Shows("a", {5: AVAILABLE, 2: END}, facts=("2.5.7", "REL-10")),
                Answers(Request("a"), by=5, facts=("2.5.7", "REL-10")),
            ),
        ),
        Step(
            "no_version",
            "A base path without a version keeps the reload waiting as well, but not the other models.",
            actions=(Put("e", "not_a_version", 1), Reload((A, E), id="third"), Publish("a", 6)),
            checks=(
                Shows("a", {6: AVAILABLE, 5: END, 2: END}, facts=("2.5.6", "3.3.1")),
                Pending("third", facts=("2.5.6", "X-19"), level=Level.QUIRK),
                gone("e", None, "2.5.6"),
            ),
        ),
        Step(
            "version_comes",
            "When a version comes the reload is answered.",
            actions=(Publish("e", 1),),
            checks=(
                Returned("third", facts=("2.5.6", "REL-09")),
                Answers(Request("e"), by=1, facts=("2.5.6", "REL-09")),
            ),
        ),
    ),
)


def never_seen(model: str, *facts: str) -> Refuses:
    """The model's status knows no version."""
    text = f"Could not find any versions of model {model}"
    return Refuses(Request(model), Code.NOT_FOUND, text, Call.STATUS, facts=facts)


BLANK = Scenario(
    id="reload_blank",
    title="A server whose configuration says nothing",
    models=(),
    flags={"max_num_load_retries": 0},
    files={"models.config": "# no list at all\n"},
    steps=(
        Step(
            "nothing",
            "A file that says nothing is a configuration without models, and without labels.",
            checks=(
                never_seen("a", "2.3.2", "CFG-04"),
                gone("a", None, "2.3.2", "CFG-04"),
                Refuses(
                    Request("a", label="stable"),
                    Code.UNAVAILABLE,
                    "Model labels does not init yet.stable",
                    facts=("2.6.7", "X-25"),
                    level=Level.QUIRK,
                ),
            ),
        ),
        Step(
            "first_fails",
            "A first list whose model cannot be loaded fails as the start of a server does.",
            actions=(Publish("bad", 1, files=GARBAGE), Reload((BAD,), id="first")),
            checks=(
                not_available("first", "bad", "2.5.8", what="servable"),
                Shows("bad", {1: failed("bad", 1)}, facts=("2.5.8",)),
            ),
        ),
        Step(
            "second_serves",
            "A list of other models is accepted then.",
            actions=(Publish("a", 2), Reload((A,))),
            checks=(
                Answers(Request("a"), by=2, facts=("2.3.2", "2.5.8", "REL-18")),
                Shows("a", {2: AVAILABLE}, facts=("2.5.8", "REL-18")),
            ),
        ),
        Step(
            "failed_again",
            "To add the failed model again, though it is repaired, is never answered.",
            actions=(Replace("bad", 1, contents=6), Reload((A, BAD), id="again")),
            quiet=True,
            checks=(
                Pending("again", facts=("2.5.8", "X-22"), level=Level.QUIRK),
                Answers(Request("a"), by=2, facts=("2.5.8", "X-22")),
            ),
        ),
    ),
)
