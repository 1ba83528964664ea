"""How to see a failure again: a script for a shell, made from what was exchanged."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence

from harness.client import Exchange
from harness.terms import Protocol

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
    content = exchange.request
    if exchange.protocol is Protocol.GRPC and len(content) <= _INLINE:
        encoded = base64.b64encode(content).decode()
        call = f'GrpcClient(os.environ["GRPC"]).exchange("{exchange.method}", base64.b64decode("{encoded}"))'
        return _python(f"import base64, os; from harness.client import GrpcClient; print({call})")
    if exchange.protocol is Protocol.GRPC:
        return f"# {exchange.method} with {len(content)} bytes, in the record"
    if not exchange.method:
        call = f'rest.raw(os.environ["REST"], {content!r}, timeout=3)'
        return _python(f"import os; from harness.client import rest; print({call})")
    return _curl(exchange)


def _curl(exchange: Exchange) -> str:
    method, _, target = exchange.method.partition(" ")
    # As it is: without glob patterns and without resolving dots; -I because a reply to HEAD has no body.
    words = ["curl", "-sS", "-i", "-g", "--path-as-is", *(["-I"] if method == "HEAD" else ["-X", method])]
    for name, value in exchange.request_headers:
        words += ["-H", f"{name}: {value}"]
    quoted = re.sub(r'(["$`\\])', r"\\\1", target)
    command = f'{shlex.join(words)} "http://$REST{quoted}"'
    content = exchange.request
    if not content:
        return command
    if len(content) > _INLINE:
        return f"{command} --data-binary @body.json  # {len(content)} bytes, in the record"
    try:
        return f"{command} --data-raw {shlex.quote(content.decode())}"
    except UnicodeDecodeError:
        encoded = base64.b64encode(content).decode()
        return f"echo {encoded} | base64 -d | {command} --data-binary @-"


def _python(program: str) -> str:
    return "python -c " + shlex.quote(program)
