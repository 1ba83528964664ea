"""The servers of a benchmark as processes, and what the operating system says they used."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_HOST = "127.0.0.1"
_START_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Running:
    """A server process: its ports, and how long it took from its start until both were open."""

    pid: int
    grpc: str
    rest: str
    ready_s: float

    def cpu_s(self) -> float:
        """Processor time that it has used, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mb(self) -> float:
        """Resident memory, in megabytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on right now."""
    held = [socket.create_server((_HOST, 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


@contextmanager
def running(command: Sequence[str], *, rest: bool = True) -> Iterator[Running]:
    """Start ``command`` with ``--port`` and ``--rest_api_port`` appended; stop it at the end."""
    grpc_port, rest_port = free_ports(2)
    start = time.perf_counter()
    with subprocess.Popen(
        [*command, f"--port={grpc_port}", f"--rest_api_port={rest_port}"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            for port in (grpc_port, *([rest_port] if rest else [])):
                _await(process, port, start + _START_S)
            ready = time.perf_counter() - start
            yield Running(process.pid, f"{_HOST}:{grpc_port}", f"{_HOST}:{rest_port}", ready)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def reference(base_path: Path, name: str) -> list[str]:
    """The command line of the reference server for one model."""
    return [sys.executable, "-m", "server_impl", f"--model_name={name}", f"--model_base_path={base_path}"]


def _await(process: subprocess.Popen[bytes], port: int, deadline: float) -> None:
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode} while it was starting")
        try:
            socket.create_connection((_HOST, port), 1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise RuntimeError(f"port {port} did not open within {_START_S:g} s")
