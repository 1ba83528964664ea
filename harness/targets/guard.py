"""``python guard.py PARENT COMMAND ...``: become COMMAND, and die when PARENT dies, however it dies.

Run by path, so that nothing else has to be imported.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Replace this process by ``command``, which is born without the deafness of a shell's background job."""
    for heard in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(heard, signal.SIG_DFL)
    die_with(parent)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def die_with(parent: int) -> None:
    """Die when the parent dies, which is ``parent``. For Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the process that wanted this server is gone")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
