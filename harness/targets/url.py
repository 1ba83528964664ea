"""A target that someone else runs: only what it already serves can be tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from harness import client
from harness.scenario import Capability, Code, Scenario, State
from harness.startup import StartUp
from harness.targets.base import Addresses, StartError, Unsupported, UsageError

_USAGE = "give url:http://host:8501,host:8500 (REST first with http://, then gRPC; one of them is enough)"


class UrlServer:
    """A running server whose folder, configuration and log are out of reach."""

    repository = None
    models_root = ""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses

    def logs(self) -> str:
        """Nothing: the log is elsewhere."""
        return ""

    def stop(self) -> None:
        """Nothing: whoever started the server stops it."""


class UrlTarget:
    """A server at known addresses. Plays scenarios whose models it serves, up to their first action."""

    kind = "url"
    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.addresses = _parse(spec)

    def start(self, scenario: Scenario) -> UrlServer:
        """Look whether the scenario's models are there. Raises Unsupported, StartError."""
        reader = self._client()
        try:
            for model in scenario.models:
                status = {entry.version: entry.state for entry in reader.status(model.name)}
                for version in model.served():
                    if status.get(version) is not State.AVAILABLE:
                        raise Unsupported(
                            f"target {self.spec} does not serve version {version} of model {model.name}"
                        )
        except client.Unreachable as error:
            raise StartError(f"target {self.spec}: nobody answers: {error}") from error
        except (client.Refusal, client.BadReply) as error:
            if isinstance(error, client.Refusal) and error.code is Code.UNAVAILABLE:
                raise StartError(f"target {self.spec}: nobody answers: {error}") from error
            raise Unsupported(
                f"target {self.spec} does not serve what {scenario.id} needs: {error}"
            ) from error
        finally:
            reader.close()
        return UrlServer(self.addresses)

    def launch(self, start_up: StartUp) -> NoReturn:  # noqa: ARG002 - the interface of targets
        """Raises Unsupported: nothing can be started here."""
        raise Unsupported(f"target {self.spec} cannot {Capability.LAUNCH}")

    def describe(self) -> Mapping[str, Any]:
        """The addresses; a server does not tell its version."""
        return {"label": self.spec, "server": None, **self.addresses._asdict()}

    def _client(self) -> client.Client:
        if self.addresses.grpc is not None:
            return client.GrpcClient(self.addresses.grpc, timeout=10)
        assert self.addresses.rest is not None
        return client.RestClient(self.addresses.rest, timeout=10)


def _parse(spec: str) -> Addresses:
    rest = grpc = None
    for part in spec.removeprefix("url:").split(","):
        address = part.removeprefix("http://").rstrip("/")
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise UsageError(f"target {spec!r}: {part!r} is not an address; {_USAGE}")
        if part.startswith("http://"):
            rest = address
        else:
            grpc = address
    return Addresses(rest, grpc)
