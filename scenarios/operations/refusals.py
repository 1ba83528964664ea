"""Starts that are refused: status 255, and one line that says why. In the order of the checks [1.3]."""

from __future__ import annotations

import json
import re

from harness.certificates import pem
from harness.startup import NO_RETRIES, ONE_MODEL, PORTS, Exits, Serves, StartUp, not_loaded, refused
from harness.terms import Level, Model, Protocol

_CONFIG = (*PORTS, "--model_config_file=$FILES/models.config")
_ONE_LIST = 'model_config_list { config { name: "m" base_path: "$MODELS/m" model_platform: "tensorflow" } }'
_UNPARSABLE = "INVALID_ARGUMENT: Invalid protobuf file: '{}'"

#: Statuses of a server that aborts, and of one that ends in an orderly way: only the first is what
#: TensorFlow Serving does, but nobody wants it.
_ABORT_OR_END = (134, 255)

ADDRESSES_AND_MODELS = (
    StartUp(
        "no-port-and-no-socket",
        "A server without a gRPC port and without a socket is refused, whatever else it has.",
        (*ONE_MODEL, "--port=0"),
        refused(
            "INVALID_ARGUMENT: At least one of server_options.grpc_port or server_options.grpc_socket_path "
            "must be set."
        ),
        facts=("1.3.1", "1.1.7", "CLI-05", "CLI-10"),
    ),
    StartUp(
        "alts-and-tls",
        "ALTS and TLS exclude each other; the TLS file is not even opened.",
        (*ONE_MODEL, "--use_alts_credentials", "--ssl_config_file=$FILES/nowhere"),
        refused(
            "INVALID_ARGUMENT: Either use_alts_credentials must be false or ssl_config_file must be empty."
        ),
        facts=("1.3.2", "X-05"),
    ),
    *(
        StartUp(
            f"no-model/{name}",
            "A server that is told of no model is refused.",
            arguments,
            refused(
                "INVALID_ARGUMENT: Both server_options.model_base_path and "
                "server_options.model_config_file are empty!"
            ),
            facts=("1.3.3", "1.1.7", "CLI-04", "CLI-10"),
        )
        for name, arguments in (
            ("no-flags", ()),
            ("name-alone", ("--model_name=m",)),
            ("empty-base-path", ("--model_base_path=",)),
        )
    ),
    StartUp(
        "relative-base-path",
        "The base path must be absolute; the error names the model and the path.",
        (*PORTS, "--model_base_path=models/m"),
        refused(
            "INVALID_ARGUMENT: Expected model default to have an absolute path or URI; "
            "got base_path()=models/m"
        ),
        facts=("1.3.12", "CLI-09"),
    ),
)

MODEL_CONFIG_FILE = (
    StartUp(
        "config/missing",
        "A configuration file that does not exist is named in the error.",
        _CONFIG,
        refused("NOT_FOUND: $FILES/models.config; No such file or directory"),
        facts=("1.3.4", "CLI-08"),
    ),
    StartUp(
        "config/folder",
        "A folder is no configuration file.",
        (*PORTS, "--model_config_file=$MODELS/m"),
        refused("NOT_FOUND: $MODELS/m; No such device"),
        facts=("1.3.4",),
        level=Level.QUIRK,
    ),
    StartUp(
        "config/0-bytes",
        "An empty configuration file is refused; it cannot be mapped into memory.",
        _CONFIG,
        refused("INVALID_ARGUMENT: $FILES/models.config; Invalid argument"),
        files={"models.config": ""},
        facts=("1.3.4", "CLI-08"),
        level=Level.QUIRK,
    ),
    *(
        StartUp(
            f"config/{name}",
            "A configuration that cannot be read is refused as a whole; the log says where and why.",
            _CONFIG,
            refused(
                _UNPARSABLE.format("$FILES/models.config"),
                log="Error parsing text-format tensorflow.serving.ModelServerConfig: ",
            ),
            files={"models.config": text},
            facts=("1.3.4", "2.1.2", "CLI-08", *rows),
        )
        for name, text, rows in (
            ("syntax-error", "model_config_list { config { name: }", ()),
            ("unknown-field", 'model_config_list { config { name: "m" path: "$MODELS/m" } }', ("CFG-02",)),
            ("json", '{"model_config_list": {"config": [{"name": "m"}]}}', ()),
            ("two-lists", f"{_ONE_LIST}\n{_ONE_LIST}\n", ("X-13",)),
        )
    ),
    StartUp(
        "config/custom",
        "A custom configuration is for servers that are built to read one. TensorFlow Serving aborts; a "
        "server may end in an orderly way, as long as it says the same.",
        _CONFIG,
        (
            Exits(_ABORT_OR_END, log="ModelServer does not yet support custom model config."),
            Exits(_ABORT_OR_END, stdout="ModelServer does not yet support custom model config."),
        ),
        files={"models.config": "custom_model_config { }"},
        facts=("2.1.4", "X-16"),
        level=Level.QUIRK,
    ),
    StartUp(
        "config/only-a-comment",
        "A file that holds nothing but a comment is a configuration without models: the server runs.",
        _CONFIG,
        Serves(None),
        files={"models.config": "# nothing yet\n"},
        facts=("2.5.8",),
        level=Level.QUIRK,
    ),
    StartUp(
        "config/wins",
        "A configuration file wins over the flags for one model.",
        (*_CONFIG, "--model_name=other", "--model_base_path=$MODELS/nowhere"),
        Serves("m"),
        files={"models.config": _ONE_LIST},
        facts=("1.2", "CLI-15"),
    ),
)

#: The other flags that name a text file, each with what else it needs, and the message in the file.
_TEXT_FILES = (
    ("batching_parameters_file", ("--enable_batching",), "BatchingParameters"),
    ("platform_config_file", (), "PlatformConfigMap"),
    ("tensorflow_session_config_file", (), "ConfigProto"),
    ("thread_pool_factory_config_file", (), "ThreadPoolFactoryConfig"),
)

OTHER_FILES = (
    StartUp(
        "batching-without-batching",
        "Batching parameters are refused where batching is off.",
        (*ONE_MODEL, "--batching_parameters_file=$FILES/given"),
        refused(
            "INVALID_ARGUMENT: server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."
        ),
        files={"given": "max_batch_size { value: 4 }"},
        facts=("1.3.5", "CLI-06"),
    ),
    StartUp(
        "per-model-batching-without-batching",
        "Batching parameters of a model's own are not asked for where batching is off.",
        (*ONE_MODEL, "--enable_per_model_batching_parameters"),
        Serves(),
        facts=("1.3.5",),
        level=Level.SHOULD,
    ),
    *(
        StartUp(
            f"{flag}/missing",
            "A file that a flag names must exist.",
            (*ONE_MODEL, *others, f"--{flag}=$FILES/given"),
            refused("NOT_FOUND: $FILES/given; No such file or directory"),
            facts=("1.3.4",),
        )
        for flag, others, _ in _TEXT_FILES
    ),
    *(
        StartUp(
            f"{flag}/unreadable",
            "A file that a flag names must hold the text of its message; the log says where it does not.",
            (*ONE_MODEL, *others, f"--{flag}=$FILES/given"),
            refused(
                _UNPARSABLE.format("$FILES/given"),
                log=re.compile(rf"Error parsing text-format tensorflow(\.serving)?\.{message}: "),
            ),
            files={"given": "x"},
            facts=("1.3.4",),
        )
        for flag, others, message in _TEXT_FILES
    ),
    StartUp(
        "thread_pool_factory_config_file/names-none",
        "A file that names no factory of thread pools is refused when the models are loaded.",
        (*ONE_MODEL, "--thread_pool_factory_config_file=$FILES/given"),
        refused("INVALID_ARGUMENT: Supplied config's type_url could not be parsed: "),
        files={"given": "# none\n"},
        facts=("1.2",),
        level=Level.UNVERIFIED,
    ),
    StartUp(
        "session-parallelism",
        "The number of threads is given for all or for each kind, not both.",
        (
            *ONE_MODEL,
            "--tensorflow_session_parallelism=1",
            "--tensorflow_intra_op_parallelism=1",
            "--tensorflow_inter_op_parallelism=1",
        ),
        refused(
            "INVALID_ARGUMENT: Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        ),
        facts=("1.3.6", "CLI-07"),
    ),
    *(
        StartUp(
            f"ssl_config_file/{name}",
            "A TLS configuration that cannot be read stops the start. TensorFlow Serving aborts; a server "
            "may end in an orderly way, as long as it says what is wrong.",
            (*ONE_MODEL, "--ssl_config_file=$FILES/ssl.config"),
            (Exits(_ABORT_OR_END, log=text), Exits(_ABORT_OR_END, stdout=text)),
            files=files,
            facts=("1.3.9", "X-06"),
            level=Level.QUIRK,
        )
        for name, files, text in (
            ("missing", {}, "NOT_FOUND: $FILES/ssl.config; No such file or directory"),
            ("unreadable", {"ssl.config": "nonsense"}, _UNPARSABLE.format("$FILES/ssl.config")),
        )
    ),
    StartUp(
        "ssl_config_file/verify-without-authority",
        "Client certificates cannot be verified without an authority: the start ends, or nobody gets in.",
        (*ONE_MODEL, "--ssl_config_file=$FILES/ssl.config"),
        (Serves(over=(Protocol.REST,), alone=False), refused(re.compile(r"INVALID_ARGUMENT: .*"))),
        files={
            "ssl.config": f"server_key: {json.dumps(pem('server-key'))}\n"
            f"server_cert: {json.dumps(pem('server'))}\nclient_verify: true\n"
        },
        facts=("10.2",),
        level=Level.UNVERIFIED,
    ),
    *(
        StartUp(
            f"monitoring_config_file/{name}",
            "Without a readable monitoring configuration there is no REST. TensorFlow Serving goes on with "
            "gRPC although it has declared the start failed; a server may as well end.",
            (*ONE_MODEL, "--monitoring_config_file=$FILES/monitoring"),
            (Serves(over=(Protocol.GRPC,)), refused(re.compile(error))),
            files=files,
            facts=("1.3.11", "X-08"),
            level=Level.QUIRK,
        )
        for name, files, error in (
            ("missing", {}, r"NOT_FOUND: .*; No such file or directory"),
            ("unreadable", {"monitoring": "prometheus { }"}, r"INVALID_ARGUMENT: Invalid protobuf file: .*"),
        )
    ),
    StartUp(
        "monitoring_config_file/without-rest",
        "The monitoring configuration is not opened where there is no REST.",
        ("--port=$GRPC", *ONE_MODEL[2:], "--monitoring_config_file=$FILES/monitoring"),
        Serves(over=(Protocol.GRPC,)),
        facts=("1.3.11", "X-09"),
        level=Level.UNVERIFIED,
    ),
)

PORTS_AND_MODELS = (
    StartUp(
        "port-taken",
        "A gRPC port that another program holds stops the start, after the models were loaded.",
        (*ONE_MODEL, "--port=$TAKEN"),
        refused("INVALID_ARGUMENT: Failed to BuildAndStart gRPC server"),
        facts=("1.3.8", "CLI-11"),
    ),
    StartUp(
        "port-negative",
        "A negative port cannot be listened on.",
        (*ONE_MODEL, "--port=-1"),
        refused("INVALID_ARGUMENT: Failed to BuildAndStart gRPC server"),
        facts=("1.3.8",),
        level=Level.QUIRK,
    ),
    StartUp(
        "port-shared",
        "gRPC shares its port with other servers that let it; the kernel spreads the connections.",
        (*ONE_MODEL, "--port=$SHARED"),
        Serves(over=(Protocol.REST,)),
        facts=("1.3.8", "X-07"),
        level=Level.QUIRK,
    ),
    StartUp(
        "port-not-shared",
        "The channel argument grpc.so_reuseport=0 forbids that.",
        (*ONE_MODEL, "--port=$SHARED", "--grpc_channel_arguments=grpc.so_reuseport=0"),
        refused("INVALID_ARGUMENT: Failed to BuildAndStart gRPC server"),
        facts=("1.3.8", "X-07"),
        level=Level.QUIRK,
    ),
    StartUp(
        "model-broken",
        "A model that cannot be loaded stops the start, once its retries are used up; the error names it.",
        (*ONE_MODEL, NO_RETRIES),
        not_loaded(
            "{name: m version: 1}",
            re.compile(r"DATA_LOSS: Can't parse $MODELS/m/1/saved_model\.pb as binary proto"),
        ),
        models=(Model("m", "half_plus_two", files={"saved_model.pb": b"\0\1no protobuf\xff\xff"}),),
        facts=("3.4.4", "11.3"),
    ),
)

START_UPS = (*ADDRESSES_AND_MODELS, *MODEL_CONFIG_FILE, *OTHER_FILES, *PORTS_AND_MODELS)
