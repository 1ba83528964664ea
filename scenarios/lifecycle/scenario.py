"""How versions are loaded, take over, fail, are retried and are unloaded."""

from __future__ import annotations

import re

import numpy as np

from harness import warmup
from harness.actions import Copy, Put, Send
from harness.checks import Answered, Logs, Moment, Passes, Precedes
from harness.scenario import (
    All,
    Answers,
    Code,
    Failed,
    Level,
    Model,
    NoGap,
    Protocol,
    Publish,
    Refuses,
    Replace,
    Request,
    Scenario,
    Shows,
    State,
    Step,
    Withdraw,
    side_by_side,
)
from harness.startup import NO_RETRIES, PORTS, StartUp, not_loaded

START, LOADING, AVAILABLE, UNLOADING, END = State

#: What makes a version that cannot be loaded: a graph that is none.
GARBAGE = {"saved_model.pb": b"this is not a graph"}


def failed(model: str, version: int) -> Failed:
    """The status of a version without a graph."""
    return Failed(Code.DATA_LOSS, re.compile(rf"(?s).*/{model}/{version}/saved_model\.pb.*"))


def gone(model: str, version: int | None, *facts: str) -> Refuses:
    """The request is refused because nothing is there to answer it."""
    wanted = f"Latest({model})" if version is None else f"Specific({model}, {version})"
    text = f"Servable not found for request: {wanted}"
    return Refuses(Request(model, version=version), Code.NOT_FOUND, text, facts=facts)


def slow_request(milliseconds: float) -> Request:
    """A request that keeps the model ``busy`` for a while."""
    return Request("busy", inputs={"ms": np.array([milliseconds], np.float32)})


def slow_to_load(model: str, milliseconds: float) -> dict[str, bytes]:
    """What makes a version of the kind ``slow`` take a while to load: a warm-up request."""
    record = warmup.predict_log(model, {"ms": np.array([milliseconds], np.float32)})
    return {warmup.PATH: warmup.records([record])}


# --------------------------------------------------------------------------- stories


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

LIFECYCLE = Scenario(
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

# --------------------------------------------------------------------------- retries

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

# --------------------------------------------------------------------------- starts

#: So many versions that the lowest is not begun when the highest is AVAILABLE: one is begun each 0.1 s.
LOWER = range(1, 25)

PARTLY = Scenario(
    id="partly_loaded",
    title="A server that is ready before all its versions are",
    models=(Model("m", "half_plus_two", versions=(25,), policy=All()),),
    before=tuple(Put("m", str(version), 1) for version in LOWER),
    opens=False,
    steps=(
        Step(
            "opens_early",
            "A server is ready when the highest of its decided versions is AVAILABLE; others may be to come.",
            checks=(
                Answers(Request("m"), by=25, facts=("3.4.2", "3.4.3", "LIF-17")),
                Shows("m", dict.fromkeys((25, *LOWER), AVAILABLE), facts=("3.4.3", "LIF-17")),
                # Only what is seen after the port has opened counts. A gRPC channel would try too seldom.
                Passes(
                    "m",
                    1,
                    (START, LOADING, AVAILABLE),
                    (LOADING,),
                    facts=("3.4.2", "3.4.3", "LIF-17"),
                    protocols=(Protocol.REST,),
                ),
            ),
        ),
    ),
)

_CONFIG = (*PORTS, NO_RETRIES, "--model_config_file=$FILES/models.config")
_ERROR = r"DATA_LOSS: [^}}]*\$MODELS/{}/1/saved_model\.pb[^}}]*"

START_UPS = (
    StartUp(
        "one-of-two",
        "One model that cannot be loaded stops the start for all.",
        _CONFIG,
        not_loaded("{name: b version: 1}", re.compile(_ERROR.format("b"))),
        models=(Model("a", "half_plus_two"), Model("b", "half_plus_two", files=GARBAGE)),
        files={
            "models.config": 'model_config_list { config { name: "a" base_path: "$MODELS/a" model_platform: '
            '"tensorflow" } config { name: "b" base_path: "$MODELS/b" model_platform: "tensorflow" } }'
        },
        facts=("3.4.4", "LIF-16"),
    ),
    StartUp(
        "lower-version",
        "A lower version that fails before the highest one is loaded stops the start.",
        _CONFIG,
        not_loaded("{name: m version: 1}", re.compile(_ERROR.format("m"))),
        models=(
            Model("m", "slow", versions=(2,), files=slow_to_load("m", 2000)),
            Model("lower", "slow", versions=(1,), folder="m", files=GARBAGE),
        ),
        files={
            "models.config": 'model_config_list { config { name: "m" base_path: "$MODELS/m" '
            'model_platform: "tensorflow" model_version_policy { all { } } } }'
        },
        facts=("3.4.4", "X-35"),
        level=Level.QUIRK,
    ),
)
