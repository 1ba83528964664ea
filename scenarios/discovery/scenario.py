"""Which entries of a base path are versions, when the server looks, and what if nothing is there."""

from __future__ import annotations

import re

from harness.actions import Link, Publish, Put, Reload, Remove, Replace, Withdraw, Write
from harness.checks import Answers, Closed, Failed, Logs, NoGap, Passes, Pending, Shows
from harness.scenario import Scenario, Step, side_by_side
from harness.startup import ONE_MODEL, StartUp, Waits
from harness.terms import All, Code, Level, Model, Protocol, Request, Specific, State
from scenarios.versions import gone

START, LOADING, AVAILABLE, UNLOADING, END = State

#: The largest number that a version can have.
HUGE = 2**63 - 1


# --------------------------------------------------------------------------- names

#: Entries that are no versions, beside version 2.
NO_NUMBERS = (
    "v3",
    "4.0",
    "5_bak",
    "0x6",
    "7e0",
    "8.tmp",
    ".9",
    "nested/10",
    "eleven",
    "12 13",
    str(HUGE + 1),
    "99999999999999999999",
)

NAMES = (
    Model("zeros", "half_plus_two", versions=()),
    Model("texts", "half_plus_two", versions=(2,), policy=All()),
    Model("signs", "half_plus_two", versions=(), policy=All()),
    Model("edges", "half_plus_two", versions=(), policy=All()),
    Model("numeric", "half_plus_two", versions=(9, 11)),
    Model("linked", "half_plus_two", versions=()),
    Model("twins", "half_plus_two", versions=()),
    Model("twins_all", "half_plus_two", versions=(), policy=All()),
    Model("twins_specific", "half_plus_two", versions=(), policy=Specific((1,))),
)

ENTRIES = (
    Put("zeros", "2", 2),
    Put("zeros", "00000123", 123),
    *(Put("texts", entry, 50) for entry in NO_NUMBERS),
    Write("texts", "README", b"not a version"),
    *(Put("signs", entry, contents) for entry, contents in (("+7", 7), (" 3", 3), ("4 ", 4), ("-5", 5))),
    Put("edges", "0", 1),
    Put("edges", str(HUGE), 2),
    Put("linked", ".store/4", 4),
    Put("linked", ".store/5", 5),
    Link("linked", "4", ".store/4"),
    *(
        Put(model, entry, contents)
        for model in ("twins", "twins_all", "twins_specific")
        for entry, contents in (("1", 7), ("01", 8))
    ),
)

NAMES_STEP = Step(
    "names",
    "A name that is a whole number of 64 bits is a version, however it is written; no other name is.",
    checks=(
        Shows("zeros", {123: AVAILABLE}, facts=("3.1.1", "VER-01")),
        Answers(Request("zeros", version=123), by=123, contents=123, facts=("3.1.1", "VER-01")),
        Shows("texts", {2: AVAILABLE}, facts=("3.1.1", "3.1.4", "VER-02", "X-28")),
        Answers(Request("texts"), by=2, facts=("3.1.1", "VER-02")),
        Shows("signs", dict.fromkeys((7, 4, 3, -5), AVAILABLE), facts=("3.1.1", "3.1.3", "X-27")),
        Answers(Request("signs"), by=7, contents=7, facts=("3.1.1", "X-27")),
        Answers(Request("signs", version=3), by=3, contents=3, facts=("3.1.1", "X-27")),
        Answers(
            Request("signs", version=-5),
            by=-5,
            contents=5,
            facts=("3.1.3", "X-27"),
            protocols=(Protocol.GRPC,),
            level=Level.QUIRK,
        ),
        Shows("edges", {HUGE: AVAILABLE, 0: AVAILABLE}, facts=("3.1.1",)),
        Answers(Request("edges"), by=HUGE, contents=2, facts=("3.1.1", "6.3.2")),
        Answers(Request("edges", version=0), by=0, contents=1, facts=("3.1.1",)),
        Shows("numeric", {11: AVAILABLE}, facts=("2.4.1", "3.1.1")),
        Shows("linked", {4: AVAILABLE}, facts=("3.1.4", "X-28")),
        Answers(Request("linked"), by=4, contents=4, facts=("3.1.4", "X-28")),
        Shows("twins", {1: AVAILABLE}, facts=("2.4.3", "X-29")),
        Answers(Request("twins"), by=1, contents=7, facts=("2.4.3", "X-29"), level=Level.QUIRK),
        Answers(Request("twins_all"), by=1, contents=8, facts=("2.4.3",), level=Level.QUIRK),
        Answers(Request("twins_specific"), by=1, contents=7, facts=("2.4.3",), level=Level.QUIRK),
        Logs(
            "twins",
            "Duplicate version directories detected. Version 1 will be loaded from 1, 01 will be ignored.",
            facts=("2.4.3", "X-29"),
            level=Level.QUIRK,
        ),
    ),
)

# --------------------------------------------------------------------------- stories

STORIES = (
    Model("file", "half_plus_two", versions=(2,)),
    Model("climbing", "half_plus_two"),
    Model("emptied", "half_plus_two", versions=(1, 2)),
    Model("frozen", "half_plus_two"),
    Model("chosen", "half_plus_two", policy=Specific((1, 9))),
)

NOT_A_FOLDER = re.compile(
    r"Error while attempting to reserve resources to load servable \{name: file version: 5\}: "
    r".*/file/5; Not a directory"
)

FILE = (
    Step(
        "plain_file",
        "A plain file counts as a version, and fails before it is loaded; the old version goes on.",
        actions=(Write("file", "5", b"no folder"),),
        checks=(
            Shows(
                "file",
                {5: Failed(Code.FAILED_PRECONDITION, NOT_A_FOLDER), 2: AVAILABLE},
                facts=("3.1.2", "3.7.6", "VER-03"),
            ),
            Passes("file", 5, (START, END), facts=("3.7.6", "VER-03"), level=Level.SHOULD),
            NoGap(Request("file"), 2, 2, facts=("3.1.2", "3.7.4", "VER-03")),
        ),
    ),
)

CLIMBING = (
    Step(
        "higher",
        "A higher version is found at the next look, and loaded at the next tick.",
        actions=(Publish("climbing", 2),),
        checks=(
            Passes("climbing", 2, (START, LOADING, AVAILABLE), (START, LOADING), facts=("3.2.3", "VER-04")),
            Answers(Request("climbing"), by=2, facts=("3.2.3", "VER-04")),
        ),
    ),
)

EMPTIED = (
    Step(
        "all_deleted",
        "When all versions are deleted the model is unloaded; its status remains.",
        actions=(Withdraw("emptied", 1), Withdraw("emptied", 2)),
        checks=(
            Shows("emptied", {2: END}, facts=("3.3.4", "3.6.4", "VER-07")),
            gone("emptied", None, "3.3.4", "3.5.2", "VER-07"),
            gone("emptied", 2, "3.9.1", "VER-07"),
            Passes("emptied", 2, (AVAILABLE, UNLOADING, END), (UNLOADING,), facts=("3.6.4", "VER-07")),
        ),
    ),
    Step(
        "restored",
        "A number that was gone long enough to be unloaded is loaded anew, with what lies there then.",
        actions=(Publish("emptied", 2, contents=30),),
        checks=(
            Shows("emptied", {2: AVAILABLE}, facts=("3.8.3", "3.5.1", "VER-10", "X-32")),
            Answers(Request("emptied"), by=2, contents=30, facts=("3.8.3", "VER-10")),
            Passes(
                "emptied", 2, (END, START, LOADING, AVAILABLE), (START, LOADING), facts=("3.8.3", "VER-10")
            ),
        ),
    ),
)

FROZEN = (
    Step(
        "files_replaced",
        "Other files below a number that is loaded are never noticed.",
        actions=(Replace("frozen", 1, contents=40),),
        quiet=True,
        checks=(
            Answers(Request("frozen"), by=1, contents=1, facts=("3.8.1", "VER-09")),
            Shows("frozen", {1: AVAILABLE}, facts=("3.8.1", "VER-09")),
        ),
    ),
)

CHOSEN = (
    Step(
        "chosen_comes",
        "A version that the policy names and that was missing is loaded when it comes.",
        actions=(Publish("chosen", 9),),
        checks=(
            Shows("chosen", {9: AVAILABLE, 1: AVAILABLE}, facts=("2.4.2", "CFG-14")),
            Answers(Request("chosen"), by=9, facts=("2.4.2", "CFG-14")),
        ),
    ),
    Step(
        "chosen_goes",
        "A version that the policy names is unloaded when it goes.",
        actions=(Withdraw("chosen", 1),),
        checks=(Shows("chosen", {9: AVAILABLE, 1: END}, facts=("2.4.2", "3.6.1")),),
    ),
)

LINKED = (
    Step(
        "link_turned",
        "A link that is turned to another folder is not noticed while its number is loaded.",
        actions=(Link("linked", "4", ".store/5"),),
        quiet=True,
        checks=(Answers(Request("linked"), by=4, contents=4, facts=("3.1.4", "3.8.1")),),
    ),
    Step(
        "link_added",
        "A link is as good a version as a folder.",
        actions=(Link("linked", "5", ".store/5"),),
        checks=(
            Shows("linked", {5: AVAILABLE, 4: END}, facts=("3.1.4", "X-28")),
            NoGap(Request("linked", version=None), 4, 5, facts=("3.6.2",), level=Level.SHOULD),
        ),
    ),
    Step(
        "link_removed",
        "When a link is removed its version goes; the older one comes back as it is now.",
        actions=(Remove("linked", "5"),),
        checks=(
            Shows("linked", {5: END, 4: AVAILABLE}, facts=("3.1.4", "3.6.3", "X-28")),
            Answers(Request("linked"), by=4, contents=5, facts=("3.6.3", "3.8.3")),
        ),
    ),
)

SCENARIO = Scenario(
    id="discovery",
    title="Which entries of a base path are versions",
    models=(*NAMES, *STORIES),
    flags={"max_num_load_retries": 0},
    before=ENTRIES,
    steps=(
        NAMES_STEP,
        *side_by_side(FILE, CLIMBING, EMPTIED, FROZEN, CHOSEN, LINKED),
        Step(
            "base_path_gone",
            "A base path that is gone keeps its model served, and stops the search for all other models.",
            actions=(Remove("frozen"), Publish("climbing", 3)),
            quiet=True,
            checks=(
                Answers(Request("frozen"), by=1, contents=1, facts=("3.3.3", "3.3.4", "VER-08")),
                Shows("frozen", {1: AVAILABLE}, facts=("3.3.3", "3.3.4", "VER-08")),
                Shows("climbing", {2: AVAILABLE, 1: END}, facts=("3.3.5", "REL-10"), level=Level.QUIRK),
            ),
        ),
        Step(
            "base_path_back",
            "When the base path is back, what is in it counts, and so does what waits elsewhere.",
            actions=(Publish("frozen", 2),),
            checks=(
                Shows("frozen", {2: AVAILABLE, 1: END}, facts=("3.3.4", "VER-08")),
                Shows("climbing", {3: AVAILABLE, 2: END, 1: END}, facts=("3.3.5", "REL-10")),
                NoGap(Request("frozen"), 1, 2, facts=("3.6.2", "VER-08")),
                Logs(
                    "base_path",
                    re.compile(
                        r"FileSystemStoragePathSource encountered a filesystem access error: "
                        r"Could not find base path .*/frozen for servable frozen with error NOT_FOUND: "
                    ),
                    facts=("3.3.3",),
                    level=Level.SHOULD,
                ),
            ),
        ),
    ),
)

# --------------------------------------------------------------------------- when the server looks

ONCE = Model("once", "half_plus_two")
LATER = Model("later", "half_plus_two")

LOOKS_ONCE = Scenario(
    id="looks_once",
    title="A server that looks at the disk once",
    models=(ONCE,),
    flags={"file_system_poll_wait_seconds": 0},
    steps=(
        Step(
            "never_again",
            "With period 0 the server looks once, at the start: neither new versions nor models are found. "
            "A reload that adds a model is never answered.",
            actions=(
                Publish("once", 2),
                Publish("later", 1),
                Reload((ONCE, LATER), id="adding"),
            ),
            quiet=True,
            checks=(
                Shows("once", {1: AVAILABLE}, facts=("3.2.2", "VER-05")),
                Answers(Request("once"), by=1, facts=("3.2.2", "VER-05")),
                Pending("adding", facts=("2.5.6", "3.2.2", "X-20"), level=Level.QUIRK),
                gone("later", None, "2.5.6", "X-20"),
            ),
        ),
    ),
)

NEVER_LOOKS = (
    StartUp(
        "negative-period",
        "With a negative period the server never looks, and so never comes up.",
        (*ONE_MODEL, "--file_system_poll_wait_seconds=-1"),
        Waits(3.0),
        facts=("3.2.2", "X-30"),
        level=Level.QUIRK,
    ),
)

# --------------------------------------------------------------------------- nothing there at the start

WAITING = Scenario(
    id="waiting",
    title="A server that starts before its models are there",
    models=(
        Model("empty", "half_plus_two", versions=()),
        Model("elsewhere", "half_plus_two", policy=Specific((9,))),
        Model("missing", "half_plus_two", versions=()),
    ),
    before=(Remove("missing"),),
    opens=False,
    steps=(
        Step(
            "looks",
            "A server looks for the versions of its models, and says where there is none.",
            checks=(
                Logs(
                    "no_versions",
                    re.compile(
                        r"No versions of servable empty found under base path .*/empty\. "
                        r"Did you forget to name your leaf directory as a number \(eg\. '/1/'\)\?"
                    ),
                    facts=("3.3.1",),
                    level=Level.SHOULD,
                ),
            ),
        ),
        Step(
            "waits",
            "A server waits with closed ports until every model has a version.",
            quiet=True,
            checks=(Closed(facts=("3.3.2", "3.3.3", "1.3.7", "VER-06")),),
        ),
        Step(
            "waits_for_the_last",
            "One model without a base path keeps all others waiting.",
            actions=(Publish("empty", 1), Publish("elsewhere", 9)),
            quiet=True,
            checks=(Closed(facts=("3.3.5", "1.3.7", "VER-06")),),
        ),
        Step(
            "comes_up",
            "When the last model has a version the server comes up.",
            actions=(Publish("missing", 1),),
            checks=(
                Answers(Request("missing"), by=1, facts=("3.3.2", "VER-06")),
                Answers(Request("empty"), by=1, facts=("3.3.2", "VER-06")),
                Answers(Request("elsewhere"), by=9, facts=("2.4.2", "3.3.2", "VER-06")),
                Shows("elsewhere", {9: AVAILABLE}, facts=("2.4.2", "CFG-15")),
            ),
        ),
    ),
)
