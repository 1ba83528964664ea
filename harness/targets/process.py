"""Targets that start a server as a process: the reference server, or any command line."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import IO, Any
from typing import Protocol as Interface

from harness.actions import Action
from harness.client import Client, Observer
from harness.repository import Repository
from harness.scenario import Scenario
from harness.startup import StartUp
from harness.targets import layout
from harness.targets.base import Addresses, Past, Say, StartError, connect, listens
from harness.targets.layout import Layout
from harness.terms import Capability, Model, Protocol

#: Seconds from the start of the process until both ports are open.
START_DEADLINE = 120.0
#: Seconds until a command must have told its version.
VERSION_DEADLINE = 30.0
#: Seconds that a server gets to end after SIGTERM.
STOP_DEADLINE = 1.0
#: Lines of the log that failure texts quote.
LOG_LINES = 60

_HOST = "127.0.0.1"
_GUARD = Path(__file__).with_name("guard.py")


class Process(Interface):
    """A process that runs, as :class:`subprocess.Popen` shows it."""

    @property
    def pid(self) -> int:
        """Its id, which is that of its group too."""
        ...

    @property
    def returncode(self) -> int | None:
        """How it ended, as far as that was noticed; -N is the end by signal N."""
        ...

    def poll(self) -> int | None:
        """How it ended, or None."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired."""
        ...

    def send_signal(self, number: int, /) -> None:
        """Send a signal, if it still runs."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...


#: Starts a command whose output goes to two files.
Spawn = Callable[[Sequence[str], IO[bytes], IO[bytes]], Process]


def spawn(
    command: Sequence[str],
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    *,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own; it dies when this process does."""
    return subprocess.Popen(
        [sys.executable, "-S", "-E", str(_GUARD), str(os.getpid()), *command],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=_environment(),
        # Ctrl-C is for the runner, which then stops the server in its own order.
        start_new_session=True,
    )


class ProcessTarget:
    """Starts ``command`` with TensorFlow Serving's flags."""

    capabilities = frozenset(Capability)

    def __init__(self, spec: str, kind: str, command: list[str], label: str, start: Spawn = spawn) -> None:
        self.spec = spec
        self.kind = kind
        self._command = command
        self._label = label
        self._spawn = start

    def prepare(self, say: Say) -> None:
        """Nothing: the command is here."""

    def start(self, scenario: Scenario) -> ProcessServer:
        """Lay out the repository, write the configuration, start and wait. Raises StartError."""
        return ProcessServer(self._command, scenario, self._spawn)

    def launch(self, start_up: StartUp) -> LaunchedProcess:
        """Lay out the repository and the files, and start the command line, whatever becomes of it."""
        models = {model.name: model for model in start_up.models}
        return LaunchedProcess(
            self._command,
            models,
            start_up.models,
            start_up.arguments,
            start_up.files,
            start=self._spawn,
        )

    def describe(self) -> Mapping[str, Any]:
        """The label, and what the command says of itself."""
        try:
            asked = subprocess.run(
                [*self._command, "--version"],
                capture_output=True,
                text=True,
                timeout=VERSION_DEADLINE,
                env=_environment(),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return {"label": self._label, "server": None}  # the start will say what is wrong
        name, _, version = asked.stdout.partition("\n")[0].partition(": ")
        return {"label": self._label, "server": {"name": name or None, "version": version or None}}


class LaunchedProcess:
    """A server process with a temporary folder of its own, and free ports of the loopback interface.

    ``arguments`` and the texts of ``files`` may hold the words of :mod:`harness.startup`; ``before`` is done
    to the repository first. The process may be starting, serving or gone: whoever launched it looks.
    """

    def __init__(
        self,
        command: Sequence[str],
        configured: dict[str, Model],
        models: Sequence[Model],
        arguments: Sequence[str],
        files: Mapping[str, str],
        before: Sequence[Action] = (),
        start: Spawn = spawn,
    ) -> None:
        self._layout = Layout(configured, models, before)
        self.models_root = self._layout.models_root
        self.repository: Repository = self._layout.repository
        self._held = [_reserved(), _reserved()]
        self._held += [socket.create_server(("", 0), reuse_port=shared) for shared in (False, True)]
        rest, grpc, taken, shared = (held.getsockname()[1] for held in self._held)
        self.addresses = Addresses(f"{_HOST}:{rest}", f"{_HOST}:{grpc}")
        self._layout.words |= {"$REST": rest, "$GRPC": grpc, "$TAKEN": taken, "$SHARED": shared}
        self._layout.write(files)
        self.command = [*command, *map(self.fill, arguments)]
        self._stdout, self._log = self._layout.folder / "stdout", self._layout.folder / "server.log"
        with self._stdout.open("wb") as stdout, self._log.open("wb") as log:
            self._process: Process = start(self.command, stdout, log)

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def client(self, protocol: Protocol, on_exchange: Observer, timeout: float) -> Client:
        """A client of the server."""
        return connect(self.addresses, protocol, on_exchange, timeout)

    def listens(self, protocol: Protocol) -> bool:
        """Tell whether the server accepts connections for ``protocol``."""
        return listens(self.addresses.of(protocol))

    def fill(self, text: str) -> str:
        """``text`` with the words for folders and ports replaced."""
        return self._layout.fill(text)

    def here(self, text: str) -> str:
        """The same: the server sees what is seen here."""
        return self._layout.fill(text)

    def exit_status(self, patience: float = 0) -> int | None:
        """How the process ended, within ``patience`` seconds; None if it runs. -N is the end by signal N."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(patience)
        return None

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def stdout(self) -> str:
        """All that the server wrote to standard output so far; a server may hold it back until it ends."""
        return self._stdout.read_text("utf-8", "replace")

    def stderr(self) -> str:
        """All that the server wrote to standard error so far: its log."""
        return self._log.read_text("utf-8", "replace")

    def logs(self) -> str:
        """The last lines of what the server wrote to both."""
        if not self._log.exists():
            return ""
        return "\n".join([*self.stderr().splitlines(), *self.stdout().splitlines()][-LOG_LINES:])

    def stop(self) -> None:
        """End the process and all it started, then delete the folder."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_DEADLINE)
        with contextlib.suppress(ProcessLookupError):  # as a rule nothing is left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for held in self._held:
            held.close()
        self._layout.delete()


class ProcessServer(LaunchedProcess):
    """A server process for a scenario, with both ports open where that says so. Raises StartError."""

    past: Past = {}  # noqa: RUF012 - it is read only

    def __init__(self, command: list[str], scenario: Scenario, start: Spawn = spawn) -> None:
        super().__init__(
            command,
            scenario.configured(),
            scenario.models,
            layout.arguments(scenario),
            layout.files(scenario),
            scenario.before,
            start,
        )
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
                if self._process.poll() is not None:
                    raise StartError(self._story(f"ended with exit code {self._process.returncode}"))
                if time.monotonic() > deadline:
                    raise StartError(
                        self._story(f"did not open its {protocol} port within {START_DEADLINE:g} s")
                    )
                time.sleep(0.02)

    def _story(self, end: str) -> str:
        return f"the server {end}\ncommand: {shlex.join(self.command)}\nend of its log:\n{self.logs()}"


def reference() -> ProcessTarget:
    """The reference server, run by this Python."""
    try:
        version = metadata.version("tfserving-harness")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return ProcessTarget(
        "reference", "reference", [sys.executable, "-m", "server_impl"], f"reference {version}"
    )


def command(line: str) -> ProcessTarget:
    """Any server that takes TensorFlow Serving's flags."""
    words = shlex.split(line)
    return ProcessTarget(f"command:{line}", "command", words, " ".join([Path(words[0]).name, *words[1:]]))


def _environment() -> dict[str, str]:
    """This process's environment, in which the project can be imported from any folder."""
    here = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))}


def _reserved() -> socket.socket:
    """A port that the system gives to nobody who wants any port, while a server may still listen on it.

    Else two servers that start at the same time could get the same one, and share it without a word.
    """
    holder = socket.socket()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        holder.setsockopt(socket.SOL_SOCKET, option, 1)
    holder.bind((_HOST, 0))
    return holder
