"""More of the vocabulary: checks on what happens over time, on reloads, and on the server's log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

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
    needs: ClassVar = frozenset({Capability.WATCH})

    @property
    def subject(self) -> str:
        """The model and the version."""
        return f"{self.model}@{self.version}"

    def agrees(self, seen: Sequence[State]) -> bool:
        """Tell whether these states, as they followed each other, are right."""
        ahead = iter(self.states)
        in_order = all(state in ahead for state in seen)
        complete = set(self.states) - set(self.brief) <= set(seen)
        return in_order and complete and bool(seen) and seen[-1] is self.states[-1]

    def __str__(self) -> str:
        passed = ", ".join(state.name for state in self.states)
        return f"version {self.version} of model {self.model} passes through {passed}"


class Moment(NamedTuple):
    """When a version reaches a state or a later one."""

    version: int
    state: State

    def __str__(self) -> str:
        return f"{self.version} {self.state.name}"


@dataclass(frozen=True, slots=True)
class Precedes(Check):
    """While the step happens, one version comes to a state before another version comes to one."""

    model: str
    first: Moment
    then: Moment
    needs: ClassVar = frozenset({Capability.WATCH})

    @property
    def subject(self) -> str:
        """The model and both versions."""
        return f"{self.model}@{self.first.version}-{self.then.version}"

    def agrees(self, seen: Sequence[Mapping[int, State]]) -> bool:
        """Tell whether these listings, as they followed each other, are right, and the last has both."""
        reached = [
            tuple(states.get(version, State.START) >= state for version, state in (self.first, self.then))
            for states in seen
        ]
        return (False, True) not in reached and reached[-1:] == [(True, True)]

    def __str__(self) -> str:
        return f"model {self.model} comes to {self.first} before {self.then}"


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
    needs: ClassVar = frozenset({Capability.WATCH})

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
    eventual: ClassVar = True

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
    eventual: ClassVar = True

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
    eventual: ClassVar = True

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
