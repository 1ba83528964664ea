"""What gRPC methods look like to the code that carries them, and which carrier serves them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, grpc_message, invalid_argument
from server_impl.protocol.reply import Reply

_log = logging.getLogger(__name__)

#: A unary method: the serialised request and its deadline (as ``time.monotonic()`` counts, None for
#: never) to the serialised reply, or to what gives it. Either may raise ServingError.
Handler = Callable[[bytes, float | None], Reply[bytes]]
#: A method whose stream begins with the returned message and then stays open until the client leaves.
Watcher = Callable[[bytes], bytes]


def failure(error: Exception) -> tuple[Code, str]:
    """Code and text with which a call ends that raised ``error``. A defect is logged, and not told."""
    if isinstance(error, ServingError):
        return error.code, grpc_message(error.message)
    _log.error("A gRPC call failed unexpectedly", exc_info=error)
    return Code.INTERNAL, "Unexpected error, see the log of the server"


class Methods(NamedTuple):
    """All methods that are served, by path, such as ``/grpc.health.v1.Health/Check``."""

    unary: Mapping[str, Handler]
    watch: Mapping[str, Watcher]


class FrontOptions(NamedTuple):
    """Where and how to listen.

    ``addresses`` are ``host:port`` (port 0 picks a free one) or ``unix:path``; ``channel_arguments`` are
    gRPC's own, as in the flag of that name [1.2 #30]; with ``ssl`` every address speaks TLS [10.2].
    """

    addresses: Sequence[str]
    channel_arguments: Mapping[str, int | str] = {}
    ssl: wire.SSLConfig | None = None


class GrpcFront(Protocol):
    """A gRPC server. It listens once created, so that a taken port shows early, and serves once started."""

    @property
    def ports(self) -> Sequence[int]:
        """The TCP ports that it listens on, in the order of the addresses."""

    def start(self) -> None:
        """Begin to serve, on threads of its own."""

    def close(self, grace_s: float) -> None:
        """Take no more calls, give those in flight ``grace_s`` seconds to finish, then cut them off."""


def create_front(methods: Methods, executor: ThreadPoolExecutor, options: FrontOptions) -> GrpcFront:
    """The native front where it can serve what ``options`` ask for, else the one on grpcio.

    Work that handlers defer runs on ``executor``, which must outlive the front. Raises INVALID_ARGUMENT if
    an address cannot be bound or the certificates are no good [1.3.8].
    """
    try:
        if _native_can_serve(options):
            from server_impl.protocol.grpc.native import NativeFront

            return NativeFront(methods, executor, options)
        from server_impl.protocol.grpc.grpcio_front import GrpcioFront

        return GrpcioFront(methods, executor, options)
    except OSError as error:
        raise invalid_argument("Failed to BuildAndStart gRPC server") from error


def _native_can_serve(options: FrontOptions) -> bool:
    if options.ssl is not None:
        return False
    try:
        from server_impl.protocol.grpc.native import SUPPORTED_ARGUMENTS
    except ImportError:
        # There is no wheel of pygrpc-native for this platform.
        return False
    return options.channel_arguments.keys() <= SUPPORTED_ARGUMENTS
