"""Deployments that go wrong: half-copied folders, full disks, turned links, exchanged files, odd clocks.

Each story declares the states that follow, and has :data:`SOON` for each of them to come.
"""

from __future__ import annotations

import re

import numpy as np

from harness.actions import Action, Copy, Link, Publish, Put, Remove, Rename, Replace, Touch, Write
from harness.checks import Answers, Check, Failed, NoGap, Passes, Refuses, Shows
from harness.scenario import Scenario, Step, side_by_side
from harness.terms import Code, Cut, Files, Level, Model, Request, State

START, LOADING, AVAILABLE, UNLOADING, END = State

GRAPH, SHARD = "saved_model.pb", "variables/variables.data-00000-of-00001"

#: Seconds until a deployment shows: a look at the disk each second, a tick of 0.1 s, a load of less than that
#: for these models; the rest is for slow machines.
SOON = 8.0
#: Seconds per day.
DAY = 86_400.0

NO_GRAPH = Failed(
    Code.NOT_FOUND,
    re.compile(r"(?s)Specified file path does not appear to contain a SavedModel bundle .*"),
)
CUT_SHORT = Failed(Code.OUT_OF_RANGE, re.compile(r"(?s)Read less bytes than requested.*"))


def fails(model: str, rule: str, error: Failed | None, *actions: Action, level: Level = Level.MUST) -> Step:
    """Version 2 comes and cannot be loaded; version 1 goes on. An ``error`` of None may be any."""
    facts = ("3.7.1", "3.7.4", "LIF-09")
    checks: list[Check] = [
        Passes(model, 2, (START, LOADING, END), (START, LOADING), facts=facts, level=level),
        NoGap(Request(model), 1, 1, facts=facts, level=level),
    ]
    if error is not None:
        checks.append(Shows(model, {2: error, 1: AVAILABLE}, facts=facts, level=level))
    return Step(f"{model}_fails", rule, actions=actions, checks=tuple(checks), within=SOON)


def recovers(model: str) -> Step:
    """A higher number makes up for it."""
    facts = ("3.7.5", "LIF-11")
    return Step(
        f"{model}_recovers",
        "The next number makes up for it.",
        actions=(Publish(model, 3),),
        within=SOON,
        checks=(
            Passes(model, 3, (START, LOADING, AVAILABLE), (START, LOADING), facts=facts),
            Passes(model, 1, (AVAILABLE, UNLOADING, END), (UNLOADING,), facts=facts),
            NoGap(Request(model), 1, 3, facts=facts),
        ),
    )


def unnoticed(
    model: str, rule: str, *actions: Action, fact: str = "3.8.1", level: Level = Level.MUST
) -> Step:
    """Something happens to a version that is loaded, and the server goes on with what it has read."""
    facts = (fact, "VER-09")
    return Step(
        f"{model}_unnoticed",
        rule,
        actions=actions,
        quiet=True,
        checks=(
            Shows(model, {1: AVAILABLE}, facts=facts, level=level),
            Answers(Request(model), by=1, contents=1, facts=facts, level=level),
        ),
    )


# --------------------------------------------------------------------------- copies that take their time

VARIABLE_MISSING = re.compile(r"(?s)Could not find variable .*")


def without_variables(*facts: str) -> Refuses:
    """Version 2 of ``graph_first`` has no numbers to compute with."""
    request = Request("graph_first", inputs={"x": np.array([1.0], np.float32)})
    return Refuses(request, Code.FAILED_PRECONDITION, VARIABLE_MISSING, facts=("11.5", *facts))


GRAPH_FIRST = (
    Step(
        "graph_first",
        "A folder with a graph but no variables yet is loaded, takes over, and answers nothing.",
        actions=(Copy("graph_first", 2, (GRAPH,)),),
        within=SOON,
        checks=(
            Passes("graph_first", 2, (START, LOADING, AVAILABLE), (START, LOADING), facts=("3.6.2", "11.5")),
            Passes("graph_first", 1, (AVAILABLE, UNLOADING, END), (UNLOADING,), facts=("3.6.2", "11.5")),
            without_variables("SMD-04"),
        ),
    ),
    Step(
        "graph_first_completed",
        "When the variables come it is too late: a version is read once.",
        actions=(Copy("graph_first", 2, ("variables",)),),
        quiet=True,
        checks=(
            Shows("graph_first", {2: AVAILABLE, 1: END}, facts=("3.8.1", "VER-09")),
            without_variables("3.8.1", "VER-09"),
        ),
    ),
    Step(
        "graph_first_recovers",
        "The next number makes up for it.",
        actions=(Publish("graph_first", 3),),
        within=SOON,
        checks=(
            Shows("graph_first", {3: AVAILABLE, 2: END, 1: END}, facts=("3.6.2", "LIF-11")),
            Answers(Request("graph_first"), by=3, facts=("3.6.2", "LIF-11")),
        ),
    ),
)

VARIABLES_FIRST = (
    fails(
        "variables_first",
        "A folder without a graph fails.",
        NO_GRAPH,
        Copy("variables_first", 2, ("variables",)),
    ),
    Step(
        "variables_first_completed",
        "Without retries it stays failed when the graph comes.",
        actions=(Copy("variables_first", 2, (GRAPH,)),),
        quiet=True,
        checks=(
            Shows("variables_first", {2: NO_GRAPH, 1: AVAILABLE}, facts=("3.7.5", "LIF-10")),
            Answers(Request("variables_first"), by=1, facts=("3.7.4", "LIF-09")),
        ),
    ),
    recovers("variables_first"),
)

FULL_DISK = (
    fails(
        "full_disk",
        "A disk that is full while the variables are copied leaves a version that fails.",
        CUT_SHORT,
        Publish("full_disk", 2, files={SHARD: Cut(100)}),
    ),
    recovers("full_disk"),
)

FULL_DISK_AT_GRAPH = (
    fails(
        "cut_graph",
        "So does a disk that is full while the graph is copied.",
        CUT_SHORT,
        Publish("cut_graph", 2, files={GRAPH: Cut(5000)}),
    ),
    recovers("cut_graph"),
)

EMPTY_FOLDER = (
    fails(
        "empty_folder",
        "A folder that is made before its files come fails.",
        NO_GRAPH,
        Copy("empty_folder", 2, ()),
    ),
    recovers("empty_folder"),
)

NESTED = (
    fails(
        "nested",
        "A folder that was copied into the version's folder, not to its place, is not found.",
        NO_GRAPH,
        Put("nested", "2/2", 2),
    ),
    recovers("nested"),
)

#: A folder where the graph should be is unreadable for everybody, whatever their permissions.
UNREADABLE: Files = {GRAPH: None, f"{GRAPH}/part": b""}

UNREADABLE_GRAPH = (
    fails(
        "unreadable",
        "A graph that cannot be read fails.",
        None,
        Publish("unreadable", 2, files=UNREADABLE),
        level=Level.UNVERIFIED,
    ),
)

DANGLING = (
    fails(
        "dangling",
        "A link that leads nowhere fails.",
        None,
        Link("dangling", "2", ".nowhere/2"),
        level=Level.UNVERIFIED,
    ),
)

ARCHIVE = (
    fails(
        "archive",
        "An archive that nobody has unpacked is no folder.",
        Failed(Code.FAILED_PRECONDITION, re.compile(r".*/archive/2; Not a directory")),
        Write("archive", "2", b"PK\3\4"),
    ),
    recovers("archive"),
)

# --------------------------------------------------------------------------- what is not noticed

IN_PLACE = (
    unnoticed(
        "in_place",
        "A folder that is gone and back before the next look, with other files, is not noticed.",
        Replace("in_place", 1, 40),
        fact="3.8.2",
    ),
)
OVERWRITTEN = (
    unnoticed(
        "overwritten",
        "Files overwritten one by one are not noticed.",
        Copy("overwritten", 1, ("variables", GRAPH), contents=40),
    ),
)
STRIPPED = (
    unnoticed(
        "stripped",
        "Files deleted below a version that is loaded are not missed.",
        Remove("stripped", f"1/{GRAPH}"),
        Remove("stripped", "1/variables"),
    ),
)
TURNED = (
    unnoticed(
        "turned",
        "A link that is turned to another release is not noticed.",
        Link("turned", "1", ".releases/b"),
    ),
)
LOWER = (
    Step(
        "too_low",
        "A number below the one that is served changes nothing.",
        actions=(Publish("too_low", 7),),
        quiet=True,
        checks=(
            Shows("too_low", {20240101: AVAILABLE}, facts=("2.4.1", "CFG-11")),
            Answers(Request("too_low"), by=20240101, contents=1, facts=("2.4.1", "CFG-11")),
        ),
    ),
)
TWIN = (
    unnoticed(
        "twin",
        "The same number under another name beside the one that is served changes nothing.",
        Put("twin", "01", 40),
        fact="2.4.3",
        level=Level.UNVERIFIED,
    ),
)

# --------------------------------------------------------------------------- clocks and names

CLOCKS = (
    unnoticed(
        "clocks",
        "Times of files mean nothing: neither a folder from tomorrow ...",
        Touch("clocks", "1", DAY),
        level=Level.SHOULD,
    ),
    Step(
        "clocks_behind",
        "... nor a new version that is older than the one that is served.",
        actions=(
            Put("clocks", ".new", 2),
            Touch("clocks", ".new", -3650 * DAY),
            Rename("clocks", ".new", "2"),
        ),
        within=SOON,
        checks=(
            Passes("clocks", 2, (START, LOADING, AVAILABLE), (START, LOADING), facts=("3.1.1", "3.6.2")),
            NoGap(Request("clocks"), 1, 2, facts=("3.6.2", "LIF-01")),
        ),
    ),
)

CAREFUL = (
    unnoticed(
        "careful",
        "A copy under a name that is no number is not a version ...",
        Put("careful", "2.tmp", 2),
        fact="3.1.1",
    ),
    Step(
        "careful_renamed",
        "... until it is renamed, complete: this is how to deploy.",
        actions=(Rename("careful", "2.tmp", "2"),),
        within=SOON,
        checks=(
            Passes("careful", 2, (START, LOADING, AVAILABLE), (START, LOADING), facts=("3.1.1", "VER-04")),
            NoGap(Request("careful"), 1, 2, facts=("3.6.2", "LIF-01")),
        ),
    ),
)

SCENARIO = Scenario(
    id="bad_deploy",
    title="Deployments that go wrong, without retries",
    models=(
        *(
            Model(name, "half_plus_two")
            for name in (
                *("graph_first", "variables_first", "full_disk", "cut_graph", "empty_folder", "nested"),
                *("unreadable", "dangling", "archive", "in_place", "overwritten", "stripped"),
                *("twin", "clocks", "careful"),
            )
        ),
        Model("turned", "half_plus_two", versions=()),
        Model("too_low", "half_plus_two", versions=()),
    ),
    before=(
        Put("turned", ".releases/a", 1),
        Put("turned", ".releases/b", 40),
        Link("turned", "1", ".releases/a"),
        Put("too_low", "20240101", 1),
    ),
    flags={"max_num_load_retries": 0},
    steps=(
        Step(
            "start",
            "Everything is in order.",
            checks=(
                Answers(Request("turned"), by=1, contents=1, facts=("3.1.4",)),
                Answers(Request("too_low"), by=20240101, contents=1, facts=("2.4.1",)),
            ),
        ),
        *side_by_side(
            GRAPH_FIRST,
            VARIABLES_FIRST,
            FULL_DISK,
            FULL_DISK_AT_GRAPH,
            EMPTY_FOLDER,
            NESTED,
            UNREADABLE_GRAPH,
            DANGLING,
            ARCHIVE,
            IN_PLACE,
            OVERWRITTEN,
            STRIPPED,
            TURNED,
            LOWER,
            TWIN,
            CLOCKS,
            CAREFUL,
        ),
    ),
)
