"""The servers that the requests were recorded on: their flags and configuration files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from harness.startup import PORTS, Serves, StartUp

#: There is a model ``echo_DTYPE`` for each.
DTYPES = (
    *("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "bool", "string", "qint8"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
_PLAIN = (
    *("bits32", "bits64", "bits16", "tobits32", "tobits64", "mixed", "pair", "scalar", "rank4", "rank3"),
    *("fixed", "mat", "uneven", "five", "two_in", "two_io", "grid7f", "grid7i", "image", "strs", "vocab"),
    *("examples", "feats", "sigs", "consts", "only_named", "dup_out", "wrong_ref", "methods", "defaults"),
    *("errs", "counter", "warm_good", *(f"echo_{dtype}" for dtype in DTYPES)),
)


class Setup(NamedTuple):
    """Flags, and files by name; ``$MODELS`` in them is the folder of the models."""

    flags: tuple[str, ...]
    files: Mapping[str, str] = {}

    @property
    def models(self) -> tuple[str, ...]:
        """The names that its models are served under."""
        named = (flag.partition("=")[2] for flag in self.flags if flag.startswith("--model_name="))
        return *named, *re.findall(r'config { name: "(.*?)"', self.files.get("models.config", ""))

    def start_up(self, models: str) -> StartUp:
        """How to start this server."""
        return StartUp(
            "golden",
            "The server of the recordings comes up.",
            (*PORTS, *(flag.replace("$MODELS", models) for flag in self.flags)),
            Serves(model=None),
            models=(),
            files={name: text.replace("$MODELS", models) for name, text in self.files.items()},
            facts=(),
        )


def _config(name: str, folder: str = "", more: str = "") -> str:
    place = f'base_path: "$MODELS/{folder or name}" model_platform: "tensorflow"'
    return f'config {{ name: "{name}" {place} {more} }}\n'


def _versions(*versions: int) -> str:
    numbers = " ".join(f"versions: {version}" for version in versions)
    return f"model_version_policy {{ specific {{ {numbers} }} }} "


def _list(*configs: str) -> str:
    return f"model_config_list {{\n{''.join(configs)}}}\n"


_LABELS = {"stable": 1, "canary": 3, "has space": 2, "gone": 77, "été": 2, "7": 1, "": 2}
_LABELLED = " ".join(
    f'version_labels {{ key: "{label}" value: {version} }}' for label, version in _LABELS.items()
)

_ALL = _list(
    *map(_config, _PLAIN),
    _config("lin", more=_versions(1, 2, 3) + _LABELLED),
    _config("slow", more=_versions(2)),
    _config("a name/with:odd%chars", "lin", _versions(4)),
    _config("metadata", "lin", _versions(5)),
    _config("münchen", "lin", _versions(6)),
    _config("novars", "no_variables"),
    _config("nosigs", "no_signatures"),
)
_FEW = _list(
    _config("lin", more=_versions(1, 2, 3)),
    *map(_config, ("examples", "methods", "mixed", "strs", "bits16", "slow", "uneven")),
    *map(_config, ("echo_string", "echo_float32", "echo_int64", "echo_bool", "echo_complex64")),
)
_BATCHING = """
max_batch_size { value: 8 }
batch_timeout_micros { value: 1000 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 4 }
allowed_batch_sizes: 4
allowed_batch_sizes: 8
"""


def _setup(models: str, *flags: str, **files: str) -> Setup:
    """A server with a configuration file; other files go to the flags named like them."""
    named = (f"--{name}=$FILES/{name}" for name in files)
    return Setup(
        ("--model_config_file=$FILES/models.config", *named, *flags), {"models.config": models} | files
    )


SETUPS = {
    "main": _setup(
        _ALL,
        "--allow_version_labels_for_unavailable_models=true",
        "--max_num_load_retries=0",
        monitoring_config_file="prometheus_config { enable: true }",
    ),
    "cors": _setup(
        _FEW,
        "--rest_api_enable_cors_support=true",
        monitoring_config_file="prometheus_config { enable: true }",
    ),
    "single": Setup(("--model_name=half", "--model_base_path=$MODELS/lin")),
    "default_name": Setup(("--model_base_path=$MODELS/lin",)),
    "tcontent": _setup(_FEW, "--enable_serialization_as_tensor_content=true"),
    "methodcheck": _setup(_FEW, "--enable_signature_method_name_check=true"),
    "timeout": _setup(_FEW, "--rest_api_timeout_in_ms=200"),
    "health": _setup(_FEW, "--enable_grpc_healthcheck_service=true"),
    "batching": _setup(_FEW, "--enable_batching=true", batching_parameters_file=_BATCHING),
    "prom": _setup(_FEW, monitoring_config_file='prometheus_config { enable: true path: "/my/Metrics" }'),
    "prom_off": _setup(_FEW, monitoring_config_file="prometheus_config { enable: false }"),
    "no_models": _setup(_list()),
    "empty_config": _setup("# nothing here\n"),
}
