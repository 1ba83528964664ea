"""Versions appear and disappear under a running server, and no request sees a gap."""

from __future__ import annotations

import numpy as np

from harness.actions import Publish, Rename, Replace, Withdraw
from harness.checks import Answers, Drains, NoGap, Refuses, Shows
from harness.scenario import Scenario, Step
from harness.terms import All, Code, Model, Request, State, Traffic

AVAILABLE, END = State.AVAILABLE, State.END


def gone(model: str, version: int | None, *facts: str) -> Refuses:
    """The request is refused because nothing is there to answer it."""
    wanted = f"Latest({model})" if version is None else f"Specific({model}, {version})"
    text = f"Servable not found for request: {wanted}"
    return Refuses(Request(model, version=version), Code.NOT_FOUND, text, facts=facts)


#: Longer than a poll and the removal that follows it.
BUSY = Request("busy", version=1, inputs={"ms": np.array([2500.0], np.float32)})

SCENARIO = Scenario(
    id="hot_plug",
    title="Versions appear and disappear under a running server",
    models=(
        Model("m", "half_plus_two", versions=(2,)),
        Model("every", "half_plus_two", versions=(1, 2), policy=All(), offset=50),
        Model("busy", "slow", versions=(1,), policy=All()),
    ),
    traffic=(Traffic(Request("m"), 3), Traffic(Request("every"), 1)),
    steps=(
        Step(
            "start",
            "What lies in the base path at the start is served as the policy says.",
            checks=(
                Answers(Request("m"), by=2, facts=("2.4.1", "CFG-11")),
                Answers(Request("every", version=1), by=1, facts=("2.4.1", "CFG-13")),
                Shows("m", {2: AVAILABLE}, facts=("3.5", "LIF-05")),
                Shows("every", {2: AVAILABLE, 1: AVAILABLE}, facts=("3.5.3", "CFG-13")),
            ),
        ),
        Step(
            "add_lower",
            "A lower version changes nothing under the default policy.",
            actions=(Publish("m", 1),),
            quiet=True,
            checks=(
                Answers(Request("m"), by=2, facts=("2.4.1", "CFG-11")),
                gone("m", 1, "2.4.1", "6.3"),
                Shows("m", {2: AVAILABLE}, facts=("2.4.1", "CFG-11")),
            ),
        ),
        Step(
            "add_higher",
            "A higher version is loaded and takes over; the old one serves until then, and is unloaded.",
            actions=(Publish("m", 3),),
            checks=(
                Shows("m", {3: AVAILABLE, 2: END}, facts=("3.6.2", "3.2.3", "LIF-01", "VER-04")),
                Answers(Request("m"), by=3, facts=("3.6.2", "LIF-04", "VER-04")),
                Answers(Request("m", version=3), by=3, facts=("3.6.2", "LIF-01")),
                gone("m", 2, "3.9.1", "6.3.3", "LIF-19"),
                NoGap(Request("m"), 2, 3, facts=("3.6.2", "LIF-01", "LIF-20")),
            ),
        ),
        Step(
            "remove_newest",
            "When the newest version is removed, the highest one left comes back without a gap.",
            actions=(Withdraw("m", 3),),
            checks=(
                Shows("m", {3: END, 2: AVAILABLE}, facts=("3.6.3", "3.5.1", "LIF-02", "LIF-06")),
                Answers(Request("m"), by=2, facts=("3.6.3", "LIF-02")),
                gone("m", 3, "3.6.3", "6.3.3", "LIF-19"),
                NoGap(Request("m"), 3, 2, facts=("3.6.3", "LIF-02", "LIF-20")),
            ),
        ),
        Step(
            "forward_again",
            "After a rollback the next version takes over as usual; END entries stay.",
            actions=(Publish("m", 4),),
            checks=(
                Shows("m", {4: AVAILABLE, 3: END, 2: END}, facts=("3.6.2", "3.5.1", "LIF-01", "LIF-06")),
                Answers(Request("m"), by=4, facts=("3.6.2", "LIF-01")),
                NoGap(Request("m"), 2, 4, facts=("3.6.2", "LIF-01", "LIF-20")),
            ),
        ),
        Step(
            "replace_files",
            "Other files under a number that is loaded are not noticed.",
            actions=(Replace("m", 4, contents=30),),
            quiet=True,
            checks=(
                Answers(Request("m"), by=4, facts=("3.8.1", "VER-09")),
                Shows("m", {4: AVAILABLE, 3: END, 2: END}, facts=("3.8.1", "VER-09")),
            ),
        ),
        Step(
            "remove_all",
            "When the last version is removed the model is unloaded, and its status remains.",
            actions=(Withdraw("m", 1), Withdraw("m", 2), Withdraw("m", 4)),
            checks=(
                Shows("m", {4: END, 3: END, 2: END}, facts=("3.3.4", "3.6.4", "VER-07", "LIF-07")),
                gone("m", None, "3.3.4", "3.5.2", "VER-07"),
                gone("m", 4, "3.3.4", "LIF-19"),
                Answers(Request("every"), by=2, facts=("3.3.4",)),
            ),
        ),
        Step(
            "same_number_again",
            "A number that was unloaded is loaded anew, with what then lies there.",
            actions=(Publish("m", 4, contents=31),),
            checks=(
                Shows("m", {4: AVAILABLE, 3: END, 2: END}, facts=("3.8.3", "VER-10")),
                Answers(Request("m"), by=4, contents=31, facts=("3.8.3", "VER-10")),
            ),
        ),
        Step(
            "all_add",
            "Under policy all a new version joins; those that were there go on.",
            actions=(Publish("every", 3),),
            checks=(
                Shows("every", dict.fromkeys((3, 2, 1), AVAILABLE), facts=("2.4.1", "CFG-13")),
                Answers(Request("every"), by=3, facts=("2.4.1", "LIF-04")),
                NoGap(Request("every"), 2, 3, facts=("3.6.1", "LIF-20")),
                NoGap(Request("every", version=1), 1, 1, facts=("3.6.1", "LIF-20")),
            ),
        ),
        Step(
            "all_hide",
            "A folder whose name is no longer a number is no longer a version.",
            actions=(Rename("every", "2", "2.off"),),
            checks=(
                Shows("every", {3: AVAILABLE, 2: END, 1: AVAILABLE}, facts=("3.1.1", "3.6.1", "VER-02")),
                gone("every", 2, "3.1.1", "3.9.1", "LIF-19"),
                NoGap(Request("every", version=3), 3, 3, facts=("3.6.1", "LIF-20")),
                NoGap(Request("every", version=1), 1, 1, facts=("3.6.1", "LIF-20")),
            ),
        ),
        Step(
            "all_unhide",
            "Leading zeros do not matter: 0002 is version 2.",
            actions=(Rename("every", "2.off", "0002"),),
            checks=(
                Shows("every", dict.fromkeys((3, 2, 1), AVAILABLE), facts=("3.1.1", "3.8.3", "VER-01")),
                Answers(Request("every", version=2), by=2, facts=("3.1.1", "VER-01")),
            ),
        ),
        Step(
            "remove_busy",
            "A version that is removed answers what it is running, and ends when the last answer is out.",
            actions=(Withdraw("busy", 1),),
            checks=(
                Drains(BUSY, by=1, facts=("3.9.1", "3.9.2", "LIF-18")),
                Shows("busy", {1: END}, facts=("3.9.2", "LIF-18")),
                gone("busy", None, "3.9.1", "VER-07"),
            ),
        ),
    ),
)
