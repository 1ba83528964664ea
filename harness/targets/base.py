"""What a target is: something that gives a scenario a running server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from harness.repository import Repository
from harness.scenario import Capability, Scenario
from harness.startup import StartUp


class Unsupported(Exception):  # noqa: N818 - a reason to skip, not a fault
    """The target cannot play this scenario; the text is a sentence for users."""


class StartError(Exception):
    """The server did not start; the text has its command, what happened, and the end of its log."""


class UsageError(Exception):
    """The target string makes no sense; the text says what would."""


class Addresses(NamedTuple):
    """Where a server listens, as ``host:port``; None where it does not."""

    rest: str | None
    grpc: str | None


class Server(Protocol):
    """A server that runs for one scenario; ``repository`` is None where the model folder is out of reach."""

    @property
    def addresses(self) -> Addresses:
        """Where it listens."""
        ...

    @property
    def repository(self) -> Repository | None:
        """The model folder."""
        ...

    @property
    def models_root(self) -> str:
        """The model folder as the server sees it."""
        ...

    def logs(self) -> str:
        """The end of the server's log, for failure texts; empty where it is out of reach."""
        ...

    def stop(self) -> None:
        """Stop the server and delete what was made for it. May be called twice."""
        ...


class Launched(Protocol):
    """A server that was started with a command line of its own: it may be starting, serving or gone."""

    @property
    def addresses(self) -> Addresses:
        """Where the ports ``$REST`` and ``$GRPC`` are, whether or not somebody listens."""
        ...

    @property
    def repository(self) -> Repository:
        """The model folder."""
        ...

    def fill(self, text: str) -> str:
        """``text`` with the words of :mod:`harness.startup` replaced."""
        ...

    def exit_status(self, patience: float = 0) -> int | None:
        """How it ended, within ``patience`` seconds; None if it runs. -N is the end by signal N."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal."""
        ...

    def stdout(self) -> str:
        """All that it wrote to standard output so far; a server may hold it back until it ends."""
        ...

    def stderr(self) -> str:
        """All that it wrote to standard error so far: its log."""
        ...

    def logs(self) -> str:
        """The end of both, for failure texts."""
        ...

    def stop(self) -> None:
        """Stop it and delete what was made for it. May be called twice."""
        ...


class Target(Protocol):
    """A way to get a server."""

    @property
    def spec(self) -> str:
        """The target string."""
        ...

    @property
    def kind(self) -> str:
        """The first word of the target string."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do."""
        ...

    def start(self, scenario: Scenario) -> Server:
        """A server with the scenario's models and flags, ready for requests.

        Raises Unsupported, StartError.
        """
        ...

    def launch(self, start_up: StartUp) -> Launched:
        """Start a server with the models, files and arguments of ``start_up``, whatever becomes of it.

        Raises Unsupported.
        """
        ...

    def describe(self) -> Mapping[str, Any]:
        """What the record's header says about the target: label, server and its version."""
        ...


def require(target: Target, needs: frozenset[Capability]) -> None:
    """Raise Unsupported, with the reason, where ``target`` lacks something."""
    for capability in sorted(needs - target.capabilities):
        raise Unsupported(f"target {target.spec} cannot {capability}")
