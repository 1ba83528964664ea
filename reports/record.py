"""The values that a run record holds, as the rest of this package sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reports.windows import Windows


class Level(StrEnum):
    """How binding a check is; only MUST, SHOULD and QUIRK count for conformance."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    QUIRK = "QUIRK"
    EXT = "EXT"
    UNVERIFIED = "UNVERIFIED"


class Outcome(StrEnum):
    """How a check ended, worst first.

    ``errored``: the harness itself broke. ``xfailed``: failed, as was expected. ``xpassed``: passed, which
    was not expected.
    """

    ERRORED = "errored"
    FAILED = "failed"
    XPASSED = "xpassed"
    XFAILED = "xfailed"
    SKIPPED = "skipped"
    PASSED = "passed"

    @property
    def bad(self) -> bool:
        """Whether somebody must look: after an unexpected pass too, for the expectation is stale."""
        return self in (Outcome.ERRORED, Outcome.FAILED, Outcome.XPASSED)


#: Worst first: the order in which outcomes are shown and merged.
SEVERITY = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Target:
    """The server that was examined: how it was named on the command line, and what answered there."""

    spec: str
    kind: str
    label: str
    server: str
    image: str
    flags: tuple[str, ...]
    rest: str
    grpc: str


@dataclass(frozen=True, slots=True)
class Spec:
    """The catalogue that checks refer to. In ``url``, ``{fact}`` stands for a fact's id.

    ``titles`` say what facts, sections and rows are about; ``sources`` where facts come from, by id or a
    number above.
    """

    title: str = ""
    url: str = ""
    facts: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def link(self, fact: str) -> str:
        """Where a fact can be read up; empty if nobody said."""
        if self.url:
            return self.url.replace("{fact}", fact)
        above = fact
        while above and above not in self.sources:
            above = above.rpartition(".")[0]
        return self.sources.get(above, "")


@dataclass(frozen=True, slots=True)
class Header:
    """Where a run's figures come from. ``run`` is ``conformance``, ``load`` or ``bench``."""

    run: str
    tool: str
    started: str
    id: str
    target: Target
    against: Target | None
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    seeds: Mapping[str, Any]
    commit: str
    models: Mapping[str, Mapping[str, str]]
    options: Mapping[str, Any]
    spec: Spec


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, written out; ``against`` when the second server of a run gave it."""

    protocol: str
    against: bool
    request: str
    response: str


@dataclass(frozen=True, slots=True)
class Diff:
    """How the answers of two servers to one request compare."""

    equal: bool
    cause: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule, tried once. Texts are as recorded, very long ones cut."""

    id: str
    chapter: str
    level: Level
    outcome: Outcome
    facts: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    rule: str = ""
    protocol: str = ""
    reason: str = ""
    expected: str = ""
    actual: str = ""
    recipe: str = ""
    duration_s: float = 0.0
    exchanges: tuple[Exchange, ...] = ()
    diff: Diff | None = None

    @property
    def differs(self) -> bool:
        """Whether the two servers of one run answered differently."""
        return self.diff is not None and not self.diff.equal


@dataclass(frozen=True, slots=True)
class Miniature:
    """A server that is wrong on purpose, and the checks that noticed."""

    name: str
    fault: str
    caught: bool
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened ``t`` seconds into the run."""

    t: float
    name: str
    model: str
    version: str
    detail: str


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a load run at one rate. The percentiles are the recorder's own, where it gave any."""

    name: str
    t: float
    length_s: float
    rate: float | None
    p50_us: float | None
    p99_us: float | None

    @property
    def end_s(self) -> float:
        """When it ended."""
        return self.t + self.length_s


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server or the generator used of the machine at a moment."""

    t: float
    who: str
    cpu_percent: float | None
    rss_bytes: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The rate that the generator reaches against a server that does nothing."""

    protocol: str
    ceiling_per_s: float
    null_p50_us: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement that the recorder made; ``ok`` None when it could not tell. ``detail`` is as recorded."""

    name: str
    ok: bool | None
    text: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Footer:
    """How a run ended."""

    duration_s: float | None
    exit_code: int | None
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A whole record.

    ``footer`` None: the run did not end. ``notes``: what a reader must know of the file.
    """

    header: Header
    footer: Footer | None
    checks: tuple[Check, ...] = ()
    miniatures: tuple[Miniature, ...] = ()
    events: tuple[Event, ...] = ()
    phases: tuple[Phase, ...] = ()
    windows: Windows = field(default_factory=Windows)
    usage: tuple[Usage, ...] = ()
    server_metrics: Mapping[str, float] = field(default_factory=dict)
    calibrations: tuple[Calibration, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_conformance(self) -> bool:
        """Whether this is a run of checks, rather than of load."""
        return self.header.run == "conformance"

    @property
    def finished(self) -> bool:
        """Whether the run came to its own end; one that did not proves nothing by what it lacks."""
        return self.footer is not None and not self.footer.interrupted
