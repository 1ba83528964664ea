"""What is served right now: an immutable map that requests read without a lock."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Generic, TypeVar

from msgspec import Struct

from server_impl.errors import not_found
from server_impl.lifecycle.labels import Labels, version_for_label
from server_impl.lifecycle.states import ServableId
from server_impl.lifecycle.threads import STOP_CHECK_S

S = TypeVar("S")


class ServingMap(Generic[S]):
    """The available versions at one moment: ``versions`` by id, and the ``latest`` of each model."""

    __slots__ = ("__weakref__", "latest", "versions")

    def __init__(self, servables: Iterable[tuple[ServableId, S]] = ()) -> None:
        self.versions: Mapping[ServableId, S] = dict(servables)
        self.latest: Mapping[str, S] = {id_.name: self.versions[id_] for id_ in sorted(self.versions)}


class Lease(Struct, Generic[S]):
    """The right to use ``servable`` until ``release()`` or the end of a ``with`` block.

    It holds the whole map that it came from, as in TensorFlow Serving: a version that is loaded or
    unloaded meanwhile changes its state only once the lease is given back [3.9.3]. A lease that is
    merely forgotten is given back when it is collected.
    """

    servable: S
    _map: ServingMap[S] | None

    def release(self) -> None:
        """Give the lease back; more than once does no harm."""
        self._map = None

    def __enter__(self) -> Lease[S]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._map = None


class Serving(Generic[S]):
    """The current map and labels. ``acquire`` is for any thread, the rest for one writer at a time."""

    __slots__ = ("_current", "labels")

    def __init__(self) -> None:
        self._current: ServingMap[S] = ServingMap()
        #: Labels of the current config, None before the first; replaced as a whole.
        self.labels: Labels | None = None

    def acquire(self, name: str, *, version: int | None = None, label: str | None = None) -> Lease[S]:
        """Lease one version, or the highest available one if neither ``version`` nor ``label`` is given.

        Raises NOT_FOUND ``Servable not found for request: ...`` [6.3], or what ``version_for_label`` does.
        """
        # Runs once a request, so nothing is locked or counted here: the reference to the map that the
        # lease holds is the count, and CPython keeps it.
        if label is not None:
            version = version_for_label(self.labels, name, label)
        current = self._current
        servable: S | None
        if version is None:
            servable = current.latest.get(name)
        else:
            # A plain tuple equals the ServableId and is cheaper to make.
            servable = current.versions.get((name, version))  # type: ignore[call-overload]
        if servable is None:
            del current  # the error keeps this frame alive, which must not keep the map
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise not_found(f"Servable not found for request: {wanted}")
        return Lease(servable, current)

    def publish(self, servables: Iterable[tuple[ServableId, S]], give_up: Callable[[], bool]) -> bool:
        """Replace the map, then wait until nobody holds the old one; False if ``give_up()`` came first.

        New requests see the new map at once. The caller must hold no lease.
        """
        # SimpleQueue.put may be called from a finalizer, wherever that happens to run.
        drained: SimpleQueue[None] = SimpleQueue()
        weakref.finalize(self._current, drained.put, None).atexit = False
        self._current = ServingMap(servables)
        while True:
            try:
                drained.get(timeout=STOP_CHECK_S)
            except Empty:
                if give_up():
                    return False
            else:
                return True
