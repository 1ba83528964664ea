"""The container engine: images by name, containers that do not outlive their runner.

Every container carries two labels: that it is ours, and which process runs it. That process takes care of
its containers; where it cannot, because it was killed, a second process sees that and does it
(:mod:`harness.targets.reaper`). What both missed, such as a lost machine, the next run sweeps away.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import docker
import docker.errors
from docker.models.containers import Container
from docker.models.images import Image

from harness.targets.base import Say, StartError

#: The label of all containers that this project starts; its value names the process that runs them.
RUNNER = "tfserving-harness.runner"

_REAPER = Path(__file__).with_name("reaper.py")
#: Seconds that the engine gets to answer.
_TIMEOUT = 120


class Digest(NamedTuple):
    """What an image is called, and its digest in the registry, or its id if it was built here."""

    name: str
    digest: str


class Engine:
    """The engine at ``where``. Raises StartError where none is."""

    def __init__(self, where: str) -> None:
        remote = urlsplit(where)
        if remote.scheme == "unix" and Path(remote.path).exists() and not os.access(remote.path, os.W_OK):
            raise StartError(
                f"no permission to use the container engine at {where}: "
                "add yourself to the group that owns it (as a rule docker), or run as root"
            )
        absent = f"no container engine answers at {where}: start one, or name another in DOCKER_HOST"
        if remote.scheme == "unix" and not Path(remote.path).exists():
            raise StartError(absent)
        try:
            self._client = docker.from_env(timeout=_TIMEOUT)
        except docker.errors.DockerException as error:
            raise StartError(f"{absent} ({error})") from error
        #: The address at which published ports are reached; an engine elsewhere publishes them there.
        atexit.register(self._client.close)
        self.host = (remote.hostname or "127.0.0.1") if remote.scheme in ("tcp", "ssh") else "127.0.0.1"
        self.published_at = "127.0.0.1" if self.host in ("127.0.0.1", "localhost") else "0.0.0.0"

    def image(self, name: str, say: Say) -> Image:
        """The image, pulled if it is not here; ``say`` is told how far that is. Raises StartError."""
        with contextlib.suppress(docker.errors.ImageNotFound):
            return self._client.images.get(name)
        say(f"pulling image {name} ...")
        try:
            for line in self._client.api.pull(name, stream=True, decode=True):
                if "error" in line:
                    raise StartError(_no_image(name, line["error"]))
                told = _progress(line)
                if told:
                    say(f"{name}: {told}")
            return self._client.images.get(name)
        except docker.errors.APIError as error:
            if error.response is not None:
                error.response.close()  # the stream of progress has not been read
            raise StartError(_no_image(name, error.explanation or str(error))) from error

    def run(self, image: Image, arguments: list[str], options: Mapping[str, Any]) -> Container:
        """Start a container that ends with this process, and look at it. Raises StartError."""
        self.sweep()
        _start_reaper()
        container: Container | None = None
        try:
            container = self._client.containers.create(
                image, arguments, **options, labels={RUNNER: runner()}, detach=True
            )
            container.start()
            container.reload()
        except (docker.errors.DockerException, OSError) as error:
            if container is not None:
                remove(container)
            name = ", ".join(image.tags) or image.id
            said = getattr(error, "explanation", None) or error
            raise StartError(f"the engine does not start image {name}: {said}") from error
        return container

    def output(self, image: Image, entrypoint: str, arguments: list[str]) -> str:
        """What a command in the image prints; nothing where it fails."""
        _start_reaper()
        try:
            said = self._client.containers.run(
                image, arguments, entrypoint=entrypoint, labels={RUNNER: runner()}, remove=True, stderr=True
            )
        except (docker.errors.DockerException, OSError):
            return ""
        return said.decode("utf-8", "replace")

    def sweep(self) -> None:
        """Remove containers of runners of this machine that are gone."""
        # Without ignore_removed a container that another run removes meanwhile would be an error.
        for container in self._client.containers.list(
            all=True, filters={"label": RUNNER}, ignore_removed=True
        ):
            if _gone(container.labels.get(RUNNER, "")):
                remove(container)


def present_engine() -> Engine:
    """The engine that ``DOCKER_HOST`` names, or the one of this machine. Raises StartError where none is."""
    return _connected(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))


_connected = functools.cache(Engine)


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    """Forgive the engine that a container is gone, is going or has ended: somebody else was faster."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            raise


def remove(container: Container) -> None:
    """Stop a container at once and delete it. What the engine does not do now, the reaper asks for again."""
    with contextlib.suppress(docker.errors.APIError, OSError):
        container.remove(force=True, v=True)


def digest(name: str, image: Image) -> Digest:
    """Name and digest of an image, for the record."""
    digests: list[str] = image.attrs.get("RepoDigests") or []
    return Digest(name, digests[0].rpartition("@")[2] if digests else str(image.id))


def runner() -> str:
    """This process, in a way that tells it from a later one with the same number: host/pid/start."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def _gone(named: str) -> bool:
    """Tell whether a runner ran on this machine and does not any more."""
    host, _, rest = named.partition("/")
    pid, _, started = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """When a process started, as the kernel counts; ``0`` where there is none or the kernel does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return "0"
        except PermissionError:
            pass
        return "unknown"
    return fields[19]


@functools.cache
def _start_reaper() -> subprocess.Popen[bytes]:
    """Start the process that removes this one's containers after its end, whichever it is."""
    process = subprocess.Popen(
        # -P: beside that file lies a docker.py which is not the engine's package.
        [sys.executable, "-P", str(_REAPER), RUNNER, runner()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this process
    )
    atexit.register(process.communicate)
    return process


def _progress(line: Mapping[str, Any]) -> str | None:
    """One event of a pull in words; None for those that come many times a second."""
    status, layer = line.get("status", ""), line.get("id", "")
    if status in ("Downloading", "Extracting", "Waiting", "Verifying Checksum", "Pulling fs layer"):
        return None
    return f"{layer} {status}".strip() or None


def _no_image(name: str, told: str) -> str:
    return f"image {name} is not here and cannot be pulled: {told}"
