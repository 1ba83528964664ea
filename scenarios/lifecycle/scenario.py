"""How versions are loaded, take over, fail and are unloaded."""

from __future__ import annotations

import numpy as np

from harness.actions import Publish, Replace, Send, Withdraw
from harness.checks import Answered, Answers, Failed, Moment, NoGap, Passes, Precedes, Shows
from harness.scenario import Scenario, Step, side_by_side
from harness.terms import All, Level, Model, Request, State, Traffic
from scenarios.versions import GARBAGE, failed, gone

START, LOADING, AVAILABLE, UNLOADING, END = State


def slow_request(milliseconds: float) -> Request:
    """A request that keeps the model ``busy`` for a while."""
    return Request("busy", inputs={"ms": np.array([milliseconds], np.float32)})


def swap(version: int) -> Step:
    """One more version of ``swapped``, which takes over from the one before."""
    old = version - 1
    return Step(
        f"swap_{version}",
        "A new version takes over when it is AVAILABLE; only then is the old one unloaded. No request fails.",
        actions=(Publish("swapped", version),),
        checks=(
            Shows(
                "swapped",
                {version: AVAILABLE} | dict.fromkeys(range(1, version), END),
                facts=("3.6.2", "3.5.1", "3.5.3", "LIF-01", "LIF-06", "LIF-08"),
            ),
            NoGap(Request("swapped"), old, version, facts=("3.6.2", "LIF-01", "LIF-20")),
            Passes(
                "swapped", version, (START, LOADING, AVAILABLE), (START, LOADING), facts=("3.5", "LIF-05")
            ),
            Passes(
                "swapped", old, (AVAILABLE, UNLOADING, END), (UNLOADING,), facts=("3.5", "LIF-05", "LIF-07")
            ),
            Precedes(
                "swapped", Moment(version, AVAILABLE), Moment(old, UNLOADING), facts=("3.6.2", "LIF-01")
            ),
            Answers(Request("swapped"), by=version, facts=("6.3.2", "LIF-04")),
            gone("swapped", old, "3.9.1", "LIF-19"),
        ),
    )


SWAPPED = (swap(2), swap(3), swap(4))

ROLLED_BACK = (
    Step(
        "roll_back",
        "When the newest version is deleted the older one is loaded first; only then is the newest unloaded.",
        actions=(Withdraw("rolled", 2),),
        checks=(
            Shows("rolled", {2: END, 1: AVAILABLE}, facts=("3.6.3", "LIF-02")),
            NoGap(Request("rolled"), 2, 1, facts=("3.6.3", "LIF-02")),
            Precedes("rolled", Moment(1, AVAILABLE), Moment(2, UNLOADING), facts=("3.6.3", "LIF-02")),
        ),
    ),
    Step(
        "forward",
        "After a rollback a higher version takes over as ever.",
        actions=(Publish("rolled", 3),),
        checks=(
            Shows("rolled", {3: AVAILABLE, 2: END, 1: END}, facts=("3.6.2", "LIF-01")),
            NoGap(Request("rolled"), 1, 3, facts=("3.6.2", "LIF-01", "LIF-20")),
        ),
    ),
)

SEVERAL = (
    Step(
        "several",
        "Several new versions are loaded one by one, the highest first; requests go to the highest.",
        actions=(Publish("several", 7), Publish("several", 6), Publish("several", 5)),
        checks=(
            Shows("several", dict.fromkeys((7, 6, 5, 1), AVAILABLE), facts=("3.5.3", "3.6.5", "LIF-08")),
            Precedes("several", Moment(7, AVAILABLE), Moment(6, LOADING), facts=("3.6.5", "3.2.3", "LIF-03")),
            Precedes("several", Moment(6, AVAILABLE), Moment(5, LOADING), facts=("3.6.5", "3.2.3", "LIF-03")),
            Answers(Request("several"), by=7, facts=("6.3.2", "LIF-04")),
            Answers(Request("several", version=5), by=5, facts=("6.3", "LIF-04")),
            NoGap(Request("several", version=1), 1, 1, facts=("3.6.1", "LIF-20")),
        ),
    ),
)

FAILED: dict[int, State | Failed] = {2: failed("failing", 2), 1: AVAILABLE}


def in_vain(name: str, rule: str, *actions: Publish | Replace | Withdraw) -> Step:
    """Something that does not help a failed version."""
    return Step(
        name,
        rule,
        actions=actions,
        quiet=True,
        checks=(
            Shows("failing", FAILED, facts=("3.7.5", "3.5.1", "LIF-06", "LIF-10"), level=Level.QUIRK),
            Answers(Request("failing"), by=1, facts=("3.7.4", "LIF-09", "LIF-10")),
        ),
    )


FAILING = (
    Step(
        "fails",
        "A new version that cannot be loaded ENDs with its error; the old one goes on, though unwanted.",
        actions=(Publish("failing", 2, files=GARBAGE),),
        checks=(
            Shows("failing", FAILED, facts=("3.7.4", "3.5", "LIF-07", "LIF-09")),
            Passes("failing", 2, (START, LOADING, END), (START, LOADING), facts=("3.7.1", "LIF-09")),
            NoGap(Request("failing"), 1, 1, facts=("3.7.4", "LIF-09")),
            gone("failing", 2, "6.3.3", "LIF-19"),
        ),
    ),
    in_vain(
        "fixed", "A failed number is not tried again when its files are fixed.", Replace("failing", 2, 2)
    ),
    in_vain("deleted", "It stays failed when it is deleted ...", Withdraw("failing", 2)),
    in_vain("created_again", "... and when it is created again.", Publish("failing", 2)),
)

RECOVERING = (
    Step(
        "fails_too",
        "A new version fails.",
        actions=(Publish("recovering", 2, files=GARBAGE),),
        checks=(Shows("recovering", {2: failed("recovering", 2), 1: AVAILABLE}, facts=("3.7.4", "LIF-09")),),
    ),
    Step(
        "recovers",
        "A higher number recovers from a failed one.",
        actions=(Publish("recovering", 3),),
        checks=(
            Shows(
                "recovering",
                {3: AVAILABLE, 2: failed("recovering", 2), 1: END},
                facts=("3.7.5", "3.5.1", "LIF-06", "LIF-11"),
            ),
            NoGap(Request("recovering"), 1, 3, facts=("3.7.5", "LIF-11")),
        ),
    ),
)

RETURNING = (
    Step(
        "fails_under_all",
        "Under policy all a version fails beside the others.",
        actions=(Publish("returning", 2, files=GARBAGE),),
        checks=(
            Shows("returning", {2: failed("returning", 2), 1: AVAILABLE}, facts=("3.7.4", "LIF-09")),
            NoGap(Request("returning"), 1, 1, facts=("3.7.4", "LIF-09")),
        ),
    ),
    Step(
        "deleted_for_a_look",
        "A failed version that is deleted keeps its END.",
        actions=(Withdraw("returning", 2),),
        quiet=True,
        checks=(Shows("returning", {2: failed("returning", 2), 1: AVAILABLE}, facts=("3.5.1", "LIF-06")),),
    ),
    Step(
        "returns",
        "Under policy all it is tried again once it was away for a look at the disk.",
        actions=(Publish("returning", 2),),
        checks=(
            Shows("returning", {2: AVAILABLE, 1: AVAILABLE}, facts=("3.7.5", "X-33")),
            Answers(Request("returning"), by=2, facts=("3.7.5", "X-33")),
            Passes(
                "returning", 2, (END, START, LOADING, AVAILABLE), (START, LOADING), facts=("3.5.1", "X-32")
            ),
        ),
    ),
)

SCENARIO = Scenario(
    id="lifecycle",
    title="Versions that take over, fail and go",
    models=(
        Model("swapped", "half_plus_two"),
        Model("rolled", "half_plus_two", versions=(1, 2)),
        Model("several", "half_plus_two", policy=All()),
        Model("failing", "half_plus_two"),
        Model("recovering", "half_plus_two"),
        Model("returning", "half_plus_two", policy=All()),
        Model("delayed", "half_plus_two"),
        Model("busy", "slow"),
    ),
    flags={"max_num_load_retries": 0},
    traffic=(Traffic(Request("swapped"), 3), Traffic(Request("rolled"), 2), Traffic(Request("several"), 1)),
    steps=(
        *side_by_side(SWAPPED, ROLLED_BACK, SEVERAL, FAILING, RECOVERING, RETURNING),
        Step(
            "delayed",
            "A request that runs on any model delays the AVAILABLE of a new version, which answers already.",
            actions=(Send("running", slow_request(3000), by=1), Publish("delayed", 2)),
            passing=True,
            within=2.5,
            checks=(
                Shows("delayed", {2: LOADING, 1: AVAILABLE}, facts=("3.9.3", "LIF-05", "X-36")),
                Answers(Request("delayed"), by=2, facts=("3.5.3", "3.9.3", "X-31")),
                Answers(Request("delayed", version=1), by=1, facts=("3.9.3", "X-36")),
            ),
        ),
        Step(
            "on_time",
            "When it has been answered things go on.",
            checks=(
                Answered("running", facts=("3.9.3", "X-36")),
                Shows("delayed", {2: AVAILABLE, 1: END}, facts=("3.9.3", "X-36")),
            ),
        ),
        Step(
            "draining",
            "A version that is unloaded takes no new requests, while one that runs on it goes on.",
            actions=(Send("last", slow_request(2500), by=1), Withdraw("busy", 1)),
            passing=True,
            within=2.3,
            checks=(
                Shows("busy", {1: UNLOADING}, facts=("3.9.1", "3.9.2", "LIF-05", "LIF-18")),
                gone("busy", None, "3.9.1", "LIF-18"),
                gone("busy", 1, "3.9.1", "LIF-19"),
            ),
        ),
        Step(
            "drained",
            "When that is answered the version ENDs, without an error.",
            checks=(
                Answered("last", facts=("3.9.2", "LIF-18")),
                Shows("busy", {1: END}, facts=("3.9.2", "3.5", "LIF-07", "LIF-18")),
            ),
        ),
        Step(
            "anew",
            "A number that has ENDed is loaded anew when it comes back.",
            actions=(Publish("busy", 1),),
            checks=(Shows("busy", {1: AVAILABLE}, facts=("3.5.1", "3.8.3", "X-32")),),
        ),
        Step(
            "abandoned",
            "A client that gives up frees the version at once.",
            actions=(Send("abandoned", slow_request(9000), by=1, deadline=0.7), Withdraw("busy", 1)),
            within=5.0,
            checks=(
                Answered("abandoned", abandoned=True, facts=("3.9.2",), level=Level.SHOULD),
                Shows("busy", {1: END}, facts=("3.9.2", "LIF-18"), level=Level.SHOULD),
            ),
        ),
    ),
)
