"""Several models in one server: each answers for itself, and a reload adds and drops some."""

from __future__ import annotations

from dataclasses import replace

from harness.actions import Publish, Reload
from harness.checks import Answers, Describes, NoGap, Refuses, Shows
from harness.scenario import Scenario, Step
from harness.terms import All, Call, Code, Level, Model, Request, State, Traffic

AVAILABLE, END = State.AVAILABLE, State.END

#: Three models of one kind, told apart by their contents alone.
MODEL1 = Model("model1", "grid", versions=(1, 2), policy=All(), folder="multiModel/model1")
MODEL2 = Model("model2", "grid", versions=(1, 3), folder="multiModel/model2", offset=20)
MODEL3 = Model("model3", "grid", versions=(1,), folder="multiModel/model3", offset=40)

#: Models of other kinds. The name is the configured one, not the folder's.
HALF = Model("half_plus_two", "half_plus_two", versions=(123,), folder="half/elsewhere")
DENSE = Model("dense", "dense")
TWO = Model("two_in_two_out", "two_in_two_out", versions=(1, 2))
STRINGS = Model("strings", "strings")
MOBILENET = Model("mobilenet_v2", "mobilenet_v2")

#: Comes by a reload; its name needs quoting in a URL.
LATER = Model("later/with:odd %name", "dense", folder="later", offset=1)

MODELS = (MODEL1, MODEL2, MODEL3, HALF, DENSE, TWO, STRINGS, MOBILENET)

SCENARIO = Scenario(
    id="multi_model",
    title="Several models in one server",
    models=MODELS,
    traffic=(
        Traffic(Request("model1"), 2),
        Traffic(Request("model1", version=1), 1),
        Traffic(Request("model2"), 2),
        Traffic(Request("model3"), 2),
        Traffic(Request("half_plus_two"), 4),
        Traffic(Request("dense"), 4),
        Traffic(Request("two_in_two_out"), 2),
        Traffic(Request("strings"), 2),
        Traffic(Request("mobilenet_v2"), 0.2),
    ),
    steps=(
        Step(
            "start",
            "Every configured model answers under its configured name, each with its own numbers.",
            checks=(
                Answers(Request("model1"), by=2, facts=("2.4.1", "6.3.2", "CFG-13", "LIF-04")),
                Answers(Request("model1", version=1), by=1, facts=("2.4.1", "CFG-13")),
                Answers(Request("model2"), by=3, facts=("2.4.1", "CFG-11")),
                Answers(Request("model3"), by=1, facts=("2.4.1", "CFG-11")),
                Answers(Request("model3", signature="turned"), by=1, facts=("4.6.4", "6.4.12")),
                Answers(Request("half_plus_two"), by=123, facts=("2.2.1", "2.4.1")),
                Answers(Request("dense"), by=1, facts=("6.4.7", "GRP-09")),
                Answers(Request("two_in_two_out"), by=2, facts=("6.4.9", "GRP-13")),
                Answers(Request("strings"), by=1, facts=("5.7", "6.4.9")),
                Answers(Request("mobilenet_v2"), by=1, facts=("6.10.1", "META-04")),
                Shows("model1", {2: AVAILABLE, 1: AVAILABLE}, facts=("3.5.3", "LIF-08", "STA-02")),
                Shows("model2", {3: AVAILABLE}, facts=("2.4.1", "CFG-11")),
                Shows("half_plus_two", {123: AVAILABLE}, facts=("4.7.1", "HTTP-20")),
                Describes(Request("model1"), by=2, facts=("4.7.4", "6.7.2", "HTTP-22", "META-02")),
                Describes(Request("model1", version=1), by=1, facts=("4.7.4", "6.7.1", "META-03")),
                Describes(Request("two_in_two_out"), by=2, facts=("4.7.4", "6.7.2")),
                Describes(Request("strings"), by=1, facts=("4.7.4", "6.7.2")),
                Describes(Request("mobilenet_v2"), by=1, facts=("4.7.4", "6.7.2")),
            ),
        ),
        Step(
            "unknown",
            "A model that is not configured is refused by name, whatever is asked of it.",
            checks=(
                Refuses(
                    Request("nobody"),
                    Code.NOT_FOUND,
                    "Servable not found for request: Latest(nobody)",
                    facts=("4.6.2", "6.3", "HTTP-16", "GRP-02"),
                ),
                Refuses(
                    Request("nobody", version=7),
                    Code.NOT_FOUND,
                    "Servable not found for request: Specific(nobody, 7)",
                    facts=("4.6.2", "6.3", "HTTP-16", "GRP-02"),
                ),
                Refuses(
                    Request("nobody"),
                    Code.NOT_FOUND,
                    "Could not find any versions of model nobody",
                    Call.STATUS,
                    facts=("4.7.3", "6.8.1", "HTTP-21", "STA-01"),
                ),
                Refuses(
                    Request("nobody"),
                    Code.NOT_FOUND,
                    "Servable not found for request: Latest(nobody)",
                    Call.METADATA,
                    facts=("4.7.7", "6.7.1", "HTTP-23", "META-03"),
                ),
                # The folder of half_plus_two: only configured names count.
                Refuses(
                    Request("elsewhere"),
                    Code.NOT_FOUND,
                    "Servable not found for request: Latest(elsewhere)",
                    facts=("2.2.1",),
                ),
                Refuses(
                    Request("MODEL1"),
                    Code.NOT_FOUND,
                    "Servable not found for request: Latest(MODEL1)",
                    facts=("6.3", "GRP-02"),
                    level=Level.SHOULD,
                ),
            ),
        ),
        Step(
            "add_by_reload",
            "A reload that adds a model returns when the model answers; the others never notice.",
            actions=(Publish(LATER.name, 1), Reload((*MODELS, LATER))),
            checks=(
                Answers(Request(LATER.name), by=1, facts=("2.5.2", "REL-01", "URL-09")),
                Shows(LATER.name, {1: AVAILABLE}, facts=("2.5.2", "REL-01")),
                Describes(Request(LATER.name), by=1, facts=("4.1.5", "6.7.2")),
                Answers(Request("dense"), by=1, facts=("2.5",)),
                NoGap(Request("model2"), 3, 3, facts=("2.5", "3.6.2")),
            ),
        ),
        Step(
            "drop_by_reload",
            "A reload gives the complete list: what it leaves out is unloaded, and its END stays visible.",
            actions=(Reload((replace(MODEL1, policy=None), MODEL2, MODEL3, HALF, LATER)),),
            checks=(
                Refuses(
                    Request("dense"),
                    Code.NOT_FOUND,
                    "Servable not found for request: Latest(dense)",
                    facts=("2.5.1", "3.5.2", "REL-02", "REL-03"),
                ),
                Shows("dense", {1: END}, facts=("3.5.1", "3.5.2", "REL-02", "LIF-06")),
                Shows("two_in_two_out", {2: END}, facts=("3.5.1", "REL-02")),
                Shows("model1", {2: AVAILABLE, 1: END}, facts=("2.5.3", "REL-04")),
                Refuses(
                    Request("model1", version=1),
                    Code.NOT_FOUND,
                    "Servable not found for request: Specific(model1, 1)",
                    facts=("2.5.3", "REL-04", "LIF-19"),
                ),
                Answers(Request("model3"), by=1, facts=("2.5.1", "REL-03")),
                NoGap(Request("model1"), 2, 2, facts=("2.5.3", "REL-04")),
            ),
        ),
    ),
)
