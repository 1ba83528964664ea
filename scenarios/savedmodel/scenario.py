"""SavedModels of both TensorFlows, with assets, and in all states of disrepair."""

from __future__ import annotations

import re

import numpy as np

from harness.actions import Publish, Replace
from harness.checks import Answers, Describes, Fails, Refuses, Shows
from harness.models import vocabulary
from harness.scenario import Scenario, Step
from harness.terms import Code, Cut, Files, Level, Model, Request, State

AVAILABLE, END = State.AVAILABLE, State.END

_GRAPH, _INDEX, _SHARD = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
)

#: Folders that cannot be loaded: name, what is wrong with the folder, code, text, facts, level. TensorFlow's
#: own texts may grow: what follows their first words is not looked at.
BROKEN: tuple[tuple[str, Files, Code, str, tuple[str, ...], Level], ...] = (
    (
        "no-graph",
        {_GRAPH: None},
        Code.NOT_FOUND,
        r"Specified file path does not appear to contain a SavedModel bundle \(should have a file called "
        r"`saved_model\.pb`\)\nSpecified file path: .*/no-graph/2",
        ("11.1", "SMD-01"),
        Level.MUST,
    ),
    (
        "empty-graph",
        {_GRAPH: b""},
        Code.NOT_FOUND,
        r"Could not find meta graph def matching supplied tags: \{ serve \}.*",
        ("11.2", "SMD-02"),
        Level.SHOULD,
    ),
    (
        "garbage-graph",
        {_GRAPH: b"\0\1no protobuf\xff\xff"},
        Code.DATA_LOSS,
        r"Can't parse .*/garbage-graph/2/saved_model\.pb.*",
        ("11.3", "SMD-03"),
        Level.MUST,
    ),
    (
        "cut-graph",
        {_GRAPH: Cut(2000)},
        Code.OUT_OF_RANGE,
        r"Read less bytes than requested.*",
        ("11.3", "SMD-03"),
        Level.MUST,
    ),
    (
        "no-shard",
        {_SHARD: None},
        Code.NOT_FOUND,
        r".*/no-shard/2/variables/variables\.data-00000-of-00001; No such file or directory.*",
        ("11.4", "SMD-03"),
        Level.MUST,
    ),
    (
        "cut-shard",
        {_SHARD: Cut(3)},
        Code.OUT_OF_RANGE,
        r"Read less bytes than requested.*",
        ("11.4", "SMD-03"),
        Level.MUST,
    ),
    ("garbage-index", {_INDEX: b"no index"}, Code.DATA_LOSS, r".*", ("11.4", "SMD-03"), Level.SHOULD),
    (
        "session-bundle",
        {"export.meta": b""},
        Code.UNIMPLEMENTED,
        r"Session Bundle is deprecated and removed\.",
        ("11.1", "X-63"),
        Level.UNVERIFIED,
    ),
)

_WITHOUT_ASSET: Files = {vocabulary.ASSET: None}
_WITHOUT_VARIABLES: Files = {"variables": None}
_ODD_OPTIONS: Files = {"assets.extra/saved_model_config.pb": b"\xff\xff no message"}

#: No request gives other numbers than another; but without variables none is answered.
_ANY = {"x": np.array([1.0], np.float32)}

SCENARIO = Scenario(
    id="savedmodel",
    title="Version folders, sound and broken",
    models=(
        Model("tf1", "graph_mode"),
        Model("tf2", "half_plus_two"),
        Model("vocabulary", "vocabulary"),
        *(Model(name, "half_plus_two") for name, *_ in BROKEN),
        Model("no-asset", "vocabulary"),
        Model("no-variables", "half_plus_two"),
        Model("odd-options", "half_plus_two"),
    ),
    flags={"max_num_load_retries": 0},
    steps=(
        Step(
            "start",
            "Models of TensorFlow 1 and 2 are served alike; assets are read when a version is loaded.",
            checks=(
                Answers(Request("tf1"), by=1, facts=("11.6", "SMD-05")),
                Answers(Request("tf2"), by=1, facts=("11.6", "SMD-05")),
                Describes(Request("tf1"), by=1, facts=("11.6", "SMD-05")),
                Describes(Request("tf2"), by=1, facts=("11.6", "SMD-05")),
                Answers(Request("vocabulary"), by=1, facts=("11.7", "SMD-06")),
            ),
        ),
        Step(
            "assets-later",
            "What happens to assets later is not noticed.",
            actions=(Replace("vocabulary", 1, contents=2),),
            quiet=True,
            checks=(Answers(Request("vocabulary"), by=1, facts=("3.8.1", "11.7", "SMD-06")),),
        ),
        Step(
            "broken",
            "A folder that is no sound SavedModel is not served; the status says why, the old one goes on.",
            actions=(
                *(Publish(name, 2, files=files) for name, files, *_ in BROKEN),
                Publish("no-asset", 2, files=_WITHOUT_ASSET),
                Publish("no-variables", 2, files=_WITHOUT_VARIABLES),
                Publish("odd-options", 2, files=_ODD_OPTIONS),
            ),
            checks=(
                *(
                    Fails(name, 2, code, re.compile(f"(?s){text}"), facts=facts, level=level)
                    for name, _, code, text, facts, level in BROKEN
                ),
                Fails(
                    "no-asset",
                    2,
                    Code.NOT_FOUND,
                    re.compile(rf"(?s).*/no-asset/2/{vocabulary.ASSET}; No such file or directory.*"),
                    facts=("11.7", "SMD-06"),
                ),
                *(Answers(Request(name), by=1, facts=("3.7.4", *facts)) for name, *_, facts, _ in BROKEN),
                # The worst of all deployments: nothing says that the variables have not come yet.
                Shows("no-variables", {2: AVAILABLE, 1: END}, facts=("11.5", "SMD-04")),
                Refuses(
                    Request("no-variables", inputs=_ANY),
                    Code.FAILED_PRECONDITION,
                    re.compile(r"(?s)Could not find variable .*"),
                    facts=("11.5", "SMD-04"),
                ),
                Shows("odd-options", {2: AVAILABLE, 1: END}, facts=("11.7",), level=Level.UNVERIFIED),
            ),
        ),
    ),
)
