"""New configurations for a running server, sent over gRPC: what is awaited, what is not, what goes wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from harness.actions import Configure, Put, Send
from harness.checks import Answered, Logs, Pending, Returned
from harness.scenario import (
    All,
    Answers,
    Call,
    Code,
    Failed,
    Level,
    Model,
    NoGap,
    Publish,
    Refuses,
    Reload,
    Replace,
    Request,
    Scenario,
    Shows,
    Specific,
    State,
    Step,
    side_by_side,
)

AVAILABLE, UNLOADING, END = State.AVAILABLE, State.UNLOADING, State.END

#: What makes a version that cannot be loaded: a graph that is none.
GARBAGE = {"saved_model.pb": b"this is not a graph"}
CANNOT_PARSE = r"(?s:.*)/{}/1/saved_model\.pb(?s:.*)"

A = Model("a", "half_plus_two", versions=(1, 2))
B = Model("b", "half_plus_two", versions=(3,), offset=10)
C = Model("c", "half_plus_two", versions=(4,), offset=20)
#: The model ``a`` over the folder of ``b``, and the folder of ``a`` under another name.
A_ELSEWHERE = replace(A, folder="b")
RENAMED = Model("renamed", "half_plus_two", versions=(), folder="a")
BAD = Model("bad", "half_plus_two", versions=(), offset=5)
BUSY = Model("busy", "slow")
#: Longer than a reload may take that waits for nothing.
LONG = Request("busy", inputs={"ms": np.array([2500.0], np.float32)})


def gone(model: str, *facts: str) -> Refuses:
    """Nobody is there to answer for the model."""
    text = f"Servable not found for request: Latest({model})"
    return Refuses(Request(model), Code.NOT_FOUND, text, facts=facts)


def never_seen(model: str, *facts: str) -> Refuses:
    """The model's status knows no version."""
    text = f"Could not find any versions of model {model}"
    return Refuses(Request(model), Code.NOT_FOUND, text, Call.STATUS, facts=facts)


def not_available(reload: str, model: str, *facts: str, what: str = "model") -> Returned:
    """A reload that comes back when a new model has failed."""
    text = (
        rf"1 {what}\(s\) did not become available: \{{\{{\{{name: {model} version: 1\}} due to error: "
        rf"DATA_LOSS: {CANNOT_PARSE.format(model)}\}}, \}}"
    )
    return Returned(reload, Code.UNKNOWN, re.compile(text), facts=facts)


def failed(model: str) -> Failed:
    """The status of a version without a graph."""
    return Failed(Code.DATA_LOSS, re.compile(CANNOT_PARSE.format(model)))


def refused_file(name: str, rule: str, text: str, logged: str, *facts: str) -> Step:
    """A text for the configuration file that changes nothing for the model ``b``."""
    return Step(
        name,
        rule,
        actions=(Configure((B,), text=text),),
        checks=(
            Logs(name, re.compile(logged), facts=facts),
            NoGap(Request("b"), 3, 3, facts=facts),
        ),
    )


NO_LIST = (
    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
    "Only ModelConfigList is currently supported"
)

RELOAD = Scenario(
    id="reload",
    title="New configurations over gRPC",
    models=(A, BUSY),
    flags={"max_num_load_retries": 0},
    steps=(
        Step(
            "add",
            "A reload that adds models comes back when each of them is served; the others never notice.",
            actions=(Publish("b", 3), Reload((A, BUSY, B))),
            checks=(
                Answers(Request("b"), by=3, facts=("2.5.2", "6.9.2", "REL-01", "REL-12")),
                Shows("b", {3: AVAILABLE}, facts=("2.5.2", "REL-01")),
                NoGap(Request("a"), 2, 2, facts=("2.5.2",)),
            ),
        ),
        Step(
            "same",
            "The same configuration again is accepted, and nothing happens.",
            actions=(Reload((A, BUSY, B)),),
            checks=(
                Shows("a", {2: AVAILABLE}, facts=("2.3.1", "2.5.3")),
                NoGap(Request("a"), 2, 2, facts=("2.3.1",)),
            ),
        ),
        Step(
            "policy",
            "A changed policy is accepted at once, and takes effect at the next look.",
            actions=(Reload((replace(A, policy=All()), BUSY, B)),),
            checks=(
                Shows("a", {2: AVAILABLE, 1: AVAILABLE}, facts=("2.5.3", "REL-04")),
                Answers(Request("a", version=1), by=1, facts=("2.5.3", "REL-04")),
                NoGap(Request("a"), 2, 2, facts=("2.5.3", "REL-04")),
            ),
        ),
        Step(
            "policy_back",
            "A policy that chooses less unloads what it leaves out; without its flag no file counts.",
            actions=(Configure((BUSY,)), Reload((replace(A, policy=Specific((1,))), BUSY, B))),
            checks=(
                Shows("a", {2: END, 1: AVAILABLE}, facts=("2.5.3", "3.6.1", "REL-04")),
                NoGap(Request("a"), 2, 1, facts=("2.5.3", "REL-04")),
                NoGap(Request("b"), 3, 3, facts=("1.2", "REL-16")),
            ),
        ),
        Step(
            "remove",
            "The list is the whole configuration: what it leaves out is unloaded. The reload waits for "
            "neither that nor a request that is running.",
            actions=(Send("long", LONG, by=1), Reload((A, B))),
            passing=True,
            within=2.0,
            checks=(
                Shows("busy", {1: UNLOADING}, facts=("2.5.1", "3.9.2", "REL-02")),
                gone("busy", "2.5.1", "3.9.1", "REL-02", "REL-03"),
            ),
        ),
        Step(
            "removed",
            "A model that was removed shows END for ever, while nobody answers for it.",
            checks=(
                Answered("long", facts=("2.5.1", "3.9.2", "REL-02")),
                Shows("busy", {1: END}, facts=("2.5.1", "3.5.1", "3.5.2", "REL-02")),
                gone("busy", "3.5.2", "REL-02"),
                Answers(Request("b"), by=3, facts=("2.5.1", "REL-03")),
                Shows("a", {2: AVAILABLE, 1: END}, facts=("2.5.3", "REL-04")),
            ),
        ),
        Step(
            "other_path",
            "With another base path the versions there count; a higher one takes over.",
            actions=(Reload((A_ELSEWHERE, B)),),
            checks=(
                Shows("a", {3: AVAILABLE, 2: END, 1: END}, facts=("2.5.3", "X-18")),
                Answers(Request("a"), by=3, contents=13, facts=("2.5.3", "X-18")),
                NoGap(Request("b"), 3, 3, facts=("2.5.3",)),
            ),
        ),
        Step(
            "same_number",
            "A number that is loaded stays as it is, though the new base path holds other files under it.",
            actions=(Publish("a", 3), Reload((A, B))),
            quiet=True,
            checks=(
                Answers(Request("a"), by=3, contents=13, facts=("2.5.4", "REL-05")),
                Shows("a", {3: AVAILABLE, 2: END, 1: END}, facts=("2.5.4", "REL-05")),
            ),
        ),
        Step(
            "renamed",
            "Another name over the same folder is another model: the old one goes, the new one is loaded.",
            actions=(Reload((RENAMED, B)),),
            checks=(
                Answers(Request("renamed"), by=3, contents=3, facts=("2.5.1", "2.5.2", "REL-03")),
                Shows("a", {3: END, 2: END, 1: END}, facts=("2.5.1", "REL-03")),
                gone("a", "2.5.1", "REL-03"),
            ),
        ),
        *side_by_side(
            *(
                (
                    Step(
                        name,
                        "A reload without a list of models is refused.",
                        actions=(Reload((), text=text, id=name),),
                        checks=(Returned(name, Code.INVALID_ARGUMENT, NO_LIST, facts=("6.9.1", "REL-11")),),
                    ),
                )
                for name, text in (("no_config", ""), ("custom_config", "custom_model_config { }"))
            )
        ),
        Step(
            "failing",
            "A new model that cannot be loaded fails the reload, which names it and its error; others go on.",
            actions=(
                Publish("bad", 1, files=GARBAGE),
                Reload((RENAMED, B, BAD), id="failing"),
            ),
            checks=(
                not_available("failing", "bad", "2.5.5", "REL-06"),
                Shows("bad", {1: failed("bad")}, facts=("2.5.5", "3.5", "LIF-07", "REL-06")),
                gone("bad", "2.5.5", "REL-06"),
                NoGap(Request("b"), 3, 3, facts=("2.5.5", "REL-08")),
                NoGap(Request("renamed"), 3, 3, facts=("2.5.5", "REL-08")),
            ),
        ),
        Step(
            "repeated",
            "The same list once more is accepted, because the model is not new any more; nobody serves it.",
            actions=(Reload((RENAMED, B, BAD), id="repeated"),),
            checks=(
                Returned("repeated", facts=("2.5.5", "REL-07"), level=Level.QUIRK),
                Shows("bad", {1: failed("bad")}, facts=("2.5.5", "REL-07")),
                gone("bad", "2.5.5", "REL-07"),
            ),
        ),
        Step(
            "repaired",
            "To repair the files of a failed version does not help.",
            actions=(Replace("bad", 1, contents=6),),
            quiet=True,
            checks=(
                Shows("bad", {1: failed("bad")}, facts=("3.7.5", "LIF-10")),
                gone("bad", "3.7.5", "LIF-10"),
            ),
        ),
        Step(
            "dropped",
            "A model that failed can be dropped from the list ...",
            actions=(Reload((replace(RENAMED, policy=All()), B)),),
            checks=(
                Shows("renamed", dict.fromkeys((3, 2, 1), AVAILABLE), facts=("2.5.3", "REL-04")),
                Shows("bad", {1: failed("bad")}, facts=("3.5.1", "LIF-06")),
            ),
        ),
        Step(
            "added_again",
            "... and when it is added again it is loaded anew.",
            actions=(Reload((RENAMED, B, BAD)),),
            checks=(
                Answers(Request("bad"), by=1, contents=6, facts=("2.5.2", "3.7.5")),
                Shows("bad", {1: AVAILABLE}, facts=("3.5.1", "X-32")),
            ),
        ),
        Step(
            "impatient",
            "A client that gives up waiting does not undo its reload.",
            actions=(Publish("c", 4), Reload((RENAMED, B, BAD, C), id="impatient", deadline=0.02)),
            checks=(
                Returned("impatient", Code.DEADLINE_EXCEEDED, re.compile(".*"), facts=("6.9.3", "X-21")),
                Answers(Request("c"), by=4, facts=("6.9.3", "X-21")),
            ),
        ),
        Step(
            "dropped_and_added",
            "A model that is dropped and added at once comes back, though the reload may say that it failed.",
            actions=(Reload((RENAMED, B)), Reload((RENAMED, B, C), id="in_one_breath")),
            checks=(
                Shows("c", {4: AVAILABLE}, facts=("2.5.9",), level=Level.QUIRK),
                Answers(Request("c"), by=4, facts=("2.5.9",), level=Level.QUIRK),
                gone("bad", "2.5.1", "REL-03"),
            ),
        ),
    ),
)

# --------------------------------------------------------------------------- reloads that wait for a folder

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
                gone("n", "2.5.6"),
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
                gone("e", "2.5.6"),
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

# --------------------------------------------------------------------------- a server without a list

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
                gone("a", "2.3.2", "CFG-04"),
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
                Shows("bad", {1: failed("bad")}, facts=("2.5.8",)),
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

# --------------------------------------------------------------------------- the file

FILE = Scenario(
    id="reload_file",
    title="A configuration file that is read again",
    models=(A,),
    flags={"max_num_load_retries": 0, "model_config_file_poll_wait_seconds": 1},
    steps=(
        Step(
            "add",
            "A model that is added to the file is loaded.",
            actions=(Publish("b", 3), Configure((A, B))),
            checks=(
                Answers(Request("b"), by=3, facts=("2.5.10", "REL-14")),
                NoGap(Request("a"), 2, 2, facts=("2.5.10", "REL-14")),
            ),
        ),
        refused_file(
            "syntax",
            "A file that cannot be read is only logged; the configuration stays.",
            "model_config_list { config { nonsense",
            r"Failed to read ModelServerConfig file: .*Invalid protobuf file: ",
            "2.5.10",
            "REL-15",
        ),
        Step(
            "remove",
            "When the file is right again it counts again.",
            actions=(Configure((B,)),),
            checks=(
                Shows("a", {2: END}, facts=("2.5.10", "2.5.1", "REL-15")),
                NoGap(Request("b"), 3, 3, facts=("2.5.10", "REL-14")),
            ),
        ),
        refused_file(
            "listed_twice",
            "A list that makes no sense is only logged.",
            'model_config_list { config { name: "b" base_path: "$MODELS/b" model_platform: "tensorflow" } '
            'config { name: "b" base_path: "$MODELS/a" model_platform: "tensorflow" } }',
            "PollFilesystemAndReloadConfig failed to ReloadConfig: "
            "Illegal to list model b multiple times in config list",
            "2.5.10",
            "REL-15",
        ),
        refused_file(
            "comment",
            "A file that says nothing is no change from a list, and is only logged.",
            "# nothing\n",
            r"PollFilesystemAndReloadConfig failed to ReloadConfig: Cannot transition to requested config\. "
            r"It is only legal to transition from one ModelConfigList to another\.",
            "2.3.1",
            "X-17",
        ),
        refused_file(
            "empty",
            "An empty file cannot be read.",
            "",
            r"Failed to read ModelServerConfig file: .*models\.config; Invalid argument",
            "2.5.10",
            "1.3.4",
            "X-17",
        ),
        Step(
            "gone",
            "A file that is gone is only logged.",
            actions=(Configure((), gone=True),),
            checks=(
                Logs(
                    "gone",
                    re.compile(r"Failed to read ModelServerConfig file: .*No such file or directory"),
                    facts=("2.5.10", "REL-15"),
                ),
                NoGap(Request("b"), 3, 3, facts=("2.5.10", "REL-15")),
            ),
        ),
        Step(
            "labels",
            "Labels in the file count as in a reload.",
            actions=(Configure((replace(B, labels={"stable": 3}),)),),
            checks=(Answers(Request("b", label="stable"), by=3, facts=("2.5.10", "2.6.1", "LAB-01")),),
        ),
        Step(
            "bad_label",
            "A label that cannot be assigned is only logged; those that were stay.",
            actions=(Configure((replace(B, labels={"stable": 9}),)),),
            checks=(
                Logs(
                    "label",
                    "PollFilesystemAndReloadConfig failed to ReloadConfig: Request to assign label to "
                    "version 9 of model b, which is not currently available for inference",
                    facts=("2.5.10", "2.6.1", "LAB-03"),
                ),
                Answers(Request("b", label="stable"), by=3, facts=("2.6.1", "LAB-03")),
            ),
        ),
        Step(
            "bad_model",
            "A model that cannot be loaded is only logged; its status tells why.",
            actions=(Publish("bad", 1, files=GARBAGE), Configure((B, BAD))),
            checks=(
                Logs(
                    "bad_model",
                    re.compile(
                        r"PollFilesystemAndReloadConfig failed to ReloadConfig: "
                        r"1 model\(s\) did not become available: \{\{\{name: bad version: 1\} due to error: "
                    ),
                    facts=("2.5.5", "2.5.10"),
                ),
                Shows("bad", {1: failed("bad")}, facts=("2.5.5", "2.5.10")),
                NoGap(Request("b"), 3, 3, facts=("2.5.5", "REL-08")),
            ),
        ),
        Step(
            "against_rpc",
            "The file knows nothing of a reload over gRPC: the next time it is read it undoes it.",
            actions=(Publish("c", 4), Reload((B, C))),
            checks=(
                Shows("c", {4: END}, facts=("2.5.11", "REL-17")),
                gone("c", "2.5.11", "REL-17"),
                NoGap(Request("b"), 3, 3, facts=("2.5.11",)),
            ),
        ),
    ),
)
