"""One version under management: its loader, its phase, and what its load came to."""

from __future__ import annotations

import logging
from typing import Generic, Protocol, TypeVar

from server_impl.lifecycle.states import NEXT_PHASES, Phase, ServableId

logger = logging.getLogger(__name__)

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Loader(Protocol[S_co]):
    """Loads one version and gets rid of it again. Failures are raised as ServingError."""

    def estimate(self) -> None:
        """See whether there is anything to load; runs before the version is LOADING [3.7.6]."""

    def load(self) -> S_co:
        """Load the version, warm-up included. Called anew for each attempt [3.7.2]."""

    def unload(self) -> None:
        """Free what the last successful ``load`` made, which nobody uses any more."""


class LoaderFactory(Protocol[S_co]):
    """Makes the loader of one version; must not touch the disk."""

    def __call__(self, name: str, version: int, path: str, /) -> Loader[S_co]:
        """Loader of version ``version`` of model ``name``, which lies at ``path``."""


class ManagedVersion(Generic[S]):
    """One version under management.

    ``aspired`` goes from true to false once, in a round of the manager; a version that is wanted again
    after that is a new one. The rest is written by the one thread that works on the version.
    """

    def __init__(self, id_: ServableId, loader: Loader[S]) -> None:
        self.id = id_
        self.loader = loader
        self.phase = Phase.NEW
        self.aspired = True
        self.servable: S | None = None

    @property
    def version(self) -> int:
        """Version number."""
        return self.id.version

    def enter(self, phase: Phase) -> None:
        """Go on to ``phase``, which must be one that may follow."""
        assert phase in NEXT_PHASES[self.phase], f"{self.id}: {self.phase.name} -> {phase.name}"
        self.phase = phase

    def quiesce(self) -> None:
        """Leave the serving map, once the unload was requested."""
        self.enter(Phase.QUIESCING)
        logger.info("Quiescing servable version %s", self.id)

    def unload(self) -> None:
        """Free the servable, which nobody uses."""
        if self.phase is Phase.QUIESCING:
            self.enter(Phase.QUIESCED)
            logger.info("Done quiescing servable version %s", self.id)
        self.enter(Phase.UNLOADING)
        logger.info("Unloading just-loaded servable version %s", self.id)
        self.servable = None
        try:
            self.loader.unload()
        except Exception:
            # The number must stay usable: without this it could never be loaded again.
            logger.exception("Unloading servable %s failed unexpectedly", self.id)
        self.enter(Phase.DISABLED)
        logger.info("Done unloading servable version %s", self.id)
