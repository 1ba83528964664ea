"""Flags: how they are written, what they default to, and which ports a server opens."""

from __future__ import annotations

import re

from harness.startup import NO_RETRIES, ONE_MODEL, PORTS, Exits, Serves, StartUp, not_loaded
from harness.terms import Level, Model, Protocol

_BASE = "--model_base_path=$MODELS/m"
_GRPC_ALONE = ("--port=$GRPC", "--model_name=m", _BASE)
#: What a server prints with an argument that is no flag, before it goes on.
_UNKNOWN = r"(?m)^unknown argument: {}$[\s\S]*^usage: "
_BATCHES = "Wrapping session to perform batch processing"

INFORMATION = (
    StartUp(
        "version",
        "--version prints the versions of the server and of TensorFlow, and that is all.",
        ("--version",),
        Exits((0,), stdout=re.compile(r"\ATensorFlow ModelServer: \S+\nTensorFlow Library: \S+\n\Z")),
        facts=("1.1.6", "CLI-01"),
    ),
    StartUp(
        "version-first",
        "--version comes before any look at the other arguments.",
        ("--nonsense", "--port=0", "--version"),
        Exits((0,), stdout=re.compile(r"\ATensorFlow ModelServer: ")),
        facts=("1.1.6", "CLI-01"),
        level=Level.QUIRK,
    ),
    StartUp(
        "help",
        "--help prints the usage on standard output; the status is that of a failure.",
        ("--help",),
        Exits((255,), stdout=re.compile(r"\Ausage: .*\nFlags:\n\t--port=8500 +\tint32\t")),
        facts=("1.1.5", "X-01"),
        level=Level.SHOULD,
    ),
    StartUp(
        "help-behind-flags",
        "--help counts wherever it stands, as long as no other unknown argument stands before it.",
        (*ONE_MODEL, "--help"),
        Exits((255,), stdout=re.compile(r"\Ausage: ")),
        facts=("1.1.5", "X-01"),
        level=Level.QUIRK,
    ),
)

SPELLING = (
    *(
        StartUp(
            f"unknown/{name}",
            "An argument that is no flag is named, with the usage, on standard output; the server starts.",
            (*ONE_MODEL, argument),
            Serves(stdout=re.compile(_UNKNOWN.format(argument))),
            facts=("1.1.4", "CLI-02"),
            level=level,
        )
        for name, argument, level in (
            ("flag", "--nonsense=1", Level.MUST),
            ("word", "stray", Level.SHOULD),
            ("one-dash", "-port=1", Level.QUIRK),
            ("negated-bool", "--noenable_batching", Level.QUIRK),
        )
    ),
    StartUp(
        "value-behind-a-blank",
        "A value behind a blank does not reach its flag: both are unknown arguments, and the default stands.",
        (*PORTS, _BASE, "--model_name", "m"),
        Serves("default", stdout=re.compile(_UNKNOWN.format("--model_name"))),
        facts=("1.1.1", "1.1.4", "X-02", "CLI-02"),
    ),
    StartUp(
        "double-dash",
        "What stands behind a double dash is no flag any more.",
        (*ONE_MODEL, "--", "--model_name=other"),
        Serves("m"),
        facts=("1.1.5",),
        level=Level.UNVERIFIED,
    ),
    StartUp(
        "last-wins",
        "A flag that is given twice has its last value, so that a container's entry point can be overruled.",
        ("--model_name=first", *ONE_MODEL),
        Serves("m"),
        facts=("1.1.5", "1.3.13", "X-04"),
    ),
    StartUp(
        "bare-bool",
        "A bool flag without a value is on; a value behind a blank does not turn it off.",
        (*ONE_MODEL, "--enable_batching", "false"),
        Serves(stdout=re.compile(_UNKNOWN.format("false")), log=_BATCHES),
        facts=("1.1.2", "X-03"),
    ),
    StartUp(
        "bool-in-capitals",
        "The case of true and false does not matter.",
        (*ONE_MODEL, "--enable_batching=TRUE"),
        Serves(log=_BATCHES),
        facts=("1.1.2",),
        level=Level.SHOULD,
    ),
    *(
        StartUp(
            f"bad-value/{flag}={value}",
            "A value that is not of its flag's type stops the start: a line in the log, the usage on "
            "standard output.",
            (*ONE_MODEL, f"--{flag}={value}"),
            Exits(
                (255,),
                stdout=re.compile(r"(?m)^usage: "),
                log=f"Couldn't interpret value {value} for flag {flag}.",
            ),
            facts=("1.1.3", "CLI-03"),
            level=Level.SHOULD,
        )
        for flag, value in (
            ("port", "85x"),
            ("rest_api_port", "abc"),
            ("file_system_poll_wait_seconds", ""),
            ("model_config_file_poll_wait_seconds", "1.5"),
            ("enable_batching", "maybe"),
            ("per_process_gpu_memory_fraction", "x"),
        )
    ),
    StartUp(
        "int32-overflow",
        "A number that does not fit its type is cut down without a word.",
        (*ONE_MODEL, "--max_num_load_retries=99999999999"),
        Serves(),
        facts=("1.1.3",),
        level=Level.QUIRK,
    ),
)

PORTS_AND_LOG = (
    StartUp(
        "default-name",
        "A model that is given by its path alone is called default.",
        (*PORTS, _BASE),
        Serves("default", log="Building single TensorFlow model file config:  model_name: default "),
        facts=("1.2", "CLI-16"),
    ),
    StartUp(
        "empty-name",
        "An empty model name is accepted, though nobody can ask for such a model.",
        (*PORTS, _BASE, "--model_name="),
        Serves(None),
        facts=("2.3",),
        level=Level.QUIRK,
    ),
    StartUp(
        "log",
        "The log says where the server listens, gRPC first, then REST.",
        ONE_MODEL,
        Serves(
            log=re.compile(
                r"Running gRPC ModelServer at 0\.0\.0\.0:$GRPC \.\.\.[\s\S]*"
                r"Exporting HTTP/REST API at:localhost:$REST \.\.\."
            )
        ),
        facts=("10.4", "10.5", "6.10.3", "CLI-18"),
        level=Level.SHOULD,
    ),
    StartUp(
        "rest-off-by-default",
        "Without a port for it there is no REST.",
        _GRPC_ALONE,
        Serves(over=(Protocol.GRPC,)),
        facts=("1.2", "CLI-13"),
    ),
    StartUp(
        "rest-port-0",
        "A REST port of 0 means none.",
        (*_GRPC_ALONE, "--rest_api_port=0"),
        Serves(over=(Protocol.GRPC,)),
        facts=("1.2", "CLI-13"),
    ),
    StartUp(
        "same-ports",
        "Where REST is given the port of gRPC, gRPC has it, and the log says so.",
        (*_GRPC_ALONE, "--rest_api_port=$GRPC"),
        Serves(
            over=(Protocol.GRPC,),
            log="server_options.http_port cannot be same as grpc_port. Please use a different port for "
            "HTTP/REST API. Skipped exporting HTTP/REST API.",
        ),
        facts=("1.3.11", "CLI-12"),
    ),
    StartUp(
        "rest-port-taken",
        "Where the REST port is taken the server goes on with gRPC alone, and the log says so.",
        (*_GRPC_ALONE, "--rest_api_port=$TAKEN"),
        Serves(over=(Protocol.GRPC,), log="Failed to start HTTP Server at localhost:$TAKEN"),
        facts=("1.3.11", "CLI-12"),
    ),
)

#: A model in two editions, tagged ``serve``, and ``serve`` and ``gpu``.
TAGGED = Model("m", "graph_mode")

TAGS = (
    StartUp(
        "tags-of-nobody",
        "Only a graph with exactly the wanted tags is loaded: some of them are not enough.",
        (*ONE_MODEL, NO_RETRIES, "--saved_model_tags=gpu"),
        not_loaded(
            "{name: m version: 1}",
            re.compile(r"NOT_FOUND: Could not find meta graph def matching supplied tags: \{ gpu \}.*"),
        ),
        models=(TAGGED,),
        facts=("1.2", "11.2", "CLI-17", "SMD-02"),
    ),
    StartUp(
        "tags-empty",
        "No tags mean the tag serve.",
        (*ONE_MODEL, NO_RETRIES, "--saved_model_tags="),
        Serves(),
        facts=("1.2", "CLI-17"),
        level=Level.QUIRK,
    ),
)

#: Loads the edition for ``serve`` and ``gpu``.
GPU_TAGS = StartUp(
    "tags-two",
    "A list of tags picks the graph that has just these.",
    (*ONE_MODEL, NO_RETRIES, "--saved_model_tags=gpu,serve"),
    Serves(),
    models=(TAGGED,),
    facts=("1.2", "11.2", "CLI-17"),
)

#: Loads the same through a platform configuration, which knows nothing of the flags for single settings.
PLATFORM_CONFIG = StartUp(
    "platform-config",
    "A platform configuration replaces the flags for batching, sessions, tags and warm-up.",
    (
        *ONE_MODEL,
        NO_RETRIES,
        "--platform_config_file=$FILES/platform.config",
        "--saved_model_tags=nothing",
        "--batching_parameters_file=$FILES/nowhere",
    ),
    Serves(),
    models=(TAGGED,),
    files={
        "platform.config": """
            platform_configs {
              key: "tensorflow"
              value {
                source_adapter_config {
                  [type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] {
                    legacy_config { saved_model_tags: "serve" saved_model_tags: "gpu" }
                  }
                }
              }
            }
        """
    },
    facts=("1.2", "X-11"),
    level=Level.UNVERIFIED,
)

ACCEPTED = (
    StartUp(
        "accepted",
        "Flags for speed, and one value that nothing can be made of, do not keep a server from starting.",
        (
            *ONE_MODEL,
            "--rest_api_num_threads=8",
            "--grpc_max_threads=32",
            "--num_load_threads=2",
            "--num_unload_threads=2",
            "--load_retry_interval_micros=1000",
            "--mixed_precision=int4",
        ),
        Serves(),
        facts=("1.2",),
        level=Level.SHOULD,
    ),
    StartUp(
        "accepted-unseen",
        "Flags for other machines do no harm where they have no effect.",
        (
            *ONE_MODEL,
            "--flush_filesystem_caches=false",
            "--tensorflow_session_parallelism=2",
            "--per_process_gpu_memory_fraction=0.5",
            "--remove_unused_fields_from_bundle_metagraph=false",
            "--prefer_tflite_model=true",
            "--num_tflite_pools=2",
            "--enable_profiler=false",
            "--skip_initialize_tpu=true",
            "--grpc_channel_arguments=grpc.keepalive_time_ms=60000,grpc.max_concurrent_streams=100",
        ),
        Serves(),
        facts=("1.2", "11.8", "X-10", "X-65"),
        level=Level.UNVERIFIED,
    ),
)

#: Every flag: name, type and default; None where the default depends on the processors.
FLAGS = (
    ("port", "int32", "8500"),
    ("grpc_socket_path", "string", '""'),
    ("rest_api_port", "int32", "0"),
    ("rest_api_num_threads", "int32", None),
    ("rest_api_timeout_in_ms", "int32", "30000"),
    ("rest_api_enable_cors_support", "bool", "false"),
    ("enable_batching", "bool", "false"),
    ("allow_version_labels_for_unavailable_models", "bool", "false"),
    ("batching_parameters_file", "string", '""'),
    ("enable_per_model_batching_parameters", "bool", "false"),
    ("model_config_file", "string", '""'),
    ("model_config_file_poll_wait_seconds", "int32", "0"),
    ("model_name", "string", '"default"'),
    ("model_base_path", "string", '""'),
    ("num_load_threads", "int32", "0"),
    ("num_unload_threads", "int32", "0"),
    ("max_num_load_retries", "int32", "5"),
    ("load_retry_interval_micros", "int64", "60000000"),
    ("file_system_poll_wait_seconds", "int32", "1"),
    ("flush_filesystem_caches", "bool", "true"),
    ("tensorflow_session_parallelism", "int64", "0"),
    ("tensorflow_session_config_file", "string", '""'),
    ("tensorflow_intra_op_parallelism", "int64", "0"),
    ("tensorflow_inter_op_parallelism", "int64", "0"),
    ("use_alts_credentials", "bool", "false"),
    ("ssl_config_file", "string", '""'),
    ("platform_config_file", "string", '""'),
    ("per_process_gpu_memory_fraction", "float", "0.000000"),
    ("saved_model_tags", "string", '"serve"'),
    ("grpc_channel_arguments", "string", '""'),
    ("grpc_max_threads", "int32", None),
    ("enable_model_warmup", "bool", "true"),
    ("num_request_iterations_for_warmup", "int32", "0"),
    ("version", "bool", "false"),
    ("monitoring_config_file", "string", '""'),
    ("remove_unused_fields_from_bundle_metagraph", "bool", "true"),
    ("prefer_tflite_model", "bool", "false"),
    ("num_tflite_pools", "int32", None),
    ("num_tflite_interpreters_per_pool", "int32", "1"),
    ("enable_signature_method_name_check", "bool", "false"),
    ("xla_cpu_compilation_enabled", "bool", "false"),
    ("xla_gpu_compilation_enabled", "bool", "false"),
    ("enable_profiler", "bool", "true"),
    ("thread_pool_factory_config_file", "string", '""'),
    ("mixed_precision", "string", '""'),
    ("skip_initialize_tpu", "bool", "false"),
    ("enable_grpc_healthcheck_service", "bool", "false"),
    ("enable_serialization_as_tensor_content", "bool", "false"),
)

_NUMBER = r"\d+"

USAGE = StartUp(
    "usage",
    "The usage lists each of the 48 flags with its type and default.",
    ("--help",),
    Exits(
        (255,),
        stdout=re.compile(
            r"[\s\S]*".join(
                rf"\n\t--{name}={_NUMBER if default is None else re.escape(default)} *\t{kind}\t"
                for name, kind, default in FLAGS
            )
        ),
    ),
    facts=("1.2",),
    level=Level.QUIRK,
)

START_UPS = (*INFORMATION, USAGE, *SPELLING, *PORTS_AND_LOG, *TAGS, *ACCEPTED)
