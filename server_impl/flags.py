"""The command line of ``tensorflow_model_server``: the same 48 flags, spelled, typed and parsed alike.

Only ``--name=value`` sets a flag [1.1.1]; a bare ``--name`` sets a bool [1.1.2]; what cannot be
read stops the start [1.1.3]; unknown arguments do not [1.1.4]. Flags that mean nothing here are
accepted, and say so in the log when they are given a value of their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Value = bool | int | float | str

_CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)

_INTEGER = re.compile(r"\s*[+-]?[0-9]+\Z")
_FLOAT = re.compile(
    r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z|\s*[+-]?(?:inf(?:inity)?|nan)\Z", re.I
)
_BOOL = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: ``no_effect`` tells why it does nothing here, or is empty if it is honoured."""

    name: str
    type: str
    default: Value
    help: str
    no_effect: str = ""


_CPU_ONLY = "graphs run on the CPU"
_TFLITE = "TFLite models are not served here"
_THREADS = "threads are started as requests need them, and calls are never refused for want of one"

FLAGS: tuple[Flag, ...] = (
    Flag("port", "int32", 8500, "TCP port of the gRPC API; 0 for none"),
    Flag("grpc_socket_path", "string", "", "also serve gRPC on this Unix socket"),
    Flag("rest_api_port", "int32", 0, "TCP port of the REST API, different from --port; 0 for none"),
    Flag("rest_api_num_threads", "int32", 4 * _CPUS, "threads of the REST API", _THREADS),
    Flag(
        "rest_api_timeout_in_ms",
        "int32",
        30000,
        "time a REST request may run in the model; 0 or less for no limit",
    ),
    Flag("rest_api_enable_cors_support", "bool", False, "send CORS headers with REST replies"),
    Flag("enable_batching", "bool", False, "run concurrent requests together in batches"),
    Flag(
        "allow_version_labels_for_unavailable_models",
        "bool",
        False,
        "let a new label name a version that is not available yet",
    ),
    Flag(
        "batching_parameters_file", "string", "", "text file of BatchingParameters; needs --enable_batching"
    ),
    Flag(
        "enable_per_model_batching_parameters",
        "bool",
        False,
        "batch only models whose version folder holds batching_params.pbtxt, with those parameters",
    ),
    Flag("model_config_file", "string", "", "text file of ModelServerConfig; wins over --model_base_path"),
    Flag(
        "model_config_file_poll_wait_seconds",
        "int32",
        0,
        "seconds between two readings of --model_config_file; 0 or less to read it once",
    ),
    Flag("model_name", "string", "default", "name of the model at --model_base_path"),
    Flag("model_base_path", "string", "", "folder whose numbered subfolders are the versions of one model"),
    Flag(
        "num_load_threads",
        "int32",
        0,
        "threads that load versions after the start; 0 to load one after another",
    ),
    Flag("num_unload_threads", "int32", 0, "threads that unload versions; 0 to unload one after another"),
    Flag("max_num_load_retries", "int32", 5, "attempts after the first one that failed to load a version"),
    Flag(
        "load_retry_interval_micros",
        "int64",
        60_000_000,
        "microseconds between two attempts to load a version",
    ),
    Flag(
        "file_system_poll_wait_seconds",
        "int32",
        1,
        "seconds between two looks at the base paths; 0 to look once, negative for never",
    ),
    Flag(
        "flush_filesystem_caches", "bool", True, "flush file caches after loading", "no file caches are kept"
    ),
    Flag(
        "tensorflow_session_parallelism", "int64", 0, "threads for one session, within and between operations"
    ),
    Flag("tensorflow_session_config_file", "string", "", "text file of ConfigProto for every session"),
    Flag("tensorflow_intra_op_parallelism", "int64", 0, "threads that one operation may use"),
    Flag("tensorflow_inter_op_parallelism", "int64", 0, "operations that may run at the same time"),
    Flag("use_alts_credentials", "bool", False, "secure gRPC with ALTS; refused, there is no ALTS here"),
    Flag("ssl_config_file", "string", "", "text file of SSLConfig: serve gRPC over TLS"),
    Flag(
        "platform_config_file",
        "string",
        "",
        "text file of PlatformConfigMap; replaces session and batching flags",
    ),
    Flag("per_process_gpu_memory_fraction", "float", 0.0, "share of GPU memory to claim", _CPU_ONLY),
    Flag("saved_model_tags", "string", "serve", "comma-separated tags of the graph to load"),
    Flag("grpc_channel_arguments", "string", "", "comma-separated key=value pairs for the gRPC server"),
    Flag("grpc_max_threads", "int32", 4 * _CPUS, "limit of gRPC threads", _THREADS),
    Flag("enable_model_warmup", "bool", True, "run assets.extra/tf_serving_warmup_requests while loading"),
    Flag("num_request_iterations_for_warmup", "int32", 0, "times each warm-up record is run, if above 0"),
    Flag("version", "bool", False, "print the version and exit"),
    Flag("monitoring_config_file", "string", "", "text file of MonitoringConfig"),
    Flag(
        "remove_unused_fields_from_bundle_metagraph",
        "bool",
        True,
        "keep only the signatures of a loaded graph definition",
        "no other part of the graph definition is kept in any case",
    ),
    Flag("prefer_tflite_model", "bool", False, "serve model.tflite where a version folder has one", _TFLITE),
    Flag("num_tflite_pools", "int32", _CPUS, "TFLite interpreter pools", _TFLITE),
    Flag("num_tflite_interpreters_per_pool", "int32", 1, "TFLite interpreters in one pool", _TFLITE),
    Flag(
        "enable_signature_method_name_check",
        "bool",
        False,
        "refuse requests to signatures whose method name is of another kind",
    ),
    Flag("xla_cpu_compilation_enabled", "bool", False, "compile with XLA what a model wants compiled"),
    Flag("xla_gpu_compilation_enabled", "bool", False, "the same; there is no GPU here"),
    Flag(
        "enable_profiler",
        "bool",
        True,
        "serve the TensorFlow profiler",
        "the profiler service is not offered",
    ),
    Flag(
        "thread_pool_factory_config_file",
        "string",
        "",
        "text file of ThreadPoolFactoryConfig; refused, no factory is registered",
    ),
    Flag("mixed_precision", "string", "", "let graphs compute in this type where they can: bfloat16"),
    Flag("skip_initialize_tpu", "bool", False, "do not initialise TPUs", _CPU_ONLY),
    Flag("enable_grpc_healthcheck_service", "bool", False, "serve grpc.health.v1.Health"),
    Flag(
        "enable_serialization_as_tensor_content",
        "bool",
        False,
        "write Predict outputs into tensor_content instead of typed fields",
    ),
)

_BY_NAME = {flag.name: flag for flag in FLAGS}

#: Flags that do nothing, in TensorFlow Serving neither, when another one is given.
_OVERRULED: Mapping[str, tuple[str, ...]] = {
    "model_config_file": ("model_name", "model_base_path"),
    "platform_config_file": (
        *("enable_batching", "batching_parameters_file", "enable_per_model_batching_parameters"),
        *("tensorflow_session_parallelism", "tensorflow_session_config_file"),
        *("tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism"),
        *("saved_model_tags", "enable_model_warmup", "num_request_iterations_for_warmup", "mixed_precision"),
    ),
}
#: And those that do nothing without another one.
_DEPENDENT: Mapping[str, tuple[str, ...]] = {
    "model_config_file": ("model_config_file_poll_wait_seconds",),
    "enable_batching": ("enable_per_model_batching_parameters",),
    "enable_model_warmup": ("num_request_iterations_for_warmup",),
    "rest_api_port": ("rest_api_timeout_in_ms", "rest_api_enable_cors_support", "monitoring_config_file"),
}


class BadFlagError(ValueError):
    """A flag whose value cannot be read; ``str()`` is the line for the log [1.1.3]."""


class HelpRequestedError(Exception):
    """``--help`` was the first argument that is no flag [1.1.5]."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for: ``options["port"]``; ``unknown`` holds arguments that are no flags."""

    values: Mapping[str, Value]
    given: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = field(default=())

    def text(self, name: str) -> str:
        """Value of a string flag."""
        return str(self.values[name])

    def number(self, name: str) -> int:
        """Value of an integer flag."""
        return int(self.values[name])

    def is_on(self, name: str) -> bool:
        """Value of a bool flag."""
        return bool(self.values[name])

    def without_effect(self) -> list[str]:
        """One sentence for each flag that was given, differs from its default and does nothing."""
        sentences = []
        for flag in FLAGS:
            if flag.name not in self.given or self.values[flag.name] == flag.default:
                continue
            if flag.no_effect:
                sentences.append(f"--{flag.name} has no effect in this server: {flag.no_effect}")
            for other, overruled in _OVERRULED.items():
                if self.values[other] and flag.name in overruled:
                    sentences.append(f"--{flag.name} has no effect: --{other} takes its place")
            for other, dependent in _DEPENDENT.items():
                if not self.values[other] and flag.name in dependent:
                    sentences.append(f"--{flag.name} has no effect without --{other}")
        return sentences


def _wrapped(value: int, bits: int) -> int:
    """``value`` as sscanf leaves it: clamped to 64 bits, then cut to ``bits`` bits [FINDINGS A10]."""
    value = max(-(2**63), min(value, 2**63 - 1))
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def _integer(bits: int) -> Callable[[str], Value]:
    def read(text: str) -> Value:
        if not _INTEGER.match(text):
            raise ValueError(text)
        return _wrapped(int(text), bits)

    return read


def _float(text: str) -> Value:
    if not _FLOAT.match(text):
        raise ValueError(text)
    return float(text)


def _bool(text: str) -> Value:
    return _BOOL[text.lower()]


_READERS: dict[str, Callable[[str], Value]] = {
    "int32": _integer(32),
    "int64": _integer(64),
    "float": _float,
    "bool": _bool,
    "string": str,
}


def parse(arguments: Sequence[str]) -> Options:
    """Read the arguments behind the program's name.

    The last of several values of one flag wins [1.1.5]; everything behind a literal ``--`` is left alone.

    Raises:
        BadFlagError: a value that cannot be read as its flag's type.
        HelpRequestedError: ``--help``, unless another unknown argument stands before it.
    """
    values: dict[str, Value] = {flag.name: flag.default for flag in FLAGS}
    given: set[str] = set()
    unknown: list[str] = []
    for position, argument in enumerate(arguments):
        if argument == "--":
            unknown.extend(arguments[position:])
            break
        name, equals, text = argument.removeprefix("--").partition("=")
        flag = _BY_NAME.get(name) if argument.startswith("--") else None
        if flag is None or (not equals and flag.type != "bool"):
            unknown.append(argument)
            continue
        try:
            values[name] = _READERS[flag.type](text) if equals else True
        except (ValueError, KeyError):
            raise BadFlagError(f"Couldn't interpret value {text} for flag {name}.") from None
        given.add(name)
    if unknown[:1] == ["--help"]:
        raise HelpRequestedError
    return Options(values, frozenset(given), tuple(unknown))


def _shown(default: Value) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:f}"
    return f'"{default}"' if isinstance(default, str) else str(default)


def usage(program: str) -> str:
    """The text that ``--help``, a bad value and an unknown argument print on standard output."""
    lines = [f"usage: {program}", "Flags:"]
    lines += [f"\t{f'--{flag.name}={_shown(flag.default)}':<33}\t{flag.type}\t{flag.help}" for flag in FLAGS]
    return "\n".join(lines) + "\n"
