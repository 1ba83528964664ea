"""Reference servers that are born with everything loaded.

Most of a start is the loading of Python modules and of TensorFlow's library, the same each time. A nursery is
a process that has loaded them, and forks for each server that is wanted: from its command line on, that
server is what it always is.

``python -m tests.golden.lifecycle.nursery`` reads from standard input, for each server, a line of JSON with
its ``arguments``, and the names of the files for its ``stdout`` and ``stderr``. It tells each birth, ``pid``,
and each death, ``pid`` with ``status``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from harness.targets import guard
from harness.targets.process import ProcessTarget, spawn


class Nursery:
    """A process that servers are forked from; they die with it, and it dies with this process."""

    def __init__(self, log: Path) -> None:
        self.target = ProcessTarget("nursery", "nursery", ["server_impl"], "reference", self.bear)
        self._log = log
        with log.open("wb") as stderr:
            self._process = spawn(
                [sys.executable, "-m", __name__], subprocess.PIPE, stderr, stdin=subprocess.PIPE
            )
        self._asking = threading.Lock()
        self._births: queue.Queue[Child | None] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._listener.start()

    def close(self) -> None:
        """End it, and with it the servers that still run."""
        self._process.kill()
        self._listener.join()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def bear(self, command: Sequence[str], stdout: IO[bytes], stderr: IO[bytes]) -> Child:
        """A new server; the first word of its command is its name. Raises RuntimeError."""
        wish = {"arguments": command, "stdout": stdout.name, "stderr": stderr.name}
        assert self._process.stdin is not None
        with self._asking:
            with contextlib.suppress(OSError, ValueError):  # closed: the listener knows
                self._process.stdin.write(json.dumps(wish).encode() + b"\n")
                self._process.stdin.flush()
            child = self._births.get(timeout=60)
        if child is None:
            self._births.put(None)
            raise RuntimeError(f"the nursery is gone:\n{self._log.read_text('utf-8', 'replace')}")
        return child

    def _listen(self) -> None:
        children: dict[int, Child] = {}
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "status" in told:
                children.pop(told["pid"]).died(told["status"])
            else:
                child = children[told["pid"]] = Child(told["pid"])
                self._births.put(child)
        for child in children.values():
            child.died(-signal.SIGKILL)
        self._births.put(None)


class Child:
    """A server of the nursery, as :class:`subprocess.Popen` would show it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._gone = threading.Event()

    def died(self, status: int) -> None:
        """Note how it ended; -N is the end by signal N."""
        self.returncode = status
        self._gone.set()

    def poll(self) -> int | None:
        """How it ended, or None."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired."""
        if not self._gone.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired("server_impl", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


# --------------------------------------------------------------------------- in the nursery


def _main() -> int:
    import server_impl.loader
    import server_impl.server  # noqa: F401 - what takes long

    nursery = os.getpid()
    deaths, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        selector.register(deaths, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == deaths:
                    os.read(deaths, 4096)
                    _tell_deaths()
                elif not (line := sys.stdin.readline()):
                    return 0
                elif not (pid := os.fork()):
                    return _be_server(nursery, **json.loads(line))
                else:
                    _tell(pid=pid)


def _be_server(nursery: int, arguments: list[str], stdout: str, stderr: str) -> int:
    from server_impl.__main__ import main

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    guard.die_with(nursery)
    for number, name in enumerate((os.devnull, stdout, stderr)):
        file = os.open(name, os.O_RDWR)
        os.dup2(file, number)
        os.close(file)
    sys.argv = arguments
    return main()


def _tell_deaths() -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(pid=ended[0], status=os.waitstatus_to_exitcode(ended[1]))


def _tell(**told: Any) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    sys.exit(_main())
