"""What a target is: something that gives a scenario a running server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from typing import Protocol as Interface

from harness.client import Client, GrpcClient, Observer, RestClient
from harness.repository import Repository
from harness.scenario import Scenario
from harness.startup import StartUp
from harness.terms import Capability, Protocol

#: Is told, in words, why nothing moves.
Say = Callable[[str], None]

#: Versions, by model, that ended before a scenario began, and that the server still lists [3.5.2].
Past = Mapping[str, frozenset[int]]

#: Seconds after which whoever accepts connections for somebody else has noticed that nobody is there.
_HANGS_UP = 0.05


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

    def of(self, protocol: Protocol) -> str | None:
        """The address of one protocol."""
        return self.rest if protocol is Protocol.REST else self.grpc


class Server(Interface):
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

    @property
    def past(self) -> Past:
        """What it remembers of models that it served before the scenario."""
        ...

    def client(self, protocol: Protocol, on_exchange: Observer, timeout: float) -> Client:
        """A client of the server, which has an address for ``protocol``."""
        ...

    def listens(self, protocol: Protocol) -> bool:
        """Tell whether the server accepts connections for ``protocol``."""
        ...

    def configure(self, text: str | None) -> None:
        """Put another text into the configuration file at once, or remove the file [CONFIGURE]."""
        ...

    def stderr(self) -> str:
        """All of the server's log so far [LOG]."""
        ...

    def logs(self) -> str:
        """The end of the server's log, for failure texts; empty where it is out of reach."""
        ...

    def stop(self) -> None:
        """Stop the server and delete what was made for it. May be called twice."""
        ...


class Launched(Interface):
    """A server that was started with a command line of its own: it may be starting, serving or gone."""

    @property
    def addresses(self) -> Addresses:
        """Where the ports ``$REST`` and ``$GRPC`` are, whether or not somebody listens."""
        ...

    @property
    def repository(self) -> Repository:
        """The model folder."""
        ...

    def listens(self, protocol: Protocol) -> bool:
        """Tell whether the server accepts connections for ``protocol``."""
        ...

    def fill(self, text: str) -> str:
        """``text`` with the words of :mod:`harness.startup` replaced, folders as the server sees them."""
        ...

    def here(self, text: str) -> str:
        """The same, folders as they are seen from here."""
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


class Target(Interface):
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

    def prepare(self, say: Say) -> None:
        """Fetch what the first start needs. Raises StartError where no start can succeed."""
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


def connect(addresses: Addresses, protocol: Protocol, on_exchange: Observer, timeout: float) -> Client:
    """A client of the server at an address that needs neither TLS nor headers."""
    address = addresses.of(protocol)
    assert address is not None, "whoever wants a client has looked for an address"
    made: type[RestClient] | type[GrpcClient] = RestClient if protocol is Protocol.REST else GrpcClient
    return made(address, on_exchange=on_exchange, timeout=timeout)


def listens(address: str | None, *, relayed: bool = False) -> bool:
    """Tell whether somebody accepts connections at ``host:port``.

    ``relayed``: a container's engine accepts them in any case, and hangs up where the server does not.
    """
    if address is None:
        return False
    host, _, port = address.rpartition(":")
    try:
        probe = socket.create_connection((host, int(port)), 1)
    except OSError:
        return False
    with probe:
        if not relayed:
            return True
        probe.settimeout(_HANGS_UP)
        try:
            return bool(probe.recv(1))
        except TimeoutError:
            return True  # it waits for a request
        except OSError:
            return False
