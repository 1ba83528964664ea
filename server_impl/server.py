"""The server: from options to open ports, in TensorFlow Serving's order [1.3], and back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from harness.wire import messages as wire
from server_impl import load_options
from server_impl.config.model_config import single_model_config
from server_impl.config.text_proto import read_text_proto
from server_impl.errors import Code, ServingError, invalid_argument, unimplemented
from server_impl.flags import Options
from server_impl.inference.run import Settings
from server_impl.lifecycle.config_poll import start_config_poll
from server_impl.lifecycle.core import CoreOptions, ServerCore
from server_impl.lifecycle.threads import Periodic
from server_impl.metrics import ServingMetrics
from server_impl.protocol.grpc.front import FrontOptions, GrpcFront, Methods, create_front
from server_impl.protocol.grpc.health import health_methods
from server_impl.protocol.grpc.service import GrpcService
from server_impl.protocol.http.front import HttpFront, listen
from server_impl.protocol.rest.app import RestApp
from server_impl.protocol.rest.prometheus import DEFAULT_PATH
from server_impl.servable.servable import Servable

logger = logging.getLogger(__name__)

#: Threads for work that must not hold up the reading of requests: slow models, big bodies, batching and
#: reloads. They are started as they are needed; what waits in vain is a reload, so there are plenty.
_WORKERS = 256


class Server:
    """One server. ``load()`` blocks until the models are up, ``open()`` then opens the ports.

    Raises ServingError from each of its first three steps if the server cannot be started as asked.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        _check_addresses(options)
        self._config = _model_server_config(options)
        loading = load_options.from_flags(options)
        # Loads TensorFlow, which takes longer than all else: not for a start that is refused.
        from server_impl.loader import SavedModelLoaders
        from server_impl.servable.capi import disable_xla

        if not (options.is_on("xla_cpu_compilation_enabled") or options.is_on("xla_gpu_compilation_enabled")):
            disable_xla()
        self._metrics = ServingMetrics()
        self._settings = Settings(self._metrics, options.is_on("enable_signature_method_name_check"))
        self._loaders = SavedModelLoaders(loading, self._settings)
        self._core: ServerCore[Servable] = ServerCore(
            self._loaders,
            CoreOptions(
                num_load_threads=options.number("num_load_threads"),
                num_unload_threads=options.number("num_unload_threads"),
                max_num_load_retries=options.number("max_num_load_retries"),
                load_retry_interval_micros=options.number("load_retry_interval_micros"),
                file_system_poll_wait_seconds=options.number("file_system_poll_wait_seconds"),
                allow_version_labels_for_unavailable_models=options.is_on(
                    "allow_version_labels_for_unavailable_models"
                ),
                flush_filesystem_caches=options.is_on("flush_filesystem_caches"),
            ),
        )
        self._executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="worker")
        self._config_poll: Periodic | None = None
        self._grpc: GrpcFront | None = None
        self._rest: HttpFront | None = None

    def load(self) -> None:
        """Load the configured models; no port is open before this is done [1.3.7]."""
        self._core.start(self._config)
        path = self._options.text("model_config_file")
        seconds = self._options.number("model_config_file_poll_wait_seconds")
        if path and seconds > 0:
            self._config_poll = start_config_poll(path, self._core.reload_config, seconds)

    async def open(self) -> None:
        """Open the gRPC port, then the REST port, which may fail without stopping the server [1.3.11]."""
        _check_thread_pool_factory(self._options.text("thread_pool_factory_config_file"))
        self._open_grpc()
        await self._open_rest()

    def _open_grpc(self) -> None:
        options = self._options
        service = GrpcService(
            self._settings,
            self._core.serving,
            self._core.monitor,
            self._core.handle_reload_request,
            as_content=options.is_on("enable_serialization_as_tensor_content"),
        )
        methods = Methods(unary=service.methods(), watch={})
        if options.is_on("enable_grpc_healthcheck_service"):
            health = health_methods()
            methods = Methods({**methods.unary, **health.unary}, health.watch)
        port, socket_path = options.number("port"), options.text("grpc_socket_path")
        addresses = [f"0.0.0.0:{_wrapped_port(port)}"] if port else []
        if socket_path:
            addresses.append(f"unix:{socket_path}")
        front_options = FrontOptions(addresses, _channel_arguments(options), _ssl_config(options))
        self._grpc = create_front(methods, self._executor, front_options)
        self._grpc.start()
        if port:
            logger.info("Running gRPC ModelServer at 0.0.0.0:%d ...", port)
        if socket_path:
            logger.info("Running gRPC ModelServer at UNIX socket %s ...", socket_path)

    async def _open_rest(self) -> None:
        port = self._options.number("rest_api_port")
        if port == 0:
            return
        if port == self._options.number("port"):
            logger.error(
                "server_options.http_port cannot be same as grpc_port. Please use a different port for "
                "HTTP/REST API. Skipped exporting HTTP/REST API."
            )
            return
        timeout_ms = self._options.number("rest_api_timeout_in_ms")
        app = RestApp(
            self._core.serving,
            self._core.monitor,
            self._settings,
            timeout_ms=timeout_ms if timeout_ms > 0 else None,
            cors=self._options.is_on("rest_api_enable_cors_support"),
            metrics_path=_metrics_path(self._options),
        )
        try:
            socket = listen(port)
        except OSError as error:
            logger.error("Failed to start HTTP Server at localhost:%d: %s", port, error)
            return
        self._rest = HttpFront(app, self._executor)
        await self._rest.start(socket)
        logger.info("Exporting HTTP/REST API at:localhost:%d ...", port)

    async def close(self, grace_s: float) -> None:
        """Take no more requests, answer those in flight for up to ``grace_s`` seconds, free the models."""
        loop = asyncio.get_running_loop()
        closing = []
        if self._config_poll is not None:
            self._config_poll.stop()
        if self._rest is not None:
            closing.append(asyncio.ensure_future(self._rest.close(grace_s)))
        if self._grpc is not None:
            closing.append(asyncio.ensure_future(loop.run_in_executor(None, self._grpc.close, grace_s)))
        await asyncio.gather(*closing)
        await loop.run_in_executor(None, self._core.stop)
        self._loaders.close()
        self._executor.shutdown(wait=False, cancel_futures=True)


def _check_addresses(options: Options) -> None:
    if options.number("port") == 0 and not options.text("grpc_socket_path"):
        raise invalid_argument(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set."
        )
    if options.is_on("use_alts_credentials"):
        if options.text("ssl_config_file"):
            raise invalid_argument(
                "Either use_alts_credentials must be false or ssl_config_file must be empty."
            )
        raise unimplemented("use_alts_credentials: this server has no ALTS; use ssl_config_file for TLS")
    if not options.text("model_base_path") and not options.text("model_config_file"):
        raise invalid_argument(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )


def _model_server_config(options: Options) -> wire.ModelServerConfig:
    if path := options.text("model_config_file"):
        return read_text_proto(path, wire.ModelServerConfig())
    return single_model_config(options.text("model_name"), options.text("model_base_path"))


def _wrapped_port(port: int) -> int:
    """The port that is listened on: only the low 16 bits count [FINDINGS A10], negative ones do not."""
    if port < 0:
        raise invalid_argument("Failed to BuildAndStart gRPC server")
    return port % 65536


def _channel_arguments(options: Options) -> Mapping[str, int | str]:
    """``k=v,k=v``, values as numbers where they are [1.2 #30, 1.3.10]."""
    arguments: dict[str, int | str] = {}
    for item in filter(None, options.text("grpc_channel_arguments").split(",")):
        key, *values = item.split("=")
        if not values:
            raise invalid_argument(f"grpc_channel_arguments: expected key=value, got {item}")
        try:
            arguments[key] = int(values[0])
        except ValueError:
            arguments[key] = values[0]
    return arguments


def _check_thread_pool_factory(path: str) -> None:
    """No factory is registered, in TensorFlow Serving neither: a readable file names one that is unknown."""
    if not path:
        return
    url = read_text_proto(path, wire.ThreadPoolFactoryConfig()).thread_pool_factory_config.type_url
    _, slash, kind = url.rpartition("/")
    if not slash or not kind:
        raise invalid_argument(f"Supplied config's type_url could not be parsed: {url}")
    raise ServingError(Code.INTERNAL, f"Unable to find compiled-in proto descriptor of type {kind}")


def _ssl_config(options: Options) -> wire.SSLConfig | None:
    path = options.text("ssl_config_file")
    if not path:
        logger.info("Using InsecureServerCredentials")
        return None
    config = read_text_proto(path, wire.SSLConfig())
    logger.info("Using SSL credentials")
    if config.client_verify and not config.custom_ca:
        raise invalid_argument(f"{path}: client_verify needs custom_ca, or no client can be verified")
    return config


def _metrics_path(options: Options) -> str | None:
    path = options.text("monitoring_config_file")
    if not path:
        return None
    config = read_text_proto(path, wire.MonitoringConfig()).prometheus_config
    return (config.path or DEFAULT_PATH) if config.enable else None
