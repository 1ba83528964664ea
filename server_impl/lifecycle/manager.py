"""The manager: brings what is loaded in line with what is aspired, one action a round."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from server_impl.errors import Code, ServingError
from server_impl.lifecycle.managed import LoaderFactory, ManagedVersion
from server_impl.lifecycle.monitor import EventBus
from server_impl.lifecycle.pace import INITIAL_ROUND_S, ROUND_S, FirstLoads
from server_impl.lifecycle.retry import RetryPolicy, Sleep
from server_impl.lifecycle.snapshot import Serving
from server_impl.lifecycle.states import Event, Phase, ServableId, State
from server_impl.lifecycle.threads import STOP_TIMEOUT_S, Periodic, Pool
from server_impl.lifecycle.transitions import Kind, aspire, is_spent, must_postpone, next_action

logger = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")

#: Aspired versions of a model and where they lie, in the order in which the policy names them. A number
#: that comes twice is an error of whoever filled the folder, and is reported when it is taken over.
AspiredVersions = Collection[tuple[int, str]]


class Manager(Generic[S]):
    """Loads and unloads versions until what serves is what is aspired.

    ``round()`` does all the work and runs every 100 ms once ``start()`` was called. Without load
    threads a load happens within the round, sleeps between attempts included, so that nothing else is
    loaded or unloaded meanwhile [3.7.3]; unloads likewise. ``stop`` ends every wait; ``sleep`` waits
    between attempts (tests pass their own clock).
    """

    def __init__(
        self,
        loader_factory: LoaderFactory[S],
        serving: Serving[S],
        bus: EventBus,
        *,
        retry: RetryPolicy,
        num_load_threads: int = 0,
        num_unload_threads: int = 0,
        stop: threading.Event | None = None,
        sleep: Sleep | None = None,
    ) -> None:
        self._loader_factory = loader_factory
        self._serving = serving
        self._bus = bus
        self._retry = retry
        self._stop = stop or threading.Event()
        self._sleep = sleep or self._stop.wait
        # Guards _models and the serving map. It is held while requests drain from the old map, and
        # while resources are estimated with all their attempts: both hold up everything else [3.9.3].
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, ManagedVersion[S]]] = {}
        self._requests_lock = threading.Lock()
        self._requests: dict[str, AspiredVersions] = {}
        self._load_pool_lock = threading.Lock()
        self._load_pool = Pool("load", num_load_threads)
        self._unload_pool = Pool("unload", num_unload_threads)
        self._rounds: Periodic | None = None
        self._first_loads: FirstLoads | None = None

    def start(self) -> None:
        """Begin the rounds."""
        self._rounds = Periodic("manage-state", self.round, ROUND_S)

    def aspire(self, name: str, versions: AspiredVersions) -> None:
        """Ask for exactly ``versions`` of model ``name``; replaces a request not yet looked at."""
        with self._requests_lock:
            self._requests[name] = versions

    @contextmanager
    def initial_load(self, num_load_threads: int) -> Iterator[None]:
        """For the length of a ``with`` block, load with many threads and begin loads in quick succession.

        The end of the block waits until all loads that have begun are done, and nothing else begins
        before that [3.4.1].
        """
        usual = self._load_pool.size
        self._first_loads = FirstLoads()
        self._change_pace(num_load_threads, INITIAL_ROUND_S)
        try:
            yield
        finally:
            self._change_pace(usual, ROUND_S)
            self._first_loads = None

    def _change_pace(self, num_load_threads: int, round_s: float) -> None:
        with self._load_pool_lock:
            self._load_pool.finish(self._stop)
            self._load_pool = Pool("load", num_load_threads)
        if self._rounds is not None:
            self._rounds.change_interval(round_s)

    def round(self) -> None:
        """Forget what is over, look at the requests, and take one action."""
        self._forget_spent()
        self._handle_requests()
        self._act()

    def stop(self) -> None:
        """End the rounds and unload everything that no request uses."""
        self._stop.set()
        if self._rounds is not None:
            self._rounds.stop()
        self._load_pool.finish(self._stop)
        self._unload_pool.finish(self._stop)
        self._unload_all()

    # Rounds

    def _forget_spent(self) -> None:
        with self._lock:
            for name in list(self._models):
                kept = {number: v for number, v in self._models[name].items() if not is_spent(v)}
                if kept:
                    self._models[name] = kept
                else:
                    del self._models[name]

    def _handle_requests(self) -> None:
        with self._requests_lock, self._lock:
            for name in sorted(self._requests):
                wanted = self._requests[name]
                numbers = {number for number, _ in wanted}
                managed = self._models.get(name, {})
                if must_postpone(managed.values(), numbers):
                    continue
                del self._requests[name]
                change = aspire(managed.values(), numbers)
                for number in change.dropped:
                    managed[number].aspired = False
                for number, path in wanted:
                    if number in change.added:
                        self._manage(ServableId(name, number), path)

    def _manage(self, id_: ServableId, path: str) -> None:
        managed = self._models.setdefault(id_.name, {})
        if id_.version in managed:
            logger.error(
                "Internal error: Unable to transfer servable %s to 'basic_manager_': "
                "This servable is already being managed: %s",
                id_,
                id_,
            )
            return
        managed[id_.version] = ManagedVersion(id_, self._loader_factory(*id_, path))
        self._bus.publish(Event(id_, State.START))

    def _act(self) -> None:
        with self._lock:
            # The model that was taken over last comes first, as in TensorFlow Serving, where the order
            # of a hash table makes it so for a handful of models and promises nothing [3.6.5].
            first = self._first_loads
            action = next_action(
                {
                    name: self._models[name].values()
                    for name in reversed(self._models)
                    if first is None or first.may_begin(name)
                }
            )
            if action is None:
                return
            if first is not None:
                first.begins(action.id.name)
            version = self._models[action.id.name][action.id.version]
            load = action.kind is Kind.LOAD
            version.enter(Phase.LOAD_REQUESTED if load else Phase.UNLOAD_REQUESTED)
        if load:
            with self._load_pool_lock:
                self._load_pool.run(lambda: self._load(version))
        else:
            self._unload_pool.run(lambda: self._unload(version))

    # Loading and unloading, in a round or on a thread of a pool

    def _load(self, version: ManagedVersion[S]) -> None:
        try:
            self._reserve(version)
            self._bus.publish(Event(version.id, State.LOADING))
            version.enter(Phase.LOADING)
            logger.info("Loading servable version %s", version.id)
            try:
                version.servable = self._attempt(
                    f"Loading servable: {version.id}", version, version.loader.load
                )
            except ServingError as error:
                self._fail(version, error)
                raise
            if not version.aspired:
                version.unload()
                cancelled = ServingError(Code.CANCELLED, "Loading of servable cancelled")
                self._bus.publish(Event(version.id, State.END, cancelled))
                raise cancelled
            version.enter(Phase.READY)
            logger.info("Successfully loaded servable version %s", version.id)
        except ServingError as error:
            logger.error("Servable %s cannot be loaded: %s", version.id, error)
            return
        with self._lock:
            drained = self._publish_map()
        if drained:
            self._bus.publish(Event(version.id, State.AVAILABLE))

    def _reserve(self, version: ManagedVersion[S]) -> None:
        with self._lock:
            description = f"Reserving resources for servable: {version.id}"
            try:
                self._attempt(description, version, version.loader.estimate)
            except ServingError as error:
                refused = ServingError(
                    error.code,
                    "Error while attempting to reserve resources to load servable "
                    f"{version.id}: {error.message}",
                )
                logger.warning("%s", refused)
                self._fail(version, refused)
                raise refused from None
            logger.info("Successfully reserved resources to load servable %s", version.id)
            version.enter(Phase.LOAD_APPROVED)
            logger.info("Approving load for servable version %s", version.id)

    def _attempt(self, description: str, version: ManagedVersion[S], work: Callable[[], T]) -> T:
        def checked() -> T:
            try:
                return work()
            except ServingError:
                raise
            except Exception as error:
                logger.exception("%s failed unexpectedly", description)
                raise ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}") from error

        return self._retry.run(description, checked, lambda: version.aspired, self._sleep)

    def _fail(self, version: ManagedVersion[S], error: ServingError) -> None:
        version.enter(Phase.ERROR)
        self._bus.publish(Event(version.id, State.END, error))
        logger.info("Encountered an error for servable version %s: %s", version.id, error)

    def _unload(self, version: ManagedVersion[S]) -> None:
        with self._lock:
            version.quiesce()
            self._bus.publish(Event(version.id, State.UNLOADING))
            drained = self._publish_map()
        if drained:
            version.unload()
            self._bus.publish(Event(version.id, State.END))

    def _unload_all(self) -> None:
        logger.info("Unload all remaining servables in the manager.")
        deadline = time.monotonic() + STOP_TIMEOUT_S
        with self._lock:
            if not self._serving.publish((), lambda: time.monotonic() > deadline):
                logger.warning("Requests are still running; their servables are not unloaded.")
                return
            for managed in self._models.values():
                for version in managed.values():
                    if version.phase is Phase.READY:
                        version.enter(Phase.UNLOAD_REQUESTED)
                    if version.phase is Phase.UNLOAD_REQUESTED:
                        version.quiesce()
                    if version.phase is Phase.QUIESCING:
                        version.unload()

    def _publish_map(self) -> bool:
        ready = [
            (v.id, v.servable)
            for managed in self._models.values()
            for v in managed.values()
            if v.phase is Phase.READY and v.servable is not None
        ]
        return self._serving.publish(ready, self._stop.is_set)
