"""What the manager does next: pure decisions over the versions that it manages.

``Managed`` is anything with a version number, a phase and a mark whether it is aspired, that is, wanted
by the version policy. "Managed by model" maps each model to its managed versions; the models come in
the order in which they shall be considered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import Enum, auto
from typing import NamedTuple, Protocol

from server_impl.lifecycle.states import Phase, ServableId


class Managed(Protocol):
    """One managed version."""

    @property
    def version(self) -> int:
        """Version number."""

    @property
    def phase(self) -> Phase:
        """Where the manager stands with it."""

    @property
    def aspired(self) -> bool:
        """Whether the last processed request for its model wants it."""


class Kind(Enum):
    """Kinds of actions. Over all models, an unload comes before a load [3.2.3]."""

    UNLOAD = auto()
    LOAD = auto()


class Action(NamedTuple):
    """One thing to do with one version."""

    kind: Kind
    id: ServableId


class AspiredChange(NamedTuple):
    """What a request for aspired versions changes: ``dropped`` are aspired no longer, ``added`` are new."""

    dropped: frozenset[int]
    added: frozenset[int]


def is_spent(managed: Managed) -> bool:
    """Whether the manager can forget a version: nobody wants it, and it is not loaded."""
    return not managed.aspired and managed.phase in (Phase.NEW, Phase.DISABLED, Phase.ERROR)


def must_postpone(managed: Iterable[Managed], wanted: Collection[int]) -> bool:
    """Whether a request must wait because it wants back what is still being got rid of [3.7.5, 3.8.3].

    The whole request waits, and is looked at again in the next round.
    """
    return any(not m.aspired and m.version in wanted for m in managed)


def aspire(managed: Iterable[Managed], wanted: Iterable[int]) -> AspiredChange:
    """What a request that need not be postponed changes.

    A version that failed stays aspired and is not added again [3.7.5].
    """
    aspired = frozenset(m.version for m in managed if m.aspired)
    asked = frozenset(wanted)
    return AspiredChange(dropped=aspired - asked, added=asked - aspired)


def next_action(models: Mapping[str, Collection[Managed]]) -> Action | None:
    """The one action of this round: the first unload of any model, else the first load [3.2.3]."""
    actions = [action for name, managed in models.items() if (action := model_action(name, managed))]
    return min(actions, key=lambda action: action.kind is Kind.LOAD, default=None)


def model_action(name: str, managed: Iterable[Managed]) -> Action | None:
    """What the availability-preserving policy wants done for one model [3.6.1].

    A version that is not aspired is unloaded, the lowest first, if something aspired serves, nothing is
    aspired at all, or another version that is not aspired serves besides. Otherwise the highest new
    aspired version is loaded, if any.
    """
    managed = list(managed)
    aspired = [m for m in managed if m.aspired]
    surplus = [m.version for m in managed if not m.aspired and m.phase is Phase.READY]
    if surplus and (not aspired or len(surplus) > 1 or any(m.phase is Phase.READY for m in aspired)):
        return Action(Kind.UNLOAD, ServableId(name, min(surplus)))
    fresh = [m.version for m in aspired if m.phase is Phase.NEW]
    if fresh:
        return Action(Kind.LOAD, ServableId(name, max(fresh)))
    return None
