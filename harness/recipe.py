"""How to see a failure again: a script for a shell, made from what was exchanged."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence

from harness.client import Exchange
from harness.scenario import Protocol

#: A body up to this many bytes stands in the script; of a longer one the script says where it is.
_INLINE = 2000


def script(module: str, step: str, target: str, exchanges: Sequence[Exchange]) -> str:
    """Commands that bring a server into the state after ``step``, and send the last of ``exchanges`` again.

    ``module`` is the Python module that defines the scenario.
    """
    lines = [
        f"# 1. a server as it is after step {step!r}; the command prints its addresses and waits for Ctrl-C",
        shlex.join(["python", "-m", "harness.play", module, step, "--target", target]),
    ]
    if exchanges:
        lines += ["# 2. in another shell, with REST and GRPC set as printed", request(exchanges[-1])]
    return "\n".join(lines)


def request(exchange: Exchange) -> str:
    """A command that sends a request again, to ``$REST`` or ``$GRPC``."""
    if exchange.protocol is Protocol.REST:
        method, _, path = exchange.method.partition(" ")
        body = ""
        if len(exchange.request) > _INLINE:
            body = f" --data-binary @body.json  # {len(exchange.request)} bytes, in the record"
        elif exchange.request:
            body = f" -d {shlex.quote(exchange.request.decode('utf-8', 'backslashreplace'))}"
        return f'curl -sS -i -X {method} "http://$REST{path}"{body}'
    if len(exchange.request) > _INLINE:
        return f"# {exchange.method} with {len(exchange.request)} bytes, in the record"
    encoded = base64.b64encode(exchange.request).decode()
    call = f'GrpcClient(os.environ["GRPC"]).exchange("{exchange.method}", base64.b64decode("{encoded}"))'
    return "python -c " + shlex.quote(
        f"import base64, os; from harness.client import GrpcClient; print({call})"
    )
