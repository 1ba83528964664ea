"""Plays a start-up, and says what was expected and what came."""

from __future__ import annotations

import contextlib
import re
import time

from harness.client import BadReply, Client, GrpcClient, Observer, Refusal, RestClient, Unreachable
from harness.startup import Exits, Outcome, Serves, StartUp, Waits
from harness.targets import Launched
from harness.terms import Protocol, State
from harness.verdict import Mismatch

#: Seconds that a start may take, with everything that it loads.
DEADLINE = 60.0
#: Seconds after the last port opened until one that is still closed stays closed: servers open both
#: within milliseconds.
_LAST_PORT = 0.3
#: Seconds between two looks.
_LOOK = 0.02


def play(start_up: StartUp, launched: Launched, observe: Observer = lambda _: None) -> None:
    """Wait until one of the outcomes has come true. Raises Mismatch when none can any more."""
    begun = time.monotonic()
    problems: list[str | None] = []
    while True:
        status = launched.exit_status()
        problems = [_problem(outcome, launched, status, begun, observe) for outcome in start_up.possible]
        if None in problems:
            return
        if status is not None or time.monotonic() > begun + DEADLINE:
            said = launched.stdout().strip()
            raise Mismatch(
                launched.fill(str(start_up)), f"{problems[0]}{f'; it said: {said}' if said else ''}"
            )
        time.sleep(_LOOK)


def await_serving(launched: Launched, *over: Protocol, model: str = "m") -> None:
    """Wait until the server serves ``model`` over these protocols, or both. Raises Mismatch."""
    play(StartUp("", "", (), Serves(model, over=over or tuple(Protocol)), facts=()), launched)


def shell_status(status: int) -> int:
    """An exit status as a shell shows it: the end by signal N is 128 + N."""
    return status if status >= 0 else 128 - status


def _problem(
    outcome: Outcome, launched: Launched, status: int | None, begun: float, observe: Observer
) -> str | None:
    """Why ``outcome`` is not, or not yet, what happened."""
    match outcome:
        case Exits():
            if status is None:
                return "it runs"
            if shell_status(status) not in outcome.statuses:
                return f"it ended with status {shell_status(status)}"
        case Serves():
            if status is not None:
                return f"it ended with status {shell_status(status)}"
            problem = _serving_problem(outcome, launched, observe)
            if problem is not None:
                return problem
        case Waits(seconds):
            if status is not None:
                return f"it ended with status {shell_status(status)}"
            if any(map(launched.listens, Protocol)):
                return "it opened a port"
            if time.monotonic() < begun + seconds:
                return "it has not waited long enough yet"
    for found, text in ((launched.stdout, outcome.stdout), (launched.stderr, outcome.log)):
        if not _says(found(), text, launched):
            return "it did not say so"
    return None


def _serving_problem(outcome: Serves, launched: Launched, observe: Observer) -> str | None:
    addresses = _addresses(launched)
    for protocol in outcome.over:
        if not launched.listens(protocol):
            return f"nobody listens for {protocol}"
        connect: type[GrpcClient] | type[RestClient] = GrpcClient if protocol is Protocol.GRPC else RestClient
        with contextlib.closing(connect(addresses[protocol], on_exchange=observe, timeout=5)) as client:
            problem = _status_problem(client, outcome.model)
        if problem is not None:
            return f"{protocol}: {problem}"
    closed = addresses.keys() - set(outcome.over) if outcome.alone else set()
    if closed:
        time.sleep(_LAST_PORT)
    for protocol in closed:
        if launched.listens(protocol):
            return f"somebody listens for {protocol}"
    return None


def _status_problem(client: Client, model: str | None) -> str | None:
    try:
        entries = client.status(model or "nobody")
    except Refusal as refusal:
        return None if model is None else str(refusal)
    except (BadReply, Unreachable) as error:
        return str(error)
    available = any(entry.state is State.AVAILABLE for entry in entries)
    return None if available else f"model {model} is {', '.join(map(str, entries))}"


def _addresses(launched: Launched) -> dict[Protocol, str]:
    rest, grpc = launched.addresses
    return {
        protocol: address
        for protocol, address in ((Protocol.REST, rest), (Protocol.GRPC, grpc))
        if address is not None
    }


def _says(said: str, wanted: str | re.Pattern[str] | None, launched: Launched) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return launched.fill(wanted) in said
    return re.search(_filled(wanted.pattern, launched), said) is not None


def _filled(pattern: str, launched: Launched) -> str:
    """A pattern with the words replaced, which ``re.escape`` may have given a backslash."""
    return re.sub(
        r"\\?\$(MODELS|FILES|GRPC|REST|TAKEN|SHARED)",
        lambda word: re.escape(launched.fill(f"${word[1]}")),
        pattern,
    )
