"""Target ``url:http://host:8501,host:8500[,OPTION=VALUE ...]``: a server that someone else runs.

Only what it already serves can be tested, unless ``models=HERE=THERE`` names the folder that it watches, as
seen from here and as the server sees it: then scenarios lay out their models there, configure the server over
gRPC, and edit the folder. For a server behind TLS the addresses are ``https://host:port`` and
``grpcs://host:port``.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from harness import model_config
from harness.client import (
    BadReply,
    Client,
    GrpcClient,
    Observer,
    Refusal,
    RestClient,
    Tls,
    Unreachable,
    VersionStatus,
)
from harness.repository import Repository
from harness.scenario import Scenario
from harness.startup import StartUp
from harness.targets.base import Addresses, Past, Say, StartError, Unsupported, UsageError, listens
from harness.terms import Capability, Code, Protocol, State

#: Seconds that the server gets to answer a request about itself.
_TIMEOUT = 10.0
#: Seconds that the server gets to serve the models of a scenario that were put into its folder.
_RELOAD_TIMEOUT = 120.0
#: Seconds between two looks at a server that is letting go of its models.
_LOOK = 0.05
_NO_MODELS = model_config.parsed("model_config_list {}")

_USAGE = (
    "give url:http://host:8501,host:8500 (https:// and grpcs:// for TLS; one of the two is enough), then "
    "models=HERE=THERE, headers=FILE, ca=FILE, name=HOST, key=FILE, certificate=FILE where needed"
)
_OPTIONS = ("models", "headers", "ca", "name", "key", "certificate")


class Folder(NamedTuple):
    """The folder that the server watches: as seen from here, and as the server sees it."""

    here: Path
    there: str


class Way(NamedTuple):
    """How to talk to the server: addresses, TLS by protocol, and headers that go with every request."""

    addresses: Addresses
    tls: Mapping[Protocol, Tls]
    headers: tuple[tuple[str, str], ...]

    @property
    def plain(self) -> bool:
        """Whether the addresses alone are enough."""
        return not self.tls and not self.headers

    def client(self, protocol: Protocol, on_exchange: Observer | None, timeout: float) -> Client:
        """A client for one protocol."""
        address = self.addresses.of(protocol)
        assert address is not None, "whoever wants a client has looked for an address"
        made: type[RestClient] | type[GrpcClient] = RestClient if protocol is Protocol.REST else GrpcClient
        return made(
            address,
            on_exchange=on_exchange,
            timeout=timeout,
            tls=self.tls.get(protocol),
            headers=self.headers,
        )

    def configurer(self) -> GrpcClient:
        """A client that waits as long as a server may take to load models."""
        client = self.client(Protocol.GRPC, None, _RELOAD_TIMEOUT)
        assert isinstance(client, GrpcClient)
        return client


class UrlServer:
    """A running server whose log and command line are out of reach, and its folder too unless given."""

    def __init__(
        self,
        way: Way,
        repository: Repository | None = None,
        models_root: str = "",
        past: Past = MappingProxyType({}),
    ) -> None:
        self.addresses = way.addresses
        self.past = past
        self.repository = repository
        self.models_root = models_root
        self._way = way

    def client(self, protocol: Protocol, on_exchange: Observer, timeout: float) -> Client:
        """A client of the server."""
        return self._way.client(protocol, on_exchange, timeout)

    def listens(self, protocol: Protocol) -> bool:
        """Tell whether the server accepts connections for ``protocol``."""
        return listens(self.addresses.of(protocol))

    def configure(self, text: str | None) -> None:
        """Not possible, and not asked for: the target has no such capability."""
        raise NotImplementedError

    def stderr(self) -> str:
        """Not possible, and not asked for: the target has no such capability."""
        raise NotImplementedError

    def logs(self) -> str:
        """Nothing: the log is elsewhere."""
        return ""

    def stop(self) -> None:
        """Take back what was put into the server's folder; whoever started the server stops it."""
        if self.repository is not None:
            with contextlib.suppress(Refusal), contextlib.closing(self._way.configurer()) as client:
                client.reload(_NO_MODELS)  # else the server would look for them for ever
            shutil.rmtree(self.repository.root, ignore_errors=True)


class UrlTarget:
    """A server at known addresses."""

    kind = "url"

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.way, self.folder = _parse(spec)
        able = {Capability.WATCH}
        if self.way.plain:
            able |= {Capability.CONNECT, Capability.LOAD}
        if self.folder is not None:
            able |= {Capability.REPOSITORY, Capability.RELOAD}
        self.capabilities = frozenset(able)

    def prepare(self, say: Say) -> None:  # noqa: ARG002 - the interface of targets
        """Look whether somebody is there. Raises StartError."""
        for address in filter(None, self.way.addresses):
            if not listens(address):
                raise StartError(f"target {self.spec}: nobody answers at {address}")

    def start(self, scenario: Scenario) -> UrlServer:
        """Make the server serve the scenario's models, or look whether it does.

        Raises Unsupported, StartError.
        """
        if self.folder is not None:
            return self._lay_out(scenario, self.folder)
        with contextlib.closing(self._reader()) as reader:
            try:
                missing = _missing(reader, scenario)
            except (Refusal, BadReply, Unreachable) as error:
                self._expect_somebody(error)
                raise Unsupported(
                    f"target {self.spec} does not serve what {scenario.id} needs: {error}"
                ) from error
        if missing:
            raise Unsupported(f"target {self.spec} does not serve {missing}")
        return UrlServer(self.way)

    def launch(self, start_up: StartUp) -> NoReturn:  # noqa: ARG002 - the interface of targets
        """Raises Unsupported: nothing can be started here."""
        raise Unsupported(f"target {self.spec} cannot {Capability.LAUNCH}")

    def describe(self) -> Mapping[str, Any]:
        """The addresses; a server does not tell its version."""
        # Folders and files are of no interest to who reads the report.
        label = ",".join(part for part in self.spec.split(",") if "=" not in part)
        return {"label": label, "server": None, **self.way.addresses._asdict()}

    def _lay_out(self, scenario: Scenario, folder: Folder) -> UrlServer:
        """Put the models into a folder of their own below the server's, and configure the server for them."""
        past = self._emptied(scenario)
        name = f"tfserving-harness-{time.time_ns():x}"
        root = folder.here / name
        try:
            root.mkdir(parents=True)
        except OSError as error:
            raise StartError(
                f"target {self.spec}: {folder.here} cannot be written: {error.strerror}"
            ) from error
        repository = Repository(root, scenario.configured())
        server = UrlServer(self.way, repository, f"{folder.there.rstrip('/')}/{name}", past)
        try:
            for model in scenario.models:
                repository.base(model.name).mkdir(parents=True, exist_ok=True)
                repository.lay_out(model)
            for action in scenario.before:
                repository.apply(action)
            self._reload(scenario, server.models_root)
        except BaseException:
            server.stop()
            raise
        return server

    def _emptied(self, scenario: Scenario) -> Past:
        """Have the server let go of all its models, and tell what it remembers of those of the scenario.

        A version that is served stays as it is, wherever a new configuration looks for it [2.5.4].
        """
        if self.way.addresses.grpc is None:
            raise Unsupported(f"target {self.spec} has no grpc address, over which it would be configured")
        past: dict[str, frozenset[int]] = {}
        deadline = time.monotonic() + _RELOAD_TIMEOUT
        with contextlib.closing(self.way.configurer()) as client:
            try:
                client.reload(_NO_MODELS)
            except Refusal as refusal:
                self._expect_somebody(refusal)
                raise StartError(f"target {self.spec} does not let go of its models: {refusal}") from refusal
            for name in scenario.configured():
                left = _status(client, name)
                while any(entry.state is not State.END for entry in left):
                    if time.monotonic() > deadline:
                        raise StartError(f"target {self.spec} does not let go of model {name}")
                    time.sleep(_LOOK)
                    left = _status(client, name)
                past[name] = frozenset(entry.version for entry in left)
        return past

    def _reload(self, scenario: Scenario, root: str) -> None:
        with contextlib.closing(self.way.configurer()) as client:
            try:
                client.reload(model_config.message(scenario.models, root))
            except Refusal as refusal:
                self._expect_somebody(refusal)
                raise StartError(
                    f"target {self.spec} does not take the models of {scenario.id} at {root}: {refusal}"
                ) from refusal

    def _reader(self) -> Client:
        protocol = Protocol.REST if self.way.addresses.grpc is None else Protocol.GRPC
        return self.way.client(protocol, None, _TIMEOUT)

    def _expect_somebody(self, error: Exception) -> None:
        """Raise StartError where the failure of a request means that there is no server."""
        gone = isinstance(error, Unreachable) or (
            isinstance(error, Refusal) and error.code is Code.UNAVAILABLE
        )
        if gone:
            raise StartError(f"target {self.spec}: nobody answers: {error}") from error


def _status(client: Client, model: str) -> tuple[VersionStatus, ...]:
    """What the server lists of a model, which it may never have heard of."""
    try:
        return client.status(model)
    except Refusal as refusal:
        if refusal.code is not Code.NOT_FOUND:
            raise
        return ()


def _missing(reader: Client, scenario: Scenario) -> str | None:
    """The first version of the scenario's models that is not served."""
    for model in scenario.models:
        status = {entry.version: entry.state for entry in reader.status(model.name)}
        for version in model.served():
            if status.get(version) is not State.AVAILABLE:
                return f"version {version} of model {model.name}"
    return None


def _parse(spec: str) -> tuple[Way, Folder | None]:
    """What the target string says. Raises UsageError."""
    parts = spec.removeprefix("url:").split(",")
    addresses = [part for part in parts if part.partition("=")[0] not in _OPTIONS]
    options = dict(part.split("=", 1) for part in parts if part not in addresses)
    found: dict[str, str] = {}
    secure: set[Protocol] = set()
    for part in addresses:
        scheme, separator, rest = part.rpartition("://")
        address = rest.rstrip("/")
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or (separator and scheme not in ("http", "https", "grpcs")):
            raise UsageError(f"target {spec!r}: {part!r} is not an address; {_USAGE}")
        protocol = Protocol.REST if scheme.startswith("http") else Protocol.GRPC
        found[protocol] = address
        if scheme in ("https", "grpcs"):
            secure.add(protocol)
    if not found:
        raise UsageError(f"target {spec!r}: no address; {_USAGE}")
    folder = None
    if "models" in options:
        here, separator, there = options["models"].partition("=")
        if not here or not there:
            raise UsageError(f"target {spec!r}: models={options['models']!r} is not HERE=THERE; {_USAGE}")
        folder = Folder(Path(here), there)
    certificate = [_text(spec, options, name) for name in ("ca", "key", "certificate")]
    tls = Tls(certificate[0], options.get("name"), certificate[1], certificate[2])
    headers = _headers(_text(spec, options, "headers") or "", spec)
    way = Way(
        Addresses(found.get(Protocol.REST), found.get(Protocol.GRPC)), dict.fromkeys(secure, tls), headers
    )
    return way, folder


def _text(spec: str, options: Mapping[str, str], name: str) -> str | None:
    """The content of the file that an option names: secrets stand in no command line and no record."""
    if name not in options:
        return None
    try:
        return Path(options[name]).read_text()
    except OSError as error:
        raise UsageError(f"target {spec!r}: {name}={options[name]}: {error.strerror or error}") from error


def _headers(text: str, spec: str) -> tuple[tuple[str, str], ...]:
    """Headers, one ``Name: value`` a line."""
    pairs: Sequence[tuple[str, str, str]] = [
        line.partition(":") for line in text.splitlines() if line.strip()
    ]
    if not all(name and separator for name, separator, _ in pairs):
        raise UsageError(f"target {spec!r}: headers=FILE needs one 'Name: value' a line")
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)
