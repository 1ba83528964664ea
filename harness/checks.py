"""More of the vocabulary: checks on what happens over time, on reloads, and on the server's log."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from harness.scenario import Capability, Check, Code, Protocol, State


@dataclass(frozen=True, slots=True)
class Passes(Check):
    """While the step happens, a version passes through ``states`` in this order and stays in the last.

    States that are ``brief`` may go by unseen.
    """

    model: str
    version: int
    states: tuple[State, ...]
    brief: tuple[State, ...] = (State.START,)

    @property
    def subject(self) -> str:
        """The model and the version."""
        return f"{self.model}@{self.version}"

    def agrees(self, seen: Sequence[State]) -> bool:
        """Tell whether these states, as they followed each other, are right."""
        ahead = iter(self.states)
        in_order = all(state in ahead for state in seen)
        complete = set(self.states) - set(self.brief) <= set(seen)
        return in_order and complete and seen[-1:] == [self.states[-1]]

    def __str__(self) -> str:
        passed = ", ".join(state.name for state in self.states)
        return f"version {self.version} of model {self.model} passes through {passed}"


@dataclass(frozen=True, slots=True)
class LoadsInOrder(Check):
    """While the step happens, none of ``versions`` begins to load before the one it follows is AVAILABLE."""

    model: str
    versions: tuple[int, ...]

    @property
    def subject(self) -> str:
        """The model."""
        return self.model

    def agrees(self, seen: Sequence[dict[int, State]]) -> bool:
        """Tell whether these listings, as they followed each other, are right, and the last has them all."""
        for states in seen:
            loaded = [states.get(version, State.START) for version in self.versions]
            for before, after in itertools.pairwise(loaded):
                if after > State.START and before is not State.AVAILABLE:
                    return False
        return bool(seen) and all(seen[-1].get(version) is State.AVAILABLE for version in self.versions)

    def __str__(self) -> str:
        return f"versions of model {self.model} load one after another: {', '.join(map(str, self.versions))}"


@dataclass(frozen=True, slots=True)
class Closed(Check):
    """Nobody listens at the protocol's port."""

    @property
    def subject(self) -> str:
        """The port."""
        return "port"

    def __str__(self) -> str:
        return "the port is closed"


@dataclass(frozen=True, slots=True)
class Pending(Check):
    """The reload with this id has not been answered yet."""

    reload: str
    protocols: tuple[Protocol, ...] = field(default=(Protocol.GRPC,), kw_only=True)

    @property
    def subject(self) -> str:
        """The reload."""
        return self.reload

    def __str__(self) -> str:
        return f"the reload ({self.reload}) is not answered"


@dataclass(frozen=True, slots=True)
class Returned(Check):
    """The reload with this id has come back with ``code`` and ``text``; a pattern must match all of it."""

    reload: str
    code: Code = Code.OK
    text: str | re.Pattern[str] = ""
    protocols: tuple[Protocol, ...] = field(default=(Protocol.GRPC,), kw_only=True)

    @property
    def subject(self) -> str:
        """The reload."""
        return self.reload

    def __str__(self) -> str:
        text = self.text if isinstance(self.text, str) else f"/{self.text.pattern}/"
        return f"the reload ({self.reload}) comes back with {self.code.name}" + (f": {text}" if text else "")


@dataclass(frozen=True, slots=True)
class Answered(Check):
    """The request that was sent under this id has been answered rightly, or ``abandoned`` by its client."""

    id: str
    abandoned: bool = False
    protocols: tuple[Protocol, ...] = field(default=(Protocol.GRPC,), kw_only=True)

    @property
    def subject(self) -> str:
        """The request's id."""
        return self.id

    def __str__(self) -> str:
        ended = "abandoned by its client" if self.abandoned else "answered"
        return f"the request ({self.id}) is {ended}"


@dataclass(frozen=True, slots=True)
class Logs(Check):
    """The server's log says this somewhere, at least so many ``times``. It is asked over no protocol."""

    about: str
    text: str | re.Pattern[str]
    times: int = 1
    protocols: tuple[Protocol, ...] = field(default=(), kw_only=True)
    needs: ClassVar = frozenset({Capability.LOG})

    @property
    def subject(self) -> str:
        """What the log tells about."""
        return self.about

    def found(self, log: str) -> int:
        """How often the log says it."""
        return log.count(self.text) if isinstance(self.text, str) else len(self.text.findall(log))

    def __str__(self) -> str:
        often = "" if self.times == 1 else f" {self.times} times"
        text = self.text if isinstance(self.text, str) else f"/{self.text.pattern}/"
        return f"the log says{often}: {text}"
