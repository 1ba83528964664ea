"""What must be true of a server: its answers and states, what happens over time, reloads, the log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar, NamedTuple

from harness.terms import Call, Capability, Code, Level, Protocol, Request, State


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must be true after a step, for each protocol it names.

    A check that names no protocol is made once. ``needs`` is what the target must be able to do for it. One
    that is ``eventual`` tells the end of something, and is awaited even where a step must change nothing.
    ``facts`` are ids of the behaviour catalogue (``3.6.2``) and of its matrix (``LIF-01``). More checks are
    in :mod:`harness.checks`.
    """

    _: KW_ONLY
    facts: tuple[str, ...]
    level: Level = Level.MUST
    protocols: tuple[Protocol, ...] = (Protocol.REST, Protocol.GRPC)
    needs: ClassVar[frozenset[Capability]] = frozenset()
    eventual: ClassVar[bool] = False

    @property
    def subject(self) -> str:
        """What the check looks at, as it stands in ids."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """Id within its step, e.g. ``answers-m@2``."""
        return f"{type(self).__name__.lower()}-{self.subject}"


@dataclass(frozen=True, slots=True)
class RequestCheck(Check):
    """A check that sends a request."""

    request: Request

    @property
    def subject(self) -> str:
        """The request in short."""
        return self.request.key


@dataclass(frozen=True, slots=True)
class Answers(RequestCheck):
    """The request is answered by version ``by``, with the very numbers of that version's contents."""

    by: int
    contents: int | None = None

    def __str__(self) -> str:
        other = "" if self.contents is None else f" (contents {self.contents})"
        return f"{self.request} is answered by version {self.by}{other}"


@dataclass(frozen=True, slots=True)
class Refuses(RequestCheck):
    """The request fails with this code and text. A pattern must match the whole text."""

    code: Code
    text: str | re.Pattern[str]
    call: Call = Call.PREDICT

    @property
    def subject(self) -> str:
        """The request in short, and what it asks for if that is not an inference."""
        return self.request.key if self.call is Call.PREDICT else f"{self.call}-{self.request.key}"

    def __str__(self) -> str:
        text = self.text if isinstance(self.text, str) else self.text.pattern
        return f"{self.call} of {self.request} is refused with {self.code.name}: {text}"


class Failed(NamedTuple):
    """END after a load that failed. A pattern must match the whole text [3.5]."""

    code: Code
    text: str | re.Pattern[str]

    def __str__(self) -> str:
        text = self.text if isinstance(self.text, str) else f"/{self.text.pattern}/"
        return f"END [{self.code.name}: {text}]"


@dataclass(frozen=True, slots=True)
class Shows(Check):
    """The model's status lists exactly these versions in these states, highest first [3.5.3].

    A state alone means that the entry tells no error.
    """

    model: str
    states: Mapping[int, State | Failed]

    @property
    def subject(self) -> str:
        """The model."""
        return self.model

    def __str__(self) -> str:
        return f"status of model {self.model} shows {', '.join(self.listing) or 'no version'}"

    @property
    def listing(self) -> list[str]:
        """The entries in words, in the server's order."""
        return [
            f"{version} {state.name if isinstance(state, State) else state}"
            for version, state in sorted(self.states.items(), reverse=True)
        ]


@dataclass(frozen=True, slots=True)
class Fails(Check):
    """The model's status shows that ``version`` ENDed with this error; a pattern must match all of it."""

    model: str
    version: int
    code: Code
    text: str | re.Pattern[str]

    @property
    def subject(self) -> str:
        """The model and the version."""
        return f"{self.model}@{self.version}"

    def __str__(self) -> str:
        text = self.text if isinstance(self.text, str) else self.text.pattern
        return f"version {self.version} of model {self.model} ENDed with {self.code.name}: {text}"


@dataclass(frozen=True, slots=True)
class Describes(RequestCheck):
    """Metadata come from version ``by`` and give the inputs and outputs of every signature [6.7, 4.7.4]."""

    by: int

    def __str__(self) -> str:
        return f"metadata of {self.request} describe version {self.by}"


@dataclass(frozen=True, slots=True)
class NoGap(RequestCheck):
    """While the step happens every request is answered, first by ``before``, then only by ``after``."""

    before: int
    after: int
    needs: ClassVar = frozenset({Capability.WATCH})

    def __str__(self) -> str:
        if self.before == self.after:
            return f"{self.request} is answered by version {self.after} all the time"
        return f"{self.request} passes from version {self.before} to {self.after} without a failed request"


@dataclass(frozen=True, slots=True)
class Drains(RequestCheck):
    """A request that is running when the actions begin is answered, and only then does ``by`` END [3.9.2].

    ``request.inputs`` must keep the model busy for longer than it takes the server to notice.
    """

    by: int
    needs: ClassVar = frozenset({Capability.WATCH})

    def __str__(self) -> str:
        return f"a running request to {self.request} is answered by version {self.by} before that ENDs"


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
