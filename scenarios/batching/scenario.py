"""Servers that batch requests: one for all models alike, one whose queue is soon full, one model by model."""

from __future__ import annotations

import re

import numpy as np

from harness.checks import Answers, Refuses
from harness.scenario import Scenario, Step
from harness.terms import Code, Level, Model, Protocol, Request, Tensors

#: Seconds that a batch waits to be filled: long enough to be told from the time that requests take.
WAIT = 0.15
#: Rows that a batch holds.
ROWS = 4

#: Threads for as many requests as come at a time: a waiting request holds one [4.9.4, 6.10.4].
_THREADS = {"grpc_max_threads": 64, "rest_api_num_threads": 64}
_MONITORING = {"monitoring_config_file": "$FILES/monitoring.config"}
_MONITORING_FILE = {"monitoring.config": "prometheus_config { enable: true }\n"}


#: One row of two numbers.
WIDE: Tensors = {"x": np.array([[1, 2]], np.float32)}


def rows(*values: float) -> Tensors:
    """Rows of one number each."""
    return {"x": np.array(values, np.float32)}


def parameters(**values: int | bool) -> str:
    """Batching parameters in text format; most fields are messages with one ``value`` [8.1]."""
    return "".join(f"{name} {{ value: {str(value).lower()} }}\n" for name, value in values.items())


_GLOBAL = parameters(
    max_batch_size=ROWS,
    batch_timeout_micros=round(WAIT * 1e6),
    num_batch_threads=2,
    max_enqueued_batches=100,
)

SCENARIO = Scenario(
    id="batching",
    title="All models are batched alike",
    models=(Model("half", "half_plus_two"), Model("shapes", "shapes"), Model("two", "two_in_two_out")),
    flags={
        "enable_batching": True,
        "batching_parameters_file": "$FILES/batching.config",
        **_THREADS,
        **_MONITORING,
    },
    files={"batching.config": _GLOBAL, **_MONITORING_FILE},
    steps=(
        Step(
            "start",
            "Requests are answered as without batching, as long as they fit a batch.",
            checks=(
                Answers(Request("half"), by=1, facts=("8.8", "BAT-01")),
                Answers(Request("two"), by=1, facts=("8.8",)),
                Answers(Request("shapes"), by=1, facts=("8.8",)),
            ),
        ),
        Step(
            "full",
            "A request may fill a whole batch.",
            checks=(Answers(Request("half", inputs=rows(1, 2, 3, 4)), by=1, facts=("8.6", "BAT-04")),),
        ),
        Step(
            "too-large",
            "A request with more rows than a batch may have is refused.",
            checks=(
                Refuses(
                    Request("half", inputs=rows(1, 2, 3, 4, 5)),
                    Code.INVALID_ARGUMENT,
                    re.compile("Task size 5 is larger than maximum input batch size 4.*"),
                    facts=("8.6", "BAT-04"),
                ),
            ),
        ),
        Step(
            "outputs",
            "Every output must have a row for each row of the input.",
            checks=(
                Refuses(
                    Request("shapes", signature="uneven"),
                    Code.FAILED_PRECONDITION,
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
                    "of the input tensors",
                    facts=("8.10", "BAT-08"),
                ),
                Refuses(
                    Request("shapes", signature="total", inputs=WIDE),
                    Code.FAILED_PRECONDITION,
                    "Batched output tensor has 0 dimensions",
                    facts=("8.10", "BAT-08"),
                    protocols=(Protocol.GRPC,),
                ),
            ),
        ),
        Step(
            "inputs",
            "Every input must have rows, and equally many.",
            checks=(
                Refuses(
                    Request("half", inputs={"x": np.array(1, np.float32)}),
                    Code.INVALID_ARGUMENT,
                    "Batching Run() input tensors must have at least one dimension",
                    facts=("8.5", "BAT-08"),
                    protocols=(Protocol.GRPC,),
                ),
                Refuses(
                    Request("two", inputs={"a": np.array([1, 2], np.float32), "b": np.array([1], np.int64)}),
                    Code.INVALID_ARGUMENT,
                    "Batching Run() input tensors must have equal 0th-dimension size",
                    facts=("8.5", "BAT-08"),
                    protocols=(Protocol.GRPC,),
                ),
            ),
        ),
        Step(
            "dtype",
            "An input of another dtype is refused when the batch runs, as without batching.",
            checks=(
                Refuses(
                    Request("half", inputs={"x": np.array([1], np.int32)}),
                    Code.INVALID_ARGUMENT,
                    re.compile(r"Expects arg\[0\] to be float but int32 is provided.*"),
                    facts=("6.4.10", "8.11"),
                    protocols=(Protocol.GRPC,),
                ),
            ),
        ),
    ),
)

#: Milliseconds that a REST request may take where the queue is soon full.
REST_LIMIT_MS = 1200

#: One batch runs, two wait.
FULL_QUEUE = Scenario(
    id="full_queue",
    title="A queue that is soon full",
    models=(Model("slow", "slow"),),
    flags={
        "enable_batching": True,
        "batching_parameters_file": "$FILES/batching.config",
        "rest_api_timeout_in_ms": REST_LIMIT_MS,
        **_THREADS,
    },
    files={
        "batching.config": parameters(
            max_batch_size=1, batch_timeout_micros=0, num_batch_threads=1, max_enqueued_batches=2
        )
    },
    steps=(Step("start", "The model is served."),),
)

_OWN = "batching_params.pbtxt"


def _batched(name: str, builder: str, text: str) -> Model:
    return Model(name, builder, files={_OWN: text.encode()})


#: One more than a model's own parameters allow.
NINE_ROWS = rows(*range(9))
_WAIT = parameters(max_batch_size=8, batch_timeout_micros=round(WAIT * 1e6))

PER_MODEL = Scenario(
    id="per_model_batching",
    title="Each model brings its own batching parameters, or is not batched",
    models=(
        _batched("batched", "half_plus_two", _WAIT),
        Model("alone", "half_plus_two"),
        _batched("unpadded", "shapes", _WAIT),
        _batched("padded", "shapes", _WAIT + "pad_variable_length_inputs: true\n"),
        _batched(
            "sizes",
            "shapes",
            _WAIT + "allowed_batch_sizes: 3 allowed_batch_sizes: 6 allowed_batch_sizes: 8\n",
        ),
        _batched(
            "split",
            "half_plus_two",
            _WAIT + parameters(enable_large_batch_splitting=True, max_execution_batch_size=3),
        ),
    ),
    flags={
        "enable_batching": True,
        "enable_per_model_batching_parameters": True,
        "batching_parameters_file": "$FILES/batching.config",
        **_THREADS,
        **_MONITORING,
    },
    files={"batching.config": parameters(num_batch_threads=2), **_MONITORING_FILE},
    steps=(
        Step(
            "start",
            "Only models that bring parameters are batched, each with its own.",
            checks=(
                Refuses(
                    Request("batched", inputs=NINE_ROWS),
                    Code.INVALID_ARGUMENT,
                    re.compile("Task size 9 is larger than maximum input batch size 8.*"),
                    facts=("8.13", "BAT-11"),
                ),
                Answers(Request("alone", inputs=NINE_ROWS), by=1, facts=("8.13", "BAT-11")),
                Answers(Request("sizes", inputs=WIDE), by=1, facts=("8.8",)),
                Answers(
                    Request("split", inputs=rows(*range(7))),
                    by=1,
                    facts=("8.1", "X-57"),
                    level=Level.UNVERIFIED,
                ),
            ),
        ),
        Step(
            "split-too-large",
            "Splitting is for batches, not for what a client may send.",
            checks=(
                Refuses(
                    Request("split", inputs=NINE_ROWS),
                    Code.INVALID_ARGUMENT,
                    re.compile("Task size 9 is larger than maximum input batch size 8.*"),
                    facts=("8.1", "8.6"),
                    level=Level.QUIRK,
                ),
            ),
        ),
    ),
)
