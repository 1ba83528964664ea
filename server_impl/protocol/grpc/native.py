"""The gRPC front on pygrpc-native: HTTP/2 in Rust, outside the GIL; whole calls reach Python in batches.

Serves everything but TLS. Methods that exist nowhere get UNIMPLEMENTED from the library itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Lock, Thread
from time import monotonic, sleep
from typing import Any

from pygrpc_native import EVENT_CALL, NativeGrpcFront

from server_impl.errors import Code, ServingError
from server_impl.protocol.grpc.front import FrontOptions, Methods, failure
from server_impl.protocol.reply import COHORT_LIMIT, Cohorts, Reply, Steps, Work


def _positive(value: int) -> int:
    return min(max(value, 1), 2**31 - 1)


#: gRPC's channel arguments [1.2 #30], what each is called here, and the value that is taken for one given.
_ARGUMENTS: Mapping[str, tuple[str, Callable[[int], int]]] = {
    "grpc.keepalive_permit_without_calls": ("keepalive_permit_without_calls", bool),
    "grpc.keepalive_time_ms": ("keepalive_time_ms", _positive),
    "grpc.keepalive_timeout_ms": ("keepalive_timeout_ms", _positive),
    "grpc.max_concurrent_streams": ("max_concurrent_streams", _positive),
    "grpc.so_reuseport": ("reuse_port", bool),
}
SUPPORTED_ARGUMENTS = frozenset(_ARGUMENTS)
#: What gRPC does unless told otherwise, and this library does not.
_DEFAULTS: Mapping[str, Any] = {"keepalive_permit_without_calls": False, "reuse_port": True}

#: Kind, call, method, payload, an argument of no use here, and details; a kind other than a call has less.
_Event = tuple[int, int, int, bytes | None, Any, tuple[Any, ...] | None]

# Closing the library cuts off even replies that it has taken but not sent, and it does not tell which.
_FLUSH_S = 0.05


class NativeFront:
    """A gRPC server on one or several addresses. See :class:`server_impl.protocol.grpc.front.GrpcFront`."""

    def __init__(self, methods: Methods, executor: ThreadPoolExecutor, options: FrontOptions) -> None:
        arguments = dict(_DEFAULTS)
        for argument, value in options.channel_arguments.items():
            # gRPC ignores a value that is no number where it wants one.
            if isinstance(value, int):
                name, taken = _ARGUMENTS[argument]
                arguments[name] = taken(value)
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
            listener.drain(deadline)
        if grace_s:
            sleep(_FLUSH_S)
        for listener in self._listeners:
            listener.close()


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
        self._cohorts = Cohorts()
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

    def drain(self, deadline: float) -> None:
        # Once the call that is just being answered is, no more work can be deferred.
        if self._answering.acquire(timeout=max(0.0, deadline - monotonic())):
            self._answering.release()
        with self._done:
            self._done.wait_for(lambda: not self._deferred, max(0.0, deadline - monotonic()))

    def close(self) -> None:
        self._front.close()
        if self._thread.ident is not None:
            self._thread.join()

    def _serve(self) -> None:
        receive = self._front.recv_batch_details
        while (events := receive(COHORT_LIMIT)) is not None:
            with self._answering:
                self._answer(events)

    def _answer(self, events: Sequence[_Event]) -> None:
        """Answer calls that came together, but for those that need a thread of their own."""
        outcomes: list[tuple[int, Work[bytes] | Exception]] = []
        steps: list[tuple[int, Steps[bytes]]] = []
        gone: list[int] = []
        for kind, call, method, payload, _, details in events:
            # Of the types only a call has payload and details.
            if kind != EVENT_CALL or payload is None or details is None:
                gone.append(call)
                continue
            try:
                reply = self._begin(call, method, payload, details[2])
            except Exception as error:
                outcomes.append((call, error))
                continue
            if isinstance(reply, bytes) or callable(reply):
                outcomes.append((call, reply))
            elif reply is not None:
                steps.append((call, reply))
        self._finish(outcomes)
        for outcomes in self._cohorts.outcomes(steps):
            self._finish(outcomes)
        # Their clients have gone: work that still waits for a thread is called off.
        self._waiting.difference_update(gone)

    def _finish(self, outcomes: Sequence[tuple[int, Work[bytes] | Exception]]) -> None:
        # All together: the first one wakes the thread that sends them, which costs more than the others.
        respond = self._front.respond
        for call, outcome in outcomes:
            try:
                if isinstance(outcome, bytes):
                    respond(call, outcome)
                elif isinstance(outcome, Exception):
                    self._fail(call, outcome)
                else:
                    self._defer(call, outcome)
            except Exception as error:  # the other calls must not suffer
                self._fail(call, error)

    def _begin(self, call: int, method: int, payload: bytes, remaining: float | None) -> Reply[bytes] | None:
        """What the method gives; None for a stream, which has been begun."""
        if self._refusing:
            raise ServingError(Code.UNAVAILABLE, "Server is shutting down")
        if method in self._watch:
            # Without a wait: a client that does not read must not hold up the others.
            self._front.stream_try_send(call, self._watch[method](payload))
            return None
        return self._unary[method](payload, None if remaining is None else monotonic() + remaining)

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
        code, message = failure(error)
        self._front.fail(call, code, message)
