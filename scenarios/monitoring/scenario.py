"""The servers that the checks of metrics need."""

from __future__ import annotations

import re

import numpy as np

from harness import warmup
from harness.actions import Publish
from harness.checks import Fails
from harness.scenario import Scenario, Step
from harness.terms import Code, Model

START = (Step("start", "Every configured model is served."),)
FLAGS = {"monitoring_config_file": "$FILES/monitoring"}
#: Where the page is unless the configuration says otherwise [4.10.1].
PATH = "/monitoring/prometheus/metrics"

_WARM_UP = warmup.records([warmup.predict_log("warm", {"x": np.array([1.0], np.float32)})] * 2)

SCENARIO = Scenario(
    id="monitoring",
    title="Metrics",
    models=(
        Model("m", "half_plus_two"),
        Model("examples", "examples"),
        Model("warm", "half_plus_two", files={warmup.PATH: _WARM_UP}),
    ),
    flags=FLAGS,
    files={"monitoring": "prometheus_config { enable: true }"},
    steps=START,
)

ELSEWHERE = Scenario(
    id="monitoring_elsewhere",
    title="Metrics under a path of their own",
    models=(Model("m", "half_plus_two"),),
    flags=FLAGS,
    files={"monitoring": 'prometheus_config { enable: true path: "/my/Metrics" }'},
    steps=START,
)

SWITCHED_OFF = Scenario(
    id="monitoring_switched_off",
    title="Metrics that are configured and switched off",
    models=(Model("m", "half_plus_two"),),
    flags=FLAGS,
    files={"monitoring": "prometheus_config { enable: false }"},
    steps=START,
)

WITHOUT = Scenario(
    id="monitoring_without", title="No metrics", models=(Model("m", "half_plus_two"),), steps=START
)

FAILED_LOAD = Scenario(
    id="monitoring_failed_load",
    title="Metrics of loads",
    models=(Model("m", "half_plus_two"),),
    flags={**FLAGS, "max_num_load_retries": 0},
    files={"monitoring": "prometheus_config { enable: true }"},
    steps=(
        Step(
            "broken",
            "A version that cannot be loaded ends with its error.",
            (Publish("m", 2, files={"variables/variables.data-00000-of-00001": None}),),
            (Fails("m", 2, Code.NOT_FOUND, re.compile(".*", re.DOTALL), facts=("11.4",)),),
        ),
    ),
)
