"""New configurations over gRPC: what is awaited, what is not, what goes wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from harness.actions import Configure, Publish, Reload, Replace, Send
from harness.checks import Answered, Answers, NoGap, Returned, Shows
from harness.scenario import Scenario, Step, side_by_side
from harness.terms import All, Code, Level, Model, Request, Specific, State
from scenarios.reload.models import BAD, A, B, C, not_available
from scenarios.versions import GARBAGE, failed, gone

AVAILABLE, UNLOADING, END = State.AVAILABLE, State.UNLOADING, State.END

#: The model ``a`` over the folder of ``b``, and the folder of ``a`` under another name.
A_ELSEWHERE = replace(A, folder="b")
RENAMED = Model("renamed", "half_plus_two", versions=(), folder="a")
BUSY = Model("busy", "slow")
#: Longer than a reload may take that waits for nothing.
LONG = Request("busy", inputs={"ms": np.array([2500.0], np.float32)})

NO_LIST = (
    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
    "Only ModelConfigList is currently supported"
)

SAME_NUMBER = Step(
    "same_number",
    "A number that is loaded stays as it is, though the new base path holds other files under it.",
    actions=(Publish("a", 3), Reload((A, B, BAD))),
    quiet=True,
    checks=(
        Answers(Request("a"), by=3, contents=13, facts=("2.5.4", "REL-05")),
        Shows("a", {3: AVAILABLE, 2: END, 1: END}, facts=("2.5.4", "REL-05")),
    ),
)

REPAIRED = Step(
    "repaired",
    "To repair the files of a failed version does not help.",
    actions=(Replace("bad", 1, contents=6),),
    quiet=True,
    checks=(
        Shows("bad", {1: failed("bad", 1)}, facts=("3.7.5", "LIF-10")),
        gone("bad", None, "3.7.5", "LIF-10"),
    ),
)

SCENARIO = Scenario(
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
                gone("busy", None, "2.5.1", "3.9.1", "REL-02", "REL-03"),
            ),
        ),
        Step(
            "removed",
            "A model that was removed shows END for ever, while nobody answers for it.",
            checks=(
                Answered("long", facts=("2.5.1", "3.9.2", "REL-02")),
                Shows("busy", {1: END}, facts=("2.5.1", "3.5.1", "3.5.2", "REL-02")),
                gone("busy", None, "3.5.2", "REL-02"),
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
                Reload((A_ELSEWHERE, B, BAD), id="failing"),
            ),
            checks=(
                not_available("failing", "bad", "2.5.5", "REL-06"),
                Shows("bad", {1: failed("bad", 1)}, facts=("2.5.5", "3.5", "LIF-07", "REL-06")),
                gone("bad", None, "2.5.5", "REL-06"),
                NoGap(Request("b"), 3, 3, facts=("2.5.5", "REL-08")),
            ),
        ),
        Step(
            "repeated",
            "The same list once more is accepted, because the model is not new any more; nobody serves it.",
            actions=(Reload((A_ELSEWHERE, B, BAD), id="repeated"),),
            checks=(
                Returned("repeated", facts=("2.5.5", "REL-07"), level=Level.QUIRK),
                Shows("bad", {1: failed("bad", 1)}, facts=("2.5.5", "REL-07")),
                gone("bad", None, "2.5.5", "REL-07"),
            ),
        ),
        *side_by_side((SAME_NUMBER,), (REPAIRED,)),
        Step(
            "renamed",
            "Another name over the same folder is another model: the old one goes, the new one is loaded. "
            "A model that failed can be dropped from the list ...",
            actions=(Reload((RENAMED, B)),),
            checks=(
                Answers(Request("renamed"), by=3, contents=3, facts=("2.5.1", "2.5.2", "REL-03")),
                Shows("a", {3: END, 2: END, 1: END}, facts=("2.5.1", "REL-03")),
                gone("a", None, "2.5.1", "REL-03"),
                Shows("bad", {1: failed("bad", 1)}, facts=("3.5.1", "LIF-06")),
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
                gone("bad", None, "2.5.1", "REL-03"),
            ),
        ),
    ),
)
