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

#: Looks that must find nothing, half a second apart: the engine may still be making what was asked for.
_LOOKS = 2


def main(label: str, value: str) -> None:
    """Wait, then remove."""
    sys.stdin.buffer.read()
    engine = docker.from_env()
    quiet = 0
    while quiet < _LOOKS:
        containers = engine.containers.list(
            all=True, filters={"label": f"{label}={value}"}, ignore_removed=True
        )
        for container in containers:
            with contextlib.suppress(docker.errors.APIError):  # somebody else was faster
                container.remove(force=True, v=True)
        quiet = 0 if containers else quiet + 1
        if quiet < _LOOKS:
            time.sleep(0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
