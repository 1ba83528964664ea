"""Target ``docker[:image[:tag]][,cpus=N][,memory=SIZE]``: a container of tensorflow/serving or one like it.

The model folder and the files beside are mounted into the container, so steps edit them here and the server
sees the change there. The image's own entrypoint gives ports, model name and base path; what the scenario
asks for comes after these and wins [1.3.13].
"""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.models.containers import Container
from docker.models.images import Image

from harness.client import Client, Observer
from harness.scenario import Scenario
from harness.startup import StartUp
from harness.targets import layout
from harness.targets.base import (
    Addresses,
    Past,
    Say,
    StartError,
    Unsupported,
    UsageError,
    connect,
    listens,
)
from harness.targets.engine import Digest, Engine, digest, forgiving, present_engine, remove
from harness.targets.layout import Layout
from harness.terms import Capability, Protocol

DEFAULT_IMAGE = "tensorflow/serving"
#: The server within the image.
SERVER = "tensorflow_model_server"
#: Seconds from the start of the container until both ports are open.
START_DEADLINE = 120.0
#: Lines of the log that failure texts quote.
LOG_LINES = 60

#: Where the server sees the models and the files beside them.
#: No path of the REST API contains them, so that they can be told from one in texts.
_MODELS, _FILES = "/scenario/models", "/scenario/files"
#: The ports within the container, which the image's entrypoint names.
_GRPC, _REST = 8500, 8501
#: Words of start-ups that ask for a port which somebody else in the container holds.
_HELD = ("$TAKEN", "$SHARED")
#: Seconds between two looks at a container that is starting.
_LOOK = 0.05

_USAGE = "give docker, docker:IMAGE or docker:IMAGE:TAG, and ,cpus=2 or ,memory=4g after it"


class DockerTarget:
    """Containers of one image. ``limits`` are the engine's own options for CPU and memory."""

    kind = "docker"
    capabilities = frozenset(Capability)

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.name, self._limits = _parse(spec)
        self._engine: Engine | None = None
        self._image: Image | None = None

    def prepare(self, say: Say) -> None:
        """Find the engine and the image, which is pulled if it is not here. Raises StartError."""
        if self._image is None:
            try:
                self._engine = present_engine()
                self._image = self._engine.image(self.name, say)
            except StartError as error:
                raise StartError(f"target {self.spec}: {error}") from error

    def start(self, scenario: Scenario) -> DockerServer:
        """Lay out the repository, write the configuration, start and wait. Raises StartError."""
        engine, image = self._ready()
        return DockerServer(engine, image, self._limits, scenario)

    def launch(self, start_up: StartUp) -> LaunchedContainer:
        """Start the server within the image, without its entrypoint. Raises Unsupported, StartError."""
        if any(word in argument for word in _HELD for argument in start_up.arguments):
            raise Unsupported(f"target {self.spec} cannot hold a port within the container")
        engine, image = self._ready()
        room = Layout(
            {model.name: model for model in start_up.models}, start_up.models, seen=(_MODELS, _FILES)
        )
        # With an init process as the image's first one, signals do what they do to any process.
        options = {**self._limits, "entrypoint": SERVER, "init": True}
        return LaunchedContainer(engine, image, options, room, start_up.arguments, start_up.files)

    def describe(self) -> Mapping[str, Any]:
        """The image with its digest, and what the server in it says of itself."""
        engine, image = self._ready()
        name, _, version = engine.output(image, SERVER, ["--version"]).partition("\n")[0].partition(": ")
        return {
            "label": self.name,
            "server": {"name": name or None, "version": version or None},
            "image": Digest._asdict(digest(self.name, image)),
        }

    def _ready(self) -> tuple[Engine, Image]:
        self.prepare(lambda _: None)
        assert self._engine is not None
        assert self._image is not None
        return self._engine, self._image


class LaunchedContainer:
    """A container with a temporary folder of its own; it may be starting, serving or gone."""

    def __init__(
        self,
        engine: Engine,
        image: Image,
        options: Mapping[str, Any],
        room: Layout,
        arguments: tuple[str, ...] | list[str],
        files: Mapping[str, str],
    ) -> None:
        self._layout = room
        room.words |= {"$REST": _REST, "$GRPC": _GRPC}
        self.repository = room.repository
        self.models_root = room.models_root
        self.command = [*map(self.fill, arguments)]
        self._container: Container | None = None
        try:
            room.write(files)
            self._container = engine.run(
                image,
                self.command,
                {
                    "volumes": {
                        str(room.root): {"bind": _MODELS, "mode": "ro"},
                        str(room.beside): {"bind": _FILES, "mode": "rw"},
                    },
                    # Without a port the engine takes a free one.
                    "ports": {f"{port}/tcp": (engine.published_at, None) for port in (_REST, _GRPC)},
                    **options,
                },
            )
            self.addresses = self._published(engine.host)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int | None:
        """Id of the container's first process, where it runs on this machine."""
        pid: int = self._state()["Pid"]
        group = Path(f"/proc/{pid}/cgroup")
        here = pid and group.exists() and str(self._started().id) in group.read_text()
        return pid if here else None

    def client(self, protocol: Protocol, on_exchange: Observer, timeout: float) -> Client:
        """A client of the server."""
        return connect(self.addresses, protocol, on_exchange, timeout)

    def listens(self, protocol: Protocol) -> bool:
        """Tell whether the server accepts connections for ``protocol``."""
        return listens(self.addresses.of(protocol), relayed=True)

    def fill(self, text: str) -> str:
        """``text`` with the words for folders and ports replaced, as they are within the container."""
        return self._layout.fill(text)

    def here(self, text: str) -> str:
        """``text`` with the words for folders replaced by where they are outside the container."""
        return self._layout.here(text)

    def exit_status(self, patience: float = 0) -> int | None:
        """How the server ended, within ``patience`` seconds; None if it runs. -N is the end by signal N."""
        deadline = time.monotonic() + patience
        while (state := self._state())["Status"] not in ("exited", "dead"):
            if time.monotonic() > deadline:
                return None
            time.sleep(_LOOK)
        status: int = state["ExitCode"]
        return 128 - status if 128 < status < 192 else status

    def signal(self, number: int) -> None:
        """Send a signal to the server, if it still runs."""
        with forgiving():
            self._started().kill(signal=int(number))

    def stdout(self) -> str:
        """All that the server wrote to standard output so far."""
        return self._said(stdout=True, stderr=False)

    def stderr(self) -> str:
        """All that the server wrote to standard error so far: its log."""
        return self._said(stdout=False, stderr=True)

    def logs(self) -> str:
        """The last lines of what the server wrote to both."""
        if self._container is None:
            return ""
        return "\n".join([*self.stderr().splitlines(), *self.stdout().splitlines()][-LOG_LINES:])

    def stop(self) -> None:
        """Remove the container, then the folder."""
        if self._container is not None:
            remove(self._container)
            self._container = None
        self._layout.delete()

    def _started(self) -> Container:
        assert self._container is not None, "the server has been stopped"
        return self._container

    def _state(self) -> Mapping[str, Any]:
        """What the engine says of the container now; of one that somebody took away, that it was killed."""
        container = self._started()
        with forgiving():
            container.reload()
            state: Mapping[str, Any] = container.attrs["State"]
            return state
        return {"Status": "dead", "Pid": 0, "ExitCode": 128 + signal.SIGKILL}

    def _said(self, *, stdout: bool, stderr: bool) -> str:
        said = b""
        if self._container is not None:
            with forgiving():
                said = self._container.logs(stdout=stdout, stderr=stderr)
        return said.decode("utf-8", "replace")

    def _published(self, host: str) -> Addresses:
        """Where the ports are from here, or None where the server is gone already."""
        ports = self._started().attrs["NetworkSettings"]["Ports"]
        found = {port: ports.get(f"{port}/tcp") for port in (_REST, _GRPC)}
        rest, grpc = (
            f"{host}:{published[0]['HostPort']}" if published else None for published in found.values()
        )
        return Addresses(rest, grpc)


class DockerServer(LaunchedContainer):
    """A container for a scenario, with both ports open where that says so. Raises StartError."""

    past: Past = {}  # noqa: RUF012 - it is read only

    def __init__(self, engine: Engine, image: Image, limits: Mapping[str, Any], scenario: Scenario) -> None:
        room = Layout(scenario.configured(), scenario.models, scenario.before, seen=(_MODELS, _FILES))
        super().__init__(engine, image, limits, room, layout.arguments(scenario), layout.files(scenario))
        self._image = image
        try:
            if scenario.opens:
                self._wait()
        except BaseException:
            self.stop()
            raise

    def configure(self, text: str | None) -> None:
        """Put another text into the configuration file at once, or remove the file."""
        self._layout.configure(text)

    def _wait(self) -> None:
        """Wait until every port is open, which a server does when its models are loaded [1.3.7]."""
        deadline = time.monotonic() + START_DEADLINE
        for protocol in Protocol:
            while not self.listens(protocol):
                status = self.exit_status()
                if status is not None:
                    raise StartError(self._story(f"ended with status {status}"))
                if time.monotonic() > deadline:
                    raise StartError(
                        self._story(f"did not open its {protocol} port within {START_DEADLINE:g} s")
                    )
                time.sleep(_LOOK)

    def _story(self, end: str) -> str:
        tags = ", ".join(self._image.tags) or self._image.id
        return (
            f"the server {end}\nimage: {tags}\narguments: {shlex.join(self.command)}\n"
            f"end of its log:\n{self.logs()}"
        )


def _parse(spec: str) -> tuple[str, dict[str, Any]]:
    """Image and limits. Raises UsageError."""
    _, _, rest = spec.partition(":")
    name, *options = rest.split(",")
    limits: dict[str, Any] = {}
    for option in options:
        match option.partition("="):
            case ("cpus", "=", number) if _positive(number):
                limits["nano_cpus"] = int(float(number) * 1e9)
            case ("memory", "=", size) if size:
                limits["mem_limit"] = size
            case _:
                raise UsageError(f"target {spec!r}: {option!r} is not an option; {_USAGE}")
    name = name or DEFAULT_IMAGE
    if any(letter.isspace() for letter in name) or name.startswith((":", "-")):
        raise UsageError(f"target {spec!r}: {name!r} is not an image; {_USAGE}")
    tagged = ":" in name.rpartition("/")[2] or "@" in name
    return name if tagged else f"{name}:latest", limits


def _positive(number: str) -> bool:
    try:
        return float(number) > 0
    except ValueError:
        return False
