"""The vocabulary of a scenario: what a server is given, what happens to it, what must be true then.

A scenario is pure data. It names the models in the repository and the server's flags, then tells
steps: each carries out *actions* (publish version 3, withdraw version 1, reload a configuration) and
states *checks* that must hold afterwards. :mod:`harness.player` plays the steps one by one under
pytest; the load generator plays the same objects on a clock while the scenario's *traffic* runs.

Three numbers are kept apart. The *version* is the number of a folder, which is all that the server
sees. Its *contents* is the number that the model inside was built from: every answer tells it (see
:mod:`harness.models`). Both are the same unless a scenario says otherwise, which is how "the same
number again with other contents" and "two models of one kind" become visible.

Nothing here touches disk or network, and nothing needs pytest or Locust.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, NamedTuple

import numpy as np

#: A tensor as clients handle it; strings are object arrays of ``bytes``.
Array = np.ndarray[Any, np.dtype[Any]]
#: Tensors by alias.
Tensors = Mapping[str, Array]


class TensorSpec(NamedTuple):
    """Dtype (TensorFlow's name, ``DT_FLOAT``) and shape of an input or output.

    In ``shape`` -1 means any size; None is a tensor of any rank.
    """

    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Cut:
    """A file of the export, cut to its first ``size`` bytes."""

    size: int


#: How a version folder differs from what its builder exports, by path within it: these bytes, a file
#: cut short, or (None) nothing at all where there was a file or folder.
Files = Mapping[str, bytes | Cut | None]

#: Seconds between two looks at the disk where the flags do not say otherwise [1.2].
DEFAULT_POLL_SECONDS = 1


class Protocol(StrEnum):
    """How a client talks to the server."""

    REST = "rest"
    GRPC = "grpc"


class Level(StrEnum):
    """How binding a rule is."""

    MUST = "MUST"  # documented, or every client leans on it
    SHOULD = "SHOULD"  # documented, clients seldom notice
    QUIRK = "QUIRK"  # undocumented but observable, and some clients lean on it
    EXT = "EXT"  # offered by our own server only; never counts for conformance
    UNVERIFIED = "UNVERIFIED"  # derived from the source, never seen on a real server


class Capability(StrEnum):
    """What a target may offer to a scenario. The value completes "the target cannot ..."."""

    START = "start a server with chosen models and flags"
    REPOSITORY = "edit the model repository"
    RELOAD = "reload the configuration over gRPC"
    LAUNCH = "start a server with any command line"
    CONFIGURE = "edit the server's configuration file"
    LOG = "read the server's log"
    WATCH = "be watched while something happens"
    LOAD = "take load: the generator speaks neither TLS nor headers of its own"


class State(IntEnum):
    """States of a version, numbered as on the wire [3.5.4]."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class Code(IntEnum):
    """Canonical status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Call(StrEnum):
    """What a request asks for."""

    PREDICT = "predict"
    STATUS = "status"
    METADATA = "metadata"


# --------------------------------------------------------------------------- models


@dataclass(frozen=True, slots=True)
class Latest:
    """Serve the ``count`` highest versions [2.4.1]."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class All:
    """Serve every version [2.4.1]."""


@dataclass(frozen=True, slots=True)
class Specific:
    """Serve exactly these versions, as far as they are on disk [2.4.2]."""

    versions: tuple[int, ...]


Policy = Latest | All | Specific


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the server's configuration, and what lies in its base path at the start.

    ``name`` is the configured name, ``folder`` the base path below the repository (the name where
    left out), ``builder`` one of :data:`harness.models.BUILDERS`. Version ``v`` holds contents
    ``v + offset``, so that two models of one kind can be told apart. Without ``policy`` the
    configuration names none, and the highest version is served. ``files`` is how each version folder
    differs from the export at the start.
    """

    name: str
    builder: str
    _: KW_ONLY
    versions: tuple[int, ...] = (1,)
    policy: Policy | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    folder: str = ""
    offset: int = 0
    files: Files = field(default_factory=dict)

    @property
    def base_folder(self) -> str:
        """The base path, relative to the repository."""
        return self.folder or self.name

    def contents(self, version: int) -> int:
        """The contents that ``version`` holds at the start."""
        return version + self.offset

    def served(self) -> tuple[int, ...]:
        """The versions that are served at the start, highest first [2.4.1]."""
        highest_first = sorted(self.versions, reverse=True)
        match self.policy:
            case All():
                return tuple(highest_first)
            case Specific(versions):
                return tuple(version for version in highest_first if version in versions)
            case Latest(count):
                return tuple(highest_first[: max(count, 1)])
            case None:
                return tuple(highest_first[:1])


@dataclass(frozen=True, slots=True)
class Request:
    """A request that either protocol can carry.

    ``version`` or ``label`` pin it, never both. Without ``inputs`` the model's builder gives them,
    different ones from request to request.
    """

    model: str
    _: KW_ONLY
    version: int | None = None
    label: str | None = None
    signature: str | None = None
    inputs: Tensors | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise ValueError(f"request to {self.model}: a version or a label, not both")

    @property
    def key(self) -> str:
        """Short form for ids: ``m``, ``m@2``, ``m@stable``, ``m@2:signature``."""
        pin = self.label if self.version is None else self.version
        return (
            self.model + ("" if pin is None else f"@{pin}") + (f":{self.signature}" if self.signature else "")
        )

    def __str__(self) -> str:
        words = f"model {self.model}"
        if self.version is not None:
            words += f" version {self.version}"
        if self.label is not None:
            words += f" label {self.label!r}"
        return words + (f" signature {self.signature!r}" if self.signature else "")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests that run all the time while the load generator plays the scenario."""

    request: Request
    weight: float = 1.0


# --------------------------------------------------------------------------- actions


class Action:
    """Something that is done to the repository, the server or its configuration.

    ``needs`` is what the target must be able to do for it. More actions are in :mod:`harness.actions`.
    """

    __slots__ = ()
    needs: ClassVar[Capability | None] = None


@dataclass(frozen=True, slots=True)
class Publish(Action):
    """A version folder appears, complete from the first moment; ``files`` differ from the export."""

    model: str
    version: int
    contents: int | None = None
    files: Files = field(default_factory=dict)
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        other = "" if self.contents is None else f" (contents {self.contents})"
        changed = f" with another {', '.join(sorted(self.files))}" if self.files else ""
        return f"publish {self.model}/{self.version}{other}{changed}"


@dataclass(frozen=True, slots=True)
class Withdraw(Action):
    """A version folder disappears at once."""

    model: str
    version: int
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"withdraw {self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class Replace(Action):
    """The files of a version folder are exchanged at once; its number stays."""

    model: str
    version: int
    contents: int
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"replace the files of {self.model}/{self.version} by contents {self.contents}"


@dataclass(frozen=True, slots=True)
class Rename(Action):
    """An entry of the base path gets another name; only names that are numbers are versions [3.1.1]."""

    model: str
    source: str
    target: str
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"rename {self.model}/{self.source} to {self.model}/{self.target}"


@dataclass(frozen=True, slots=True)
class Reload(Action):
    """A new configuration is sent: the complete list, not a difference [2.5].

    A model that was not configured before must already lie in the repository (``Publish`` it). ``text`` is
    sent instead of what ``models`` make; ``$MODELS`` in it is the repository as the server sees it.

    Without ``id`` the server must accept it. One with an ``id`` runs in the background, its client gives up
    after ``deadline`` seconds, and checks tell what becomes of it (:class:`harness.checks.Returned`).
    """

    models: tuple[Model, ...]
    _: KW_ONLY
    text: str | None = None
    id: str = ""
    deadline: float = 60.0
    needs: ClassVar = Capability.RELOAD

    def __str__(self) -> str:
        names = ", ".join(model.name for model in self.models) or "no model"
        return f"reload a configuration of {names}" + (f" ({self.id})" if self.id else "")


# --------------------------------------------------------------------------- checks


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


# --------------------------------------------------------------------------- the whole


@dataclass(frozen=True, slots=True)
class Step:
    """Actions, and what must be true when the server has taken notice of them.

    ``rule`` is the sentence that the checks test together. They get ``within`` seconds to come true, else
    the time between two looks at the disk and the player's patience.

    A ``quiet`` step must change nothing: its checks have to hold from the start and still after two looks
    at the disk. What a ``passing`` step tells is over soon: each check has to hold once. A step ``beside``
    the one before happens together with it; the two must not meddle with the same model. Scenarios write
    stories of single models one by one and put them together by :func:`side_by_side`.
    """

    id: str
    rule: str
    actions: tuple[Action, ...] = ()
    checks: tuple[Check, ...] = ()
    quiet: bool = False
    passing: bool = False
    beside: bool = False
    within: float | None = None

    @property
    def needs(self) -> frozenset[Capability]:
        """What the target must be able to do for this step."""
        return frozenset(action.needs for action in self.actions if action.needs is not None)


def side_by_side(*stories: Sequence[Step]) -> tuple[Step, ...]:
    """Stories that do not touch each other as one: all first steps together, then all second steps ..."""
    rounds = (filter(None, turn) for turn in itertools.zip_longest(*stories))
    return tuple(replace(step, beside=at > 0) for turn in rounds for at, step in enumerate(turn))


@dataclass(frozen=True, slots=True)
class Scenario:
    """Models, flags, steps and traffic.

    ``flags`` are TensorFlow Serving's own, by name without dashes; a value may name one of ``files``, which
    lie beside the repository, as ``$FILES/name``. ``before`` is done to the repository before the server
    starts. Where ``opens`` is False, the server is not expected to be ready before the steps see to it.
    Mistakes in a definition (an unknown model, an id given twice ...) raise ValueError when it is made.
    """

    id: str
    title: str
    models: tuple[Model, ...]
    steps: tuple[Step, ...]
    traffic: tuple[Traffic, ...] = ()
    flags: Mapping[str, str | int | bool] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Action, ...] = ()
    opens: bool = True

    def __post_init__(self) -> None:
        _unique(f"scenario {self.id}: model", [model.name for model in self.models])
        _unique(f"scenario {self.id}: step", [step.id for step in self.steps])
        for step in self.steps:
            _unique(f"scenario {self.id}, step {step.id}: check", [check.key for check in step.checks])
        for name in self._names():
            if name not in self.configured():
                raise ValueError(f"scenario {self.id}: no model is called {name!r}")

    def _names(self) -> Iterator[str]:
        yield from (traffic.request.model for traffic in self.traffic)
        for action in itertools.chain(self.before, *(step.actions for step in self.steps)):
            if hasattr(action, "model"):
                yield action.model
        for step in self.steps:
            for check in step.checks:
                if isinstance(check, RequestCheck) and not isinstance(check, Refuses):
                    yield check.request.model

    @property
    def needs(self) -> frozenset[Capability]:
        """What the target must be able to do to begin: a running server has its flags already."""
        return frozenset({Capability.START} if self.flags or self.before or not self.opens else ())

    @property
    def setting(self) -> tuple[object, ...]:
        """All that a server is started with: scenarios where it is equal can share one."""
        return self.models, self.flags, self.files, self.before, self.opens

    def together(self, index: int) -> range:
        """Numbers of the steps that happen together with step number ``index``."""
        start, stop = index, index + 1
        while self.steps[start].beside:
            start -= 1
        while stop < len(self.steps) and self.steps[stop].beside:
            stop += 1
        return range(start, stop)

    @property
    def poll_seconds(self) -> int:
        """Seconds between two looks at the disk."""
        return int(self.flags.get("file_system_poll_wait_seconds", DEFAULT_POLL_SECONDS))

    def configured(self) -> dict[str, Model]:
        """Every model that the server is configured with at any time, by name."""
        models = {model.name: model for model in self.models}
        for step in self.steps:
            for action in step.actions:
                if hasattr(action, "models"):
                    models = {model.name: model for model in action.models} | models
        return models

    def contents(self, model: str, version: int, step: int) -> int:
        """The contents with which ``version`` answers after step number ``step``.

        A version is read when it is loaded and never again [3.8.1], so ``Replace`` does not count.
        """
        found = self.configured()[model].contents(version)
        for played in self.steps[: step + 1]:
            for action in played.actions:
                if isinstance(action, Publish) and (action.model, action.version) == (model, version):
                    default = self.configured()[model].contents(version)
                    found = default if action.contents is None else action.contents
        return found


def _unique(what: str, names: Sequence[str]) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{what} ids given twice: {', '.join(sorted(twice))}")
