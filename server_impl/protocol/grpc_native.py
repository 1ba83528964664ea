"""The gRPC front on pygrpc-native: HTTP/2 in Rust, outside the GIL; whole calls reach Python in batches.

Serves everything but TLS. Methods that exist nowhere get UNIMPLEMENTED from the library itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Lock, Thread
from time import monotonic
from typing import Any

from pygrpc_native import EVENT_CALL, NativeGrpcFront

from server_impl.errors import Code, ServingError, grpc_message
from server_impl.protocol.grpc_front import FrontOptions, Methods

_log = logging.getLogger(__name__)

#: gRPC's channel arguments and what each is called here [1.2 #30].
_ARGUMENTS = {
    "grpc.keepalive_permit_without_calls": "keepalive_permit_without_calls",
    "grpc.keepalive_time_ms": "keepalive_time_ms",
    "grpc.keepalive_timeout_ms": "keepalive_timeout_ms",
    "grpc.max_concurrent_streams": "max_concurrent_streams",
    "grpc.max_metadata_size": "max_metadata_size",
    "grpc.so_reuseport": "reuse_port",
}
SUPPORTED_ARGUMENTS = frozenset(_ARGUMENTS)
#: What gRPC does unless told otherwise, and this library does not.
_DEFAULTS: Mapping[str, Any] = {"keepalive_permit_without_calls": False, "reuse_port": True}

# Calls taken at once: enough to spare trips into the library, too few to make the last one wait long.
_BATCH = 32


class NativeFront:
    """A gRPC server on one or several addresses. See :class:`server_impl.protocol.grpc_front.GrpcFront`."""

    def __init__(self, methods: Methods, executor: ThreadPoolExecutor, options: FrontOptions) -> None:
        arguments = dict(_DEFAULTS)
        for name, value in options.channel_arguments.items():
            # gRPC ignores a value that is no number where it wants one.
            if isinstance(value, int):
                arguments[_ARGUMENTS[name]] = value
        self._listeners: list[_Listener] = []
        try:
            for address in options.addresses:
                self._listeners.append(_Listener(address, methods, executor, arguments))
        except OSError:
            self.close(0)
            raise

    @property
    def ports(self) -> Sequence[int]:
        """The TCP ports, in the order of the addresses."""
        return [listener.port for listener in self._listeners if listener.port]

    def start(self) -> None:
        """Begin to serve."""
        for listener in self._listeners:
            listener.start()

    def close(self, grace_s: float) -> None:
        """Refuse new calls, let those in flight finish, then end."""
        deadline = monotonic() + grace_s
        for listener in self._listeners:
            listener.refuse()
        for listener in self._listeners:
            listener.close(deadline)


class _Listener:
    """One address, as the library takes one per server."""

    def __init__(
        self, address: str, methods: Methods, executor: ThreadPoolExecutor, arguments: Mapping[str, Any]
    ) -> None:
        paths = [(path, False) for path in methods.unary] + [(path, True) for path in methods.watch]
        # One thread for HTTP/2 carries more calls than Python can answer.
        self._front = NativeGrpcFront(address, paths, io_threads=1, call_details=True, **arguments)
        self.port: int = 0 if address.startswith("unix:") else self._front.bound_port
        # By the number that the library gives a method: its place in `paths`.
        self._unary = list(methods.unary.values())
        self._watch = dict(enumerate(methods.watch.values(), start=len(self._unary)))
        self._executor = executor
        self._answering = Lock()
        self._refusing = False
        # Deferred calls that are not yet begun, by id, and the number of those not yet done.
        self._waiting: set[int] = set()
        self._deferred = 0
        self._done = Condition()
        self._thread = Thread(target=self._serve, name=f"grpc {address}", daemon=True)

    def start(self) -> None:
        self._front.start()
        self._thread.start()

    def refuse(self) -> None:
        self._refusing = True

    def close(self, deadline: float) -> None:
        with self._done:
            self._done.wait_for(lambda: not self._deferred, max(0.0, deadline - monotonic()))
        if self._answering.acquire(timeout=max(0.0, deadline - monotonic())):
            self._answering.release()
        self._front.close()
        if self._thread.ident is not None:
            self._thread.join()

    def _serve(self) -> None:
        receive, answer = self._front.recv_batch_details, self._answer
        while (events := receive(_BATCH)) is not None:
            with self._answering:
                for kind, call, method, payload, _, details in events:
                    # Of the types only a call has payload and details.
                    if kind == EVENT_CALL and payload is not None and details is not None:
                        answer(call, method, payload, details[2])
                    else:
                        # The client has gone: work that still waits for a thread is called off.
                        self._waiting.discard(call)

    def _answer(self, call: int, method: int, payload: bytes, remaining: float | None) -> None:
        try:
            if self._refusing:
                raise ServingError(Code.UNAVAILABLE, "Server is shutting down")
            if method in self._watch:
                # Without a wait: a client that does not read must not hold up the others.
                self._front.stream_try_send(call, self._watch[method](payload))
                return
            reply = self._unary[method](payload, None if remaining is None else monotonic() + remaining)
            if isinstance(reply, bytes):
                self._front.respond(call, reply)
            else:
                self._defer(call, reply)
        except Exception as error:
            self._fail(call, error)

    def _defer(self, call: int, work: Callable[[], bytes]) -> None:
        self._waiting.add(call)
        with self._done:
            self._deferred += 1
        self._executor.submit(self._answer_deferred, call, work)

    def _answer_deferred(self, call: int, work: Callable[[], bytes]) -> None:
        try:
            if call in self._waiting:
                self._waiting.discard(call)
                self._front.respond(call, work())
        except Exception as error:
            self._fail(call, error)
        finally:
            with self._done:
                self._deferred -= 1
                self._done.notify_all()

    def _fail(self, call: int, error: Exception) -> None:
        if isinstance(error, ServingError):
            self._front.fail(call, error.code, grpc_message(error.message))
        else:
            _log.error("A gRPC call failed unexpectedly", exc_info=error)
            self._front.fail(call, Code.INTERNAL, "Unexpected error, see the log of the server")
