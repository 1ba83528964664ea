"""Targets: where the server under test comes from, by one string.

* ``reference``: this project's own server, started as a process (the default)
* ``command:CMD ...``: any server that takes TensorFlow Serving's flags, started as a process
* ``url:http://host:8501,host:8500``: a server that is already running (:mod:`harness.targets.url`)
* ``replay:FILE``: what another target answered once (:mod:`harness.targets.replay`)
* ``docker[:image[:tag]]``: a container, of tensorflow/serving by default (:mod:`harness.targets.docker`)
"""

from __future__ import annotations

from harness.targets import process, replay, url
from harness.targets.base import (
    Addresses,
    Launched,
    Say,
    Server,
    StartError,
    Target,
    Unsupported,
    UsageError,
    require,
)

__all__ = [
    "Addresses",
    "Launched",
    "Say",
    "Server",
    "StartError",
    "Target",
    "Unsupported",
    "UsageError",
    "parse",
    "require",
]


def parse(spec: str) -> Target:
    """The target that ``spec`` names. Raises UsageError with a sentence for users."""
    kind, _, rest = spec.partition(":")
    match kind:
        case "reference" if not rest:
            return process.reference()
        case "command" if rest.strip():
            return process.command(rest)
        case "url" if rest:
            return url.UrlTarget(spec)
        case "docker":
            from harness.targets import docker  # the engine's package takes a while to import

            return docker.DockerTarget(spec)
        case "replay" if rest:
            return replay.ReplayTarget(spec)
        case _:
            raise UsageError(
                f"target {spec!r}: give reference, docker:IMAGE:TAG, command:CMD, "
                "url:http://host:8501,host:8500, or replay:FILE"
            )
