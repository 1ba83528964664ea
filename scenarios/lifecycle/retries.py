"""Loads that are tried again, in turn or on threads of their own."""

from __future__ import annotations

import numpy as np

from harness import warmup
from harness.actions import Copy, Publish, Withdraw
from harness.checks import Answers, Failed, Logs, NoGap, Passes, Shows
from harness.scenario import Scenario, Step, side_by_side
from harness.terms import All, Code, Level, Model, Request, State
from scenarios.versions import GARBAGE, failed, gone

START, LOADING, AVAILABLE, UNLOADING, END = State


def slow_to_load(model: str, milliseconds: float) -> dict[str, bytes]:
    """What makes a version of the kind ``slow`` take a while to load: a warm-up request."""
    record = warmup.predict_log(model, {"ms": np.array([milliseconds], np.float32)})
    return {warmup.PATH: warmup.records([record])}


RETRY = Scenario(
    id="retry",
    title="Loads that are tried again",
    models=(Model("m", "half_plus_two"), Model("other", "half_plus_two"), Model("late", "half_plus_two")),
    flags={"max_num_load_retries": 8, "load_retry_interval_micros": 600_000},
    steps=(
        Step(
            "retrying",
            "A version is LOADING while its load fails and is tried again.",
            actions=(Publish("m", 2, files=GARBAGE),),
            passing=True,
            checks=(
                Shows("m", {2: LOADING, 1: AVAILABLE}, facts=("3.5", "3.7.1", "LIF-12")),
                Answers(Request("m"), by=1, facts=("3.7.4", "LIF-12")),
                gone("m", 2, "6.3.3", "LIF-19"),
            ),
        ),
        Step(
            "waiting",
            "Without load threads nothing else is loaded meanwhile; requests are answered.",
            actions=(Publish("other", 2),),
            quiet=True,
            checks=(
                Shows("other", {1: AVAILABLE}, facts=("3.7.3", "LIF-14")),
                Answers(Request("other"), by=1, facts=("3.7.3", "LIF-14")),
                Shows("m", {2: LOADING, 1: AVAILABLE}, facts=("3.7.1", "LIF-12")),
            ),
        ),
        Step(
            "exhausted",
            "After the last retry the version ENDs with the last error, and others get their turn.",
            checks=(
                Shows("m", {2: failed("m", 2), 1: AVAILABLE}, facts=("3.7.1", "LIF-12")),
                Shows("other", {2: AVAILABLE, 1: END}, facts=("3.7.3", "LIF-14")),
                Logs(
                    "last_retry",
                    "Retrying of Loading servable: {name: m version: 2} retry: 8",
                    facts=("3.7.1", "LIF-12"),
                    level=Level.SHOULD,
                ),
                Logs(
                    "exhausted",
                    "Retrying of Loading servable: {name: m version: 2} exhausted max_num_retries: 8",
                    facts=("3.7.1", "LIF-12"),
                    level=Level.SHOULD,
                ),
            ),
        ),
        Step(
            "incomplete",
            "A version whose graph has not been copied yet is tried again as well.",
            actions=(Copy("late", 2, ("variables",)),),
            passing=True,
            checks=(Shows("late", {2: LOADING, 1: AVAILABLE}, facts=("3.7.1", "3.7.2", "LIF-13")),),
        ),
        Step(
            "completed",
            "Each try reads the folder anew: files that come late are taken by the next one.",
            actions=(Copy("late", 2, ("saved_model.pb",)),),
            checks=(
                Shows("late", {2: AVAILABLE, 1: END}, facts=("3.7.2", "LIF-13")),
                NoGap(Request("late"), 1, 2, facts=("3.7.2", "LIF-13")),
            ),
        ),
    ),
)

# --------------------------------------------------------------------------- load threads

SUPERSEDED = (
    Step(
        "retrying_aside",
        "A load thread tries again by itself.",
        actions=(Publish("superseded", 2, files=GARBAGE),),
        passing=True,
        checks=(
            Shows("superseded", {2: LOADING, 1: AVAILABLE}, facts=("3.7.1", "X-34")),
            Answers(Request("superseded"), by=1, facts=("3.7.1",)),
        ),
    ),
    Step(
        "superseded",
        "A newer version is loaded between the tries, which then stop.",
        actions=(Publish("superseded", 3),),
        within=4.5,
        checks=(
            Shows(
                "superseded",
                {3: AVAILABLE, 2: failed("superseded", 2), 1: END},
                facts=("3.7.3", "3.7.7", "X-34"),
            ),
            NoGap(Request("superseded"), 1, 3, facts=("3.6.2",)),
        ),
    ),
)

BESIDE = (
    Step(
        "beside",
        "With load threads other models are loaded while one is being tried again.",
        actions=(Publish("beside", 2),),
        within=4.5,
        checks=(Shows("beside", {2: AVAILABLE, 1: END}, facts=("3.7.3", "X-34")),),
    ),
)

DELETED = (
    Step(
        "retrying_under_all",
        "Under policy all a broken version is being tried.",
        actions=(Publish("deleted", 2, files=GARBAGE),),
        passing=True,
        checks=(Shows("deleted", {2: LOADING, 1: AVAILABLE}, facts=("3.7.1",)),),
    ),
    Step(
        "deleted_while_retrying",
        "When it is deleted the tries stop after the current pause.",
        actions=(Withdraw("deleted", 2),),
        within=4.5,
        checks=(
            Passes("deleted", 2, (LOADING, END), (), facts=("3.7.7", "LIF-15")),
            NoGap(Request("deleted"), 1, 1, facts=("3.7.7",)),
        ),
    ),
)

CANCELLED = (
    Step(
        "loading_slowly",
        "A version takes its time to load, for the sake of its warm-up.",
        actions=(Publish("cancelled", 2, files=slow_to_load("cancelled", 4000)),),
        passing=True,
        checks=(Shows("cancelled", {2: LOADING, 1: AVAILABLE}, facts=("3.5", "LIF-05")),),
    ),
    Step(
        "cancelled",
        "A version that is not wanted any more when it has been loaded is unloaded at once, as cancelled.",
        actions=(Withdraw("cancelled", 2),),
        checks=(
            Shows(
                "cancelled",
                {2: Failed(Code.CANCELLED, "Loading of servable cancelled"), 1: AVAILABLE},
                facts=("3.7.7", "LIF-15"),
            ),
            NoGap(Request("cancelled"), 1, 1, facts=("3.7.7", "LIF-15")),
        ),
    ),
)

THREADS = Scenario(
    id="load_threads",
    title="Loads on threads of their own",
    models=(
        Model("superseded", "half_plus_two"),
        Model("beside", "half_plus_two"),
        Model("deleted", "half_plus_two", policy=All()),
        Model("cancelled", "slow", policy=All()),
    ),
    flags={"max_num_load_retries": 12, "load_retry_interval_micros": 600_000, "num_load_threads": 4},
    steps=side_by_side(SUPERSEDED, BESIDE, DELETED, CANCELLED),
)
