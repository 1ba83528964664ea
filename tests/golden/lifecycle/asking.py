"""Questions about a server, and its answers in words: what probes ask over and over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.client import BadReply, Client, GrpcClient, Refusal, RestClient, Unreachable
from harness.targets import Launched
from harness.terms import Code, Protocol
from tests.golden.lifecycle.timelines import Value, plain

#: Seconds between two rounds of questions.
_INTERVAL = 0.1
#: Seconds that an answer to a probe may take.
_PATIENCE = 3.0

#: A value stays that is seen as often, for as many seconds.
_STAYED_TIMES, _STAYED_S = 3, 0.75

#: What is said when nobody listens.
NO_CONNECTION = "no connection"


def ask(client: Client, probe: Mapping[str, Any]) -> Value:
    """Ask for a status or a prediction. Raises what the client raises.

    A prediction is told by its version, which all models answer; a version that contradicts it is added.
    """
    model, version = probe["model"], probe.get("version")
    if probe.get("for") == "status":
        return [str(entry) for entry in client.status(model, version=version)]
    rows = probe.get("rows", 1)
    if "busy_ms" in probe:
        inputs = {"ms": np.full(rows, probe["busy_ms"], np.float32)}
    else:
        inputs = {"x": np.zeros(rows, probe.get("dtype", "float32"))}
    prediction = client.predict(model, inputs, version=version, label=probe.get("label"))
    (output,) = prediction.outputs.values()
    if rows != 1:
        return f"OK, {list(output.shape)} rows"
    (answer,) = output.tolist()
    told = "" if prediction.version in (None, answer) else f" (spec says {prediction.version})"
    return f"v{answer:g}{told}"


def words(launched: Launched, protocol: Protocol, question: Callable[[], Value]) -> Value:
    """The answer to a question, or in words why there is none."""
    try:
        return question()
    except Refusal as refusal:
        broken = refusal.code is Code.UNAVAILABLE and not launched.listens(protocol)
        return NO_CONNECTION if broken else str(refusal)
    except Unreachable:
        return "connection closed" if launched.listens(protocol) else NO_CONNECTION
    except BadReply as reply:
        return f"bad reply: {reply}"


@dataclass
class Look:
    """A value that a probe showed for some time; times in seconds of a monotonic clock."""

    value: Value
    first: float
    last: float
    times: int = 1

    @property
    def seconds(self) -> float:
        """How long it was seen."""
        return self.last - self.first

    @property
    def stayed(self) -> bool:
        """Whether it was there for more than a moment, which a busy machine makes longer."""
        return self.times >= _STAYED_TIMES and self.seconds >= _STAYED_S


class Looking:
    """Asks a server all of ``probes`` over and over, in a thread.

    ``seen`` tells what came, by probe, ``blind`` the longest time in seconds that nobody looked.
    """

    def __init__(
        self, launched: Launched, probes: Mapping[str, Mapping[str, Any]], mask: Callable[[str], str]
    ) -> None:
        self.seen: dict[str, list[Look]] = {name: [] for name in probes}
        self.blind = 0.0
        self._launched = launched
        self._probes = probes
        self._mask = mask
        self._up = False
        rest, grpc = launched.addresses
        assert rest is not None
        assert grpc is not None
        self._clients: dict[Protocol, Client] = {
            Protocol.REST: RestClient(rest, timeout=_PATIENCE),
            Protocol.GRPC: GrpcClient(grpc, timeout=_PATIENCE),
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="looking", daemon=True)
        self._thread.start()

    def latest(self, name: str) -> Value | None:
        """What a probe shows now."""
        looks = self.seen[name]
        return looks[-1].value if looks else None

    def stop(self) -> None:
        """End the looking; what was seen stays."""
        self._stop.set()
        self._thread.join()
        for client in self._clients.values():
            client.close()

    def _work(self) -> None:
        last = None
        while not self._stop.is_set():
            # A channel that was refused once waits before it tries again: ask when somebody listens.
            self._up = self._up or all(map(self._launched.listens, Protocol))
            if self._up:
                began = time.monotonic()
                answers = {name: self._answer(probe) for name, probe in self._probes.items()}
                if self._launched.exit_status() is not None:
                    return  # that nobody listens then, goes without saying
                now = time.monotonic()
                for name, value in answers.items():
                    self._note(name, value, now)
                self.blind = max(self.blind, now - (began if last is None else last))
                last = began
            self._stop.wait(_INTERVAL)

    def _answer(self, probe: Mapping[str, Any]) -> Value:
        protocol = Protocol(probe["over"])
        value = words(self._launched, protocol, lambda: ask(self._clients[protocol], probe))
        masked: Value = plain(self._mask(value) if isinstance(value, str) else list(map(self._mask, value)))
        return masked

    def _note(self, name: str, value: Value, now: float) -> None:
        looks = self.seen[name]
        if looks and looks[-1].value == value:
            looks[-1].last = now
            looks[-1].times += 1
        else:
            looks.append(Look(value, now, now))
