"""Deployments that are complete in the end: with retries they heal. And what they do to a start."""

from __future__ import annotations

import re

from harness.actions import Action, Copy
from harness.checks import Answers, NoGap, Passes, Shows
from harness.scenario import Scenario, Step, side_by_side
from harness.startup import NO_RETRIES, ONE_MODEL, Serves, StartUp, not_loaded
from harness.terms import Cut, Model, Request, State
from scenarios.bad_deploy.scenario import GRAPH, SHARD, SOON

START, LOADING, AVAILABLE, UNLOADING, END = State


def heals(model: str, rule: str, first: Action, then: Action) -> tuple[Step, Step]:
    """Version 2 is tried again until the deployment is complete."""
    facts = ("3.7.2", "LIF-13")
    return (
        Step(
            f"{model}_tried",
            rule,
            actions=(first,),
            passing=True,
            within=SOON,
            checks=(
                Shows(model, {2: LOADING, 1: AVAILABLE}, facts=("3.7.1", "LIF-12")),
                Answers(Request(model), by=1, facts=("3.7.4", "LIF-12")),
            ),
        ),
        Step(
            f"{model}_heals",
            "The next try finds it complete.",
            actions=(then,),
            within=SOON,
            checks=(
                Passes(model, 2, (LOADING, AVAILABLE), (), facts=facts),
                Passes(model, 1, (AVAILABLE, UNLOADING, END), (UNLOADING,), facts=facts),
                NoGap(Request(model), 1, 2, facts=facts),
                Answers(Request(model), by=2, facts=facts),
            ),
        ),
    )


HEALING = Scenario(
    id="bad_deploy_retried",
    title="Deployments that go wrong for a while, with retries",
    models=tuple(Model(name, "half_plus_two") for name in ("graph_last", "disk_freed", "filled")),
    flags={"max_num_load_retries": 40, "load_retry_interval_micros": 300_000, "num_load_threads": 4},
    steps=side_by_side(
        heals(
            "graph_last",
            "With retries a copy may take its time, if the graph comes last.",
            Copy("graph_last", 2, ("variables",)),
            Copy("graph_last", 2, (GRAPH,)),
        ),
        heals(
            "disk_freed",
            "A copy that a full disk has cut short is tried again.",
            Copy("disk_freed", 2, (GRAPH, "variables"), files={SHARD: Cut(100)}),
            Copy("disk_freed", 2, ("variables",)),
        ),
        heals(
            "filled",
            "A folder that is empty at first is tried again.",
            Copy("filled", 2, ()),
            Copy("filled", 2, ("variables", GRAPH)),
        ),
    ),
)

START_UPS = (
    StartUp(
        "cut-short",
        "A version that was cut short stops the start.",
        (*ONE_MODEL, NO_RETRIES),
        not_loaded("{name: m version: 1}", re.compile(r"OUT_OF_RANGE: Read less bytes than requested[^}]*")),
        models=(Model("m", "half_plus_two", files={GRAPH: Cut(5000)}),),
        facts=("3.4.4", "LIF-16"),
    ),
    StartUp(
        "no-variables",
        "A version without variables does not: nothing tells that they are missing.",
        (*ONE_MODEL, NO_RETRIES),
        Serves("m"),
        models=(Model("m", "half_plus_two", files={"variables": None}),),
        facts=("11.5", "SMD-04"),
    ),
)
