"""The states of a version: those that the status API shows, and the finer phases within the manager."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum, auto
from typing import NamedTuple

from server_impl.errors import ServingError


class ServableId(NamedTuple):
    """One version of one model."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.version}}}"


class State(IntEnum):
    """State of a version as the status API reports it, with the numbers of the wire [3.5.4]."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class Event(NamedTuple):
    """A version has entered ``state``; ``error`` tells why an END came about, None if nothing failed."""

    id: ServableId
    state: State
    error: ServingError | None = None


class Phase(Enum):
    """Where the manager stands with a version that it manages."""

    NEW = auto()
    LOAD_REQUESTED = auto()
    LOAD_APPROVED = auto()
    LOADING = auto()
    READY = auto()
    UNLOAD_REQUESTED = auto()
    QUIESCING = auto()
    QUIESCED = auto()
    UNLOADING = auto()
    DISABLED = auto()
    ERROR = auto()


#: The phases that may follow each phase. LOADING to UNLOADING is a load that was no longer wanted when
#: it succeeded [3.7.7]; LOAD_REQUESTED to ERROR a version whose resources could not be estimated [3.7.6].
NEXT_PHASES: Mapping[Phase, frozenset[Phase]] = {
    Phase.NEW: frozenset({Phase.LOAD_REQUESTED}),
    Phase.LOAD_REQUESTED: frozenset({Phase.LOAD_APPROVED, Phase.ERROR}),
    Phase.LOAD_APPROVED: frozenset({Phase.LOADING}),
    Phase.LOADING: frozenset({Phase.READY, Phase.UNLOADING, Phase.ERROR}),
    Phase.READY: frozenset({Phase.UNLOAD_REQUESTED}),
    Phase.UNLOAD_REQUESTED: frozenset({Phase.QUIESCING}),
    Phase.QUIESCING: frozenset({Phase.QUIESCED}),
    Phase.QUIESCED: frozenset({Phase.UNLOADING}),
    Phase.UNLOADING: frozenset({Phase.DISABLED}),
    Phase.DISABLED: frozenset(),
    Phase.ERROR: frozenset(),
}
