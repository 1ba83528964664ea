"""What has become of each version: the last state of everything that was ever managed, and waits on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from server_impl.errors import Code, ServingError
from server_impl.lifecycle.states import Event, ServableId, State
from server_impl.lifecycle.threads import STOP_CHECK_S

Subscriber = Callable[[Event], None]

_DECIDED = frozenset({State.AVAILABLE, State.END})


class VersionStatus(NamedTuple):
    """Last known state of one version; ``error`` is set only in an END that failed."""

    version: int
    state: State
    error: ServingError | None


#: The version that decided for each model that was waited for, as it stood when the last one was
#: decided; in order of id.
Decisions = Mapping[ServableId, VersionStatus]


class EventBus:
    """Hands each event to all subscribers, one event at a time and in the same order to everyone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: list[Subscriber] = []

    def publish(self, event: Event) -> None:
        """Tell all subscribers, on the thread of the caller."""
        with self._lock:
            for subscriber in self._subscribers:
                subscriber(event)

    @contextmanager
    def subscription(self, subscriber: Subscriber) -> Iterator[None]:
        """Subscribe for the duration of a ``with`` block."""
        self.subscribe(subscriber)
        try:
            yield
        finally:
            with self._lock:
                self._subscribers.remove(subscriber)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Subscribe for good."""
        with self._lock:
            self._subscribers.append(subscriber)


class Monitor:
    """Remembers the last state of every version from the events it is given; END entries stay [3.5.1]."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[str, dict[int, VersionStatus]] = {}
        self._waiters: list[_Waiter] = []

    def handle(self, event: Event) -> None:
        """Take note of ``event``, and wake whoever waited for it."""
        (name, version), state, error = event
        if error is not None:
            # A fresh one: this is kept for ever, and must not keep the frames of the load that failed.
            error = ServingError(error.code, error.message)
        with self._lock:
            self._versions.setdefault(name, {})[version] = VersionStatus(version, state, error)
            self._waiters = [w for w in self._waiters if not w.decide(self._versions)]

    def versions(self, name: str) -> list[VersionStatus]:
        """All versions of a model that were ever managed, highest first [3.5.3]; empty if unknown."""
        with self._lock:
            known = self._versions.get(name, {})
            return [known[version] for version in sorted(known, reverse=True)]

    def is_available(self, name: str, version: int) -> bool:
        """Whether that version is AVAILABLE now."""
        with self._lock:
            status = self._versions.get(name, {}).get(version)
            return status is not None and status.state is State.AVAILABLE

    def wait_until_decided(self, names: Iterable[str], stop: threading.Event) -> Decisions:
        """Wait until each model has a version that is AVAILABLE or END; the highest such one decides [3.4.2].

        Raises CANCELLED if ``stop`` is set first.
        """
        waiter = _Waiter(frozenset(names))
        with self._lock:
            if not waiter.decide(self._versions):
                self._waiters.append(waiter)
        while not waiter.done.wait(STOP_CHECK_S):
            if stop.is_set():
                raise ServingError(Code.CANCELLED, "The server is shutting down.")
        return waiter.decisions


class _Waiter:
    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.done = threading.Event()
        self.decisions: Decisions = {}

    def decide(self, versions: Mapping[str, Mapping[int, VersionStatus]]) -> bool:
        """Whether all models are decided; what decided them is kept, later events change nothing."""
        decisions: dict[ServableId, VersionStatus] = {}
        for name in sorted(self.names):
            decided = [s for s in versions.get(name, {}).values() if s.state in _DECIDED]
            if not decided:
                return False
            highest = max(decided)
            decisions[ServableId(name, highest.version)] = highest
        self.decisions = decisions
        self.done.set()
        return True


def unavailable_error(decisions: Decisions, noun: str) -> ServingError | None:
    """The error that names every model that ended instead of becoming available, or None if none did.

    ``noun`` is ``servable`` for the first config and ``model`` for later ones [2.5.5, 3.4.4].
    """
    failed = {id_: status for id_, status in decisions.items() if status.state is not State.AVAILABLE}
    if not failed:
        return None
    reasons = "".join(
        f"{{{id_}{f' due to error: {status.error}' if status.error else ''}}}, "
        for id_, status in failed.items()
    )
    return ServingError(Code.UNKNOWN, f"{len(failed)} {noun}(s) did not become available: {{{reasons}}}")
