"""What sends the requests of a benchmark: ``h2load`` and ``wrk``.

Both keep a few connections busy as fast as the server answers (a closed loop), so that the
server's processor time per request can be read off the process.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.client.grpc import PREDICT

#: gRPC connections, and calls at a time on each.
_CONNECTIONS = 4
_STREAMS = 10
#: As many requests are under way at a time over gRPC.
IN_FLIGHT = _CONNECTIONS * _STREAMS


@dataclass(frozen=True, slots=True)
class Load:
    """What a driver did: requests answered well, and seconds that it took."""

    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class DriverError(RuntimeError):
    """A driver that is missing, or that saw failed requests; the text says which."""


def _tool(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise DriverError(
            f"{name} is needed for this benchmark: install it (Debian: apt-get install {package})"
        )
    return path


def drive_grpc(address: str, message: bytes, requests: int, path: str = PREDICT) -> Load:
    """Send ``message`` ``requests`` times to the method at ``path`` with h2load."""
    with tempfile.NamedTemporaryFile(suffix=".grpc") as body:
        body.write(b"\0" + struct.pack(">I", len(message)) + message)
        body.flush()
        done = subprocess.run(
            [
                _tool("h2load", "nghttp2-client"),
                *(
                    f"--requests={requests}",
                    f"--clients={_CONNECTIONS}",
                    f"--max-concurrent-streams={_STREAMS}",
                ),
                *("--data", body.name, "--header=content-type: application/grpc", "--header=te: trailers"),
                f"http://{address}{path}",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    finished = re.search(r"finished in ([\d.]+)(us|ms|s|m)", done.stdout)
    answered = re.search(r"status codes: (\d+) 2xx", done.stdout)
    if finished is None or answered is None or int(answered[1]) != requests:
        raise DriverError(f"h2load did not get {requests} replies:\n{done.stdout}{done.stderr}")
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[finished[2]]
    return Load(requests, float(finished[1]) * unit)


def drive_rest(address: str, path: str, body: bytes, seconds: float, clients: int) -> Load:
    """POST ``body`` to ``path`` for ``seconds`` seconds with wrk, from each client one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder, "body"), Path(folder, "post.lua")
        data.write_bytes(body)
        script.write_text(
            f'local file = io.open("{data}", "rb")\n'
            'wrk.method = "POST"\nwrk.body = file:read("*a")\nfile:close()\n'
        )
        done = subprocess.run(
            [
                _tool("wrk", "wrk"),
                *("--threads=1", f"--connections={clients}", f"--duration={seconds:.0f}s"),
                *(f"--script={script}", f"http://{address}{path}"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    answered = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    if answered is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise DriverError(f"wrk saw failed requests:\n{done.stdout}{done.stderr}")
    return Load(int(answered[1]), float(answered[2]))
