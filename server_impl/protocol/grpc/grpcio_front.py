"""The gRPC front on grpcio: slower than the native one, and able to do all that gRPC can, TLS above all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic

import grpc

from harness.wire import messages as wire
from server_impl.protocol.grpc.front import FrontOptions, Handler, Methods, Watcher, failure
from server_impl.protocol.reply import take_steps

_STATUS = {code.value[0]: code for code in grpc.StatusCode}


class GrpcioFront:
    """A gRPC server on one or several addresses. See :class:`server_impl.protocol.grpc.front.GrpcFront`.

    Handlers run on the executor from the beginning, so deferred work goes on where it was deferred.
    """

    def __init__(self, methods: Methods, executor: ThreadPoolExecutor, options: FrontOptions) -> None:
        arguments = {
            "grpc.max_receive_message_length": -1,
            "grpc.max_send_message_length": -1,
            **options.channel_arguments,
        }
        self._server = grpc.server(executor, handlers=[_Router(methods)], options=[*arguments.items()])
        credentials = None if options.ssl is None else _credentials(options.ssl)
        self._ports = []
        for address in options.addresses:
            port = self._listen(address, credentials)
            if not address.startswith("unix:"):
                self._ports.append(port)

    def _listen(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        try:
            if credentials is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise OSError(str(error)) from error

    @property
    def ports(self) -> Sequence[int]:
        """The TCP ports, in the order of the addresses."""
        return self._ports

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def close(self, grace_s: float) -> None:
        """Refuse new calls, let those in flight finish, then end."""
        self._server.stop(grace_s).wait()


class _Router(grpc.GenericRpcHandler):
    """Finds the handler of a call; messages stay bytes."""

    def __init__(self, methods: Methods) -> None:
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            path: grpc.unary_unary_rpc_method_handler(partial(_answer, handler))
            for path, handler in methods.unary.items()
        }
        for path, watcher in methods.watch.items():
            self._handlers[path] = grpc.unary_stream_rpc_method_handler(_stream(watcher))
        self._unknown: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_refuse)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        return self._handlers.get(details.method, self._unknown)


def _answer(handler: Handler, payload: bytes, context: grpc.ServicerContext) -> bytes:
    remaining = context.time_remaining()
    # grpcio has more than one way to say that there is no deadline.
    deadline = None if remaining is None or remaining > 1e9 else monotonic() + remaining
    try:
        reply = take_steps(handler(payload, deadline))
        return reply if isinstance(reply, bytes) else reply()
    except Exception as error:
        code, message = failure(error)
        context.abort(_STATUS[code], message)


def _stream(watcher: Watcher) -> Callable[..., None]:
    def begin(payload: bytes, _: grpc.ServicerContext, send: Callable[[bytes], None]) -> None:
        send(watcher(payload))

    # Marked so, a stream stays open when its function has returned, and takes no thread meanwhile.
    begin.experimental_non_blocking = True  # type: ignore[attr-defined]
    return begin


def _refuse(_: bytes, context: grpc.ServicerContext) -> bytes:
    """What TensorFlow Serving says to methods that it does not have [6.1.2]."""
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "")


def _credentials(ssl: wire.SSLConfig) -> grpc.ServerCredentials:
    """``client_verify`` demands a client certificate, else none is asked for [10.2]."""
    return grpc.ssl_server_credentials(
        [(ssl.server_key.encode(), ssl.server_cert.encode())],
        root_certificates=ssl.custom_ca.encode() or None,
        require_client_auth=ssl.client_verify,
    )
