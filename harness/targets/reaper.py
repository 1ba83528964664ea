"""``python reaper.py LABEL VALUE``: wait until standard input ends, then remove the containers so labelled.

The runner of these containers holds the other end of that pipe, which the kernel closes however the runner
ends. Run by path, so that nothing of the project has to be imported.
"""

from __future__ import annotations

import contextlib
import sys
import time

import docker
import docker.errors

#: Looks that must find nothing, a second apart, after a runner that was killed: the engine may still be
#: creating what it asked for.
_LOOKS = 2


def main(label: str, value: str) -> None:
    """Wait, then remove. A runner that ends in order says so before it closes the pipe."""
    looks = 1 if sys.stdin.buffer.read() else _LOOKS
    engine = docker.from_env()
    quiet = 0
    while quiet < looks:
        containers = engine.containers.list(all=True, filters={"label": f"{label}={value}"})
        for container in containers:
            with contextlib.suppress(docker.errors.APIError):  # somebody else was faster
                container.remove(force=True, v=True)
        quiet = 0 if containers else quiet + 1
        if quiet < looks:
            time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
