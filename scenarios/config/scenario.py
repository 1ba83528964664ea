"""What a model configuration may say: its syntax, its policies, and lists that are refused by a reload."""

from __future__ import annotations

from harness.actions import Publish, Reload
from harness.checks import Answers, Logs, NoGap, Refuses, Returned, Shows
from harness.scenario import Scenario, Step, side_by_side
from harness.terms import All, Code, Latest, Level, Model, Request, Specific, State

AVAILABLE, END = State.AVAILABLE, State.END

#: The configuration that the server starts with, in every way in which protobuf's text format can be written.
TEXT = r"""
# Comments are skipped.
model_config_list: <
  config: [
    { name: 'quo' "ted", base_path: "$MODELS/" 'quoted'; model_platform: "tensorflow";
      model_version_policy { specific { versions: [1, 3] } } },
    < name: "brackets" base_path: "$MODELS/brackets" model_platform: "tensorflow"
      model_version_policy: < latest: < num_versions: 2, > >, >
  ]
  config { name: "\145scap\x65d" base_path: "$MODELS/escaped" model_platform: "tensorflow",
           model_version_policy { all { } } }
  config { name: "typed" base_path: "$MODELS/typed" model_type: TENSORFLOW }
  config { name: "numbered" base_path: "$MODELS/numbered" model_type: 1
           model_version_policy { latest { num_versions: 0 } } }
  config { name: "uri" base_path: "file://$MODELS/uri" model_platform: "tensorflow"
           model_version_policy { latest { } } }
  config { name: "partly" base_path: "$MODELS/partly" model_platform: "tensorflow"
           model_version_policy { specific { versions: 1 versions: 9 } } }
  config { name: "left" base_path: "$MODELS/shared" model_platform: "tensorflow" }
  config { name: "right" base_path: "$MODELS/shared" model_platform: "tensorflow" }
>;
"""

QUOTED = Model("quoted", "half_plus_two", versions=(1, 2, 3), policy=Specific((1, 3)))
BRACKETS = Model("brackets", "half_plus_two", versions=(1, 9, 11), policy=Latest(2))
ESCAPED = Model("escaped", "half_plus_two", versions=(1, 2), policy=All())
TYPED = Model("typed", "half_plus_two")
NUMBERED = Model("numbered", "half_plus_two", versions=(1, 2), policy=Latest(0))
URI = Model("uri", "half_plus_two", versions=(1, 2))
PARTLY = Model("partly", "half_plus_two", versions=(1, 2), policy=Specific((1, 9)))
LEFT = Model("left", "half_plus_two", folder="shared")
RIGHT = Model("right", "half_plus_two", versions=(), folder="shared")
MODELS = (QUOTED, BRACKETS, ESCAPED, TYPED, NUMBERED, URI, PARTLY, LEFT, RIGHT)

#: Comes by a reload.
LATER = Model("later", "half_plus_two")


def entry(name: str, path: str, more: str = 'model_platform: "tensorflow"') -> str:
    """One model of a configuration in text format."""
    return f'config {{ name: "{name}" base_path: "{path}" {more} }}'


def listed(*entries: str) -> str:
    """A configuration in text format, with the model ``typed`` first."""
    return f"model_config_list {{ {entry('typed', '$MODELS/typed')} {' '.join(entries)} }}"


def refused(
    name: str, text: str, message: str, *facts: str, code: Code = Code.INVALID_ARGUMENT
) -> tuple[Step, ...]:
    """A reload that is refused; what is served stays."""
    return (
        Step(
            name,
            "A configuration that is refused changes nothing.",
            actions=(Reload(MODELS, text=text, id=name),),
            checks=(Returned(name, code, message, facts=("2.3.6", "REL-11", *facts)),),
        ),
    )


def unknown(model: str, version: int, *facts: str) -> Refuses:
    """A version that the policy does not choose."""
    text = f"Servable not found for request: Specific({model}, {version})"
    return Refuses(Request(model, version=version), Code.NOT_FOUND, text, facts=facts)


REFUSED_AT_ONCE = side_by_side(
    refused(
        "listed_twice",
        listed(entry("typed", "$MODELS/typed")),
        "Illegal to list model typed multiple times in config list",
        "2.3.3",
        "CFG-09",
    ),
    refused(
        "listed_twice_with_other_path",
        listed(entry("typed", "$MODELS/quoted")),
        "Illegal to list model typed multiple times in config list",
        "2.3.3",
        "CFG-09",
    ),
    refused(
        "relative_path",
        listed(entry("later", "later")),
        "Expected model later to have an absolute path or URI; got base_path()=later",
        "2.3.4",
        "CFG-10",
    ),
    refused(
        "empty_path",
        listed(entry("later", "")),
        "Expected model later to have an absolute path or URI; got base_path()=",
        "2.3.4",
        "CFG-10",
    ),
    refused(
        "changed_platform",
        'model_config_list { config { name: "typed" base_path: "$MODELS/typed" model_platform: "other" } }',
        "Illegal to change a model's platform. For model typed platform was tensorflow "
        "and new platform requested is other",
        "2.3.5",
        "CFG-08",
    ),
)

SCENARIO = Scenario(
    id="config",
    title="What a model configuration may say",
    models=MODELS,
    files={"models.config": TEXT},
    flags={"max_num_load_retries": 0},
    steps=(
        Step(
            "syntax",
            "All that protobuf's text format allows is allowed; policies choose among the versions on disk.",
            checks=(
                Shows("quoted", {3: AVAILABLE, 1: AVAILABLE}, facts=("2.1.1", "2.4.1", "CFG-01", "CFG-13")),
                Answers(Request("quoted"), by=3, facts=("2.1.1", "CFG-01")),
                unknown("quoted", 2, "2.4.1", "CFG-13"),
                Shows(
                    "brackets", {11: AVAILABLE, 9: AVAILABLE}, facts=("2.1.1", "2.4.1", "CFG-01", "CFG-12")
                ),
                Shows("escaped", {2: AVAILABLE, 1: AVAILABLE}, facts=("2.1.1", "2.4.1", "CFG-01", "CFG-13")),
                Shows("typed", {1: AVAILABLE}, facts=("2.2.2", "2.4.1", "CFG-11", "X-14")),
                Answers(Request("typed"), by=1, facts=("2.2.2", "X-14")),
                Shows("numbered", {2: AVAILABLE}, facts=("2.1.1", "2.4.1", "CFG-01", "CFG-12")),
                Shows("uri", {2: AVAILABLE}, facts=("2.3.4", "2.4.1", "CFG-11")),
                Answers(Request("uri"), by=2, facts=("2.3.4",)),
                Shows("partly", {1: AVAILABLE}, facts=("2.4.2", "CFG-14")),
                Answers(Request("partly"), by=1, facts=("2.4.2", "CFG-14")),
                Answers(Request("left"), by=1, facts=("2.3.4", "X-15")),
                Answers(Request("right"), by=1, facts=("2.3.4", "X-15")),
            ),
        ),
        Step(
            "shared_folder",
            "Two models over one folder both take what comes into it; versions that are missing are named "
            "in the log at every look.",
            actions=(Publish("left", 2),),
            checks=(
                Shows("left", {2: AVAILABLE, 1: END}, facts=("2.3.4", "X-15")),
                Shows("right", {2: AVAILABLE, 1: END}, facts=("2.3.4", "X-15")),
                Answers(Request("right"), by=2, contents=2, facts=("2.3.4", "X-15")),
                Logs(
                    "missing_version",
                    "Version 9 of servable partly, which was requested to be served as a 'specific' version "
                    "in the servable's version policy, was not found in the file system",
                    times=2,
                    facts=("2.4.2", "CFG-14"),
                    level=Level.SHOULD,
                ),
            ),
        ),
        *REFUSED_AT_ONCE,
        Step(
            "after_refusals",
            "After refused reloads everything goes on as before.",
            checks=(
                Answers(Request("typed"), by=1, facts=("2.3.3", "REL-11")),
                Answers(Request("quoted", version=1), by=1, facts=("2.3.3", "REL-11")),
                Shows("brackets", {11: AVAILABLE, 9: AVAILABLE}, facts=("2.3.4", "REL-11")),
            ),
        ),
        *refused(
            "unknown_platform",
            listed(entry("later", "$MODELS/later", 'model_platform: "pytorch"')),
            "Model later requests unsupported platform pytorch",
            "2.2.2",
            "CFG-07",
        ),
        Step(
            "unknown_platform_is_kept",
            "A platform is refused only after the list was stored: next time it counts as what was before.",
            actions=(Reload((*MODELS, LATER), id="platform_again"),),
            checks=(
                Returned(
                    "platform_again",
                    Code.INVALID_ARGUMENT,
                    "Illegal to change a model's platform. For model later platform was pytorch "
                    "and new platform requested is tensorflow",
                    facts=("2.3.5", "2.3.6"),
                    level=Level.QUIRK,
                ),
                Answers(Request("quoted", version=1), by=1, facts=("2.3.6", "CFG-07")),
            ),
        ),
        Step(
            "nothing_chosen",
            "A policy that chooses nothing that is there unloads the model; the others go on.",
            actions=(
                Reload(MODELS),
                Reload(
                    (TYPED, QUOTED, ESCAPED),
                    text=listed(
                        entry(
                            "quoted",
                            "$MODELS/quoted",
                            'model_platform: "tensorflow" model_version_policy { specific { versions: 7 } }',
                        ),
                        entry(
                            "escaped",
                            "$MODELS/escaped",
                            'model_platform: "tensorflow" model_version_policy { specific { } }',
                        ),
                    ),
                    id="chosen",
                ),
            ),
            checks=(
                Returned("chosen", facts=("2.5.2", "2.5.3")),
                NoGap(Request("typed"), 1, 1, facts=("2.4.2", "CFG-15")),
                Shows("quoted", {3: END, 1: END}, facts=("2.4.2", "3.6.4", "CFG-15")),
                Shows("escaped", {2: END, 1: END}, facts=("2.4.2", "3.6.4", "CFG-15")),
                Shows("uri", {2: END}, facts=("2.5.1", "REL-03")),
                Refuses(
                    Request("quoted"),
                    Code.NOT_FOUND,
                    "Servable not found for request: Latest(quoted)",
                    facts=("2.4.2", "CFG-15"),
                ),
            ),
        ),
        Step(
            "logging",
            "A model with request logging is refused when all else has been applied: it is served still.",
            actions=(
                Publish("later", 1),
                Reload(
                    (*MODELS, LATER),
                    text=listed(
                        entry(
                            "later",
                            "$MODELS/later",
                            'model_platform: "tensorflow" '
                            "logging_config { sampling_config { sampling_rate: 1 } }",
                        )
                    ),
                    id="logging",
                ),
            ),
            checks=(
                Returned(
                    "logging",
                    Code.INVALID_ARGUMENT,
                    "No request-logger-creator provided.",
                    facts=("2.7.1", "CFG-16"),
                ),
                Answers(Request("later"), by=1, facts=("2.7.1",), level=Level.QUIRK),
            ),
        ),
        Step(
            "empty_list",
            "An empty list is a configuration: every model is unloaded, and all ENDs stay visible.",
            actions=(Reload(()),),
            checks=(
                Shows("typed", {1: END}, facts=("2.3.2", "3.5.1", "CFG-05")),
                Shows("later", {1: END}, facts=("2.3.2", "3.5.1", "CFG-05")),
                Refuses(
                    Request("typed"),
                    Code.NOT_FOUND,
                    "Servable not found for request: Latest(typed)",
                    facts=("2.3.2", "3.5.2", "CFG-05"),
                ),
            ),
        ),
        Step(
            "list_again",
            "A list after an empty one loads its models anew; the same number takes the place of its END.",
            actions=(Reload((TYPED, ESCAPED)),),
            checks=(
                Shows("typed", {1: AVAILABLE}, facts=("2.5.2", "3.5.1", "X-32")),
                Answers(Request("typed"), by=1, facts=("2.5.2", "CFG-05")),
                Shows("escaped", {2: AVAILABLE, 1: AVAILABLE}, facts=("2.5.2", "3.5.1", "X-32")),
            ),
        ),
        *refused(
            "two_platforms",
            listed(entry("later", "$MODELS/later", 'model_platform: "tensorflow" model_type: TENSORFLOW')),
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            "ModelServerConfig::model_platform, model name is later",
            "2.2.2",
            "CFG-06",
        ),
        Step(
            "two_platforms_are_kept",
            "A list whose platforms cannot be told is stored as well: every later reload fails for its sake.",
            actions=(Reload((TYPED,), id="after_two_platforms"),),
            checks=(
                Returned(
                    "after_two_platforms",
                    Code.INVALID_ARGUMENT,
                    "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                    "ModelServerConfig::model_platform, model name is later",
                    facts=("2.3.5", "2.3.6"),
                    level=Level.QUIRK,
                ),
                Answers(Request("typed"), by=1, facts=("2.3.6",)),
            ),
        ),
    ),
)
