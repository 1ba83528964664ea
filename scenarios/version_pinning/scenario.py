"""Which version answers: policies decide what is served, requests pin a version or a label."""

from __future__ import annotations

from dataclasses import replace

from harness.actions import Reload
from harness.checks import Answers, Describes, NoGap, Refuses, Shows
from harness.scenario import Scenario, Step
from harness.terms import All, Call, Code, Latest, Level, Model, Request, Specific, State, Traffic

AVAILABLE, END = State.AVAILABLE, State.END


def not_found(model: str, version: int) -> str:
    """The text for a version that is not served [4.6.2]."""
    return f"Servable not found for request: Specific({model}, {version})"


#: Nine versions of one kind under each policy; 9 and 11 sort differently as text and as numbers.
PLAIN = Model("plain", "half_plus_two", versions=(1, 9, 11))
EVERY = Model("every", "half_plus_two", versions=(1, 2, 3, 5), policy=All())
TWO_LATEST = Model("two_latest", "half_plus_two", versions=(1, 9, 11), policy=Latest(2))
ZERO_LATEST = Model("zero_latest", "half_plus_two", versions=(1, 2), policy=Latest(0))
CHOSEN = Model("chosen", "half_plus_two", versions=(1, 2, 3), policy=Specific((1, 3, 7)))

#: The model whose configuration changes.
MOVING = Model("moving", "half_plus_two", versions=(1, 2, 3), policy=Specific((1, 2)))

OTHERS = (PLAIN, EVERY, TWO_LATEST, ZERO_LATEST, CHOSEN)


def unknown_label(request: Request, *facts: str) -> Refuses:
    """A label that nobody has given is refused [2.6.5]."""
    text = f"Unrecognized servable version label: {request.label}"
    return Refuses(request, Code.INVALID_ARGUMENT, text, facts=("2.6.5", "LAB-07", *facts))


SCENARIO = Scenario(
    id="version_pinning",
    title="Policies, pinned versions and labels",
    models=(*OTHERS, MOVING),
    traffic=(
        Traffic(Request("every"), 2),
        Traffic(Request("every", version=1), 1),
        Traffic(Request("every", version=3), 1),
        Traffic(Request("two_latest", version=9), 1),
        Traffic(Request("plain"), 2),
    ),
    steps=(
        Step(
            "policies",
            "The policy says which versions are served; without a pin the highest of them answers.",
            checks=(
                Shows("plain", {11: AVAILABLE}, facts=("2.4.1", "CFG-11")),
                Answers(Request("plain"), by=11, facts=("2.4.1", "6.3.2", "CFG-11", "LIF-04")),
                Shows("every", dict.fromkeys((1, 2, 3, 5), AVAILABLE), facts=("2.4.1", "3.5.3", "CFG-13")),
                Answers(Request("every"), by=5, facts=("2.4.1", "6.3.2", "CFG-13", "LIF-04")),
                Shows("two_latest", {11: AVAILABLE, 9: AVAILABLE}, facts=("2.4.1", "CFG-12")),
                Answers(Request("two_latest"), by=11, facts=("2.4.1", "CFG-12")),
                Shows("zero_latest", {2: AVAILABLE}, facts=("2.4.1", "CFG-12"), level=Level.SHOULD),
                Shows("chosen", {3: AVAILABLE, 1: AVAILABLE}, facts=("2.4.2", "CFG-13", "CFG-14")),
                Answers(Request("chosen"), by=3, facts=("2.4.2", "CFG-14")),
            ),
        ),
        Step(
            "pinned",
            "A pinned request is answered by its version or refused; no other version steps in.",
            checks=(
                *(
                    Answers(Request("every", version=version), by=version, facts=("6.3", "URL-01"))
                    for version in (1, 2, 3, 5)
                ),
                Answers(Request("two_latest", version=9), by=9, facts=("6.3", "CFG-12")),
                Answers(Request("chosen", version=1), by=1, facts=("6.3", "CFG-13")),
                Describes(Request("every", version=2), by=2, facts=("4.7.4", "META-03", "URL-02")),
                *(
                    Refuses(
                        Request(model, version=version),
                        Code.NOT_FOUND,
                        not_found(model, version),
                        facts=("4.6.2", "6.3", "HTTP-16", "GRP-02"),
                    )
                    # Never there, not chosen by the policy, chosen but not on disk.
                    for model, version in (
                        ("every", 4),
                        ("plain", 9),
                        ("two_latest", 1),
                        ("chosen", 2),
                        ("chosen", 7),
                    )
                ),
                Refuses(
                    Request("chosen", version=2),
                    Code.NOT_FOUND,
                    "Could not find version 2 of model chosen",
                    Call.STATUS,
                    facts=("4.7.3", "6.8.1", "HTTP-21", "STA-01"),
                ),
                Refuses(
                    Request("chosen", version=2),
                    Code.NOT_FOUND,
                    not_found("chosen", 2),
                    Call.METADATA,
                    facts=("4.7.7", "6.7.1", "META-03"),
                ),
                unknown_label(Request("every", label="stable"), "2.6.8", "LAB-09"),
                unknown_label(Request("every", label="canary"), "2.6.8", "LAB-09"),
                unknown_label(Request("nobody", label="stable")),
            ),
        ),
        Step(
            "label",
            "Labels that a reload assigns to available versions resolve at once.",
            actions=(Reload((*OTHERS, replace(MOVING, labels={"stable": 1, "canary": 2}))),),
            checks=(
                Answers(Request("moving", label="stable"), by=1, facts=("2.6.1", "6.4.12", "LAB-01")),
                Answers(Request("moving", label="canary"), by=2, facts=("2.6.1", "LAB-01")),
                Answers(Request("moving"), by=2, facts=("6.3.2",)),
                Describes(Request("moving", label="stable"), by=1, facts=("4.1.7", "6.7.1", "META-03")),
                unknown_label(Request("moving", label="Stable")),
                unknown_label(Request("every", label="stable")),
            ),
        ),
        Step(
            "move_label",
            "A label moves between available versions without a failed request.",
            actions=(Reload((*OTHERS, replace(MOVING, labels={"stable": 2, "other": 1}))),),
            checks=(
                Answers(Request("moving", label="stable"), by=2, facts=("2.6.1", "LAB-05")),
                Answers(Request("moving", label="other"), by=1, facts=("2.6.1", "LAB-05")),
                unknown_label(Request("moving", label="canary"), "LAB-06"),
                NoGap(Request("moving", label="stable"), 1, 2, facts=("2.6.1", "LAB-05")),
            ),
        ),
        Step(
            "change_policy",
            "A changed policy takes effect at the next poll; what it no longer names is unloaded.",
            actions=(Reload((*OTHERS, replace(MOVING, policy=None, labels={"stable": 2}))),),
            checks=(
                Shows("moving", {3: AVAILABLE, 2: END, 1: END}, facts=("2.5.3", "3.6.1", "REL-04")),
                Answers(Request("moving"), by=3, facts=("2.5.3", "REL-04")),
                Refuses(
                    Request("moving", version=1),
                    Code.NOT_FOUND,
                    not_found("moving", 1),
                    facts=("2.5.3", "LIF-19"),
                ),
                Refuses(
                    Request("moving", label="stable"),
                    Code.NOT_FOUND,
                    not_found("moving", 2),
                    facts=("2.6.6", "LAB-08"),
                ),
                NoGap(Request("moving"), 2, 3, facts=("2.5.3", "3.6.1")),
            ),
        ),
    ),
)
