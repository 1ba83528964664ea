"""Servers that batch requests: one for all models alike, one whose queue is soon full, one model by model."""

from __future__ import annotations

from harness.scenario import Model, Scenario, Step

#: Seconds that a batch waits to be filled: long enough to be told from the time that requests take.
WAIT = 0.15
#: Rows that a batch holds.
ROWS = 4

_MONITORING = {"monitoring_config_file": "$FILES/monitoring.config"}
_MONITORING_FILE = {"monitoring.config": "prometheus_config { enable: true }\n"}


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
    flags={"enable_batching": True, "batching_parameters_file": "$FILES/batching.config", **_MONITORING},
    files={"batching.config": _GLOBAL, **_MONITORING_FILE},
    steps=(Step("start", "The models are served as without batching."),),
)

#: One batch runs, two wait.
FULL_QUEUE = Scenario(
    id="full_queue",
    title="A queue that is soon full",
    models=(Model("slow", "slow"),),
    flags={"enable_batching": True, "batching_parameters_file": "$FILES/batching.config"},
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
            "sizes", "shapes", _WAIT + "allowed_batch_sizes: 3 allowed_batch_sizes: 6 allowed_batch_sizes: 8\n"
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
        **_MONITORING,
    },
    files={"batching.config": parameters(num_batch_threads=2), **_MONITORING_FILE},
    steps=(Step("start", "The models are served."),),
)
