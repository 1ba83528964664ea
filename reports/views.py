"""What a page shows of checks: rows with the exchanges of all sides next to each other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.conformance import Conformance, Row
from reports.record import SEVERITY, Check, Exchange, Level, Outcome, Run
from reports.transcript import Piece, marked

#: A page lists at most so many checks; those that need attention come first.
MAX_ROWS = 3_000
_MAX_EXCHANGES = 12

WORDS = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "failed",
    Outcome.ERRORED: "harness error",
    Outcome.SKIPPED: "skipped",
    Outcome.XFAILED: "known difference",
    Outcome.XPASSED: "unexpected pass",
}
SIGNS = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✕",
    Outcome.ERRORED: "!",
    Outcome.SKIPPED: "–",
    Outcome.XFAILED: "≈",
    Outcome.XPASSED: "?",
}


@dataclass(frozen=True, slots=True)
class Side:
    """An exchange as one server saw it; ``request`` empty when all sides had the same."""

    label: str
    request: tuple[Piece, ...]
    response: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """The same exchange on each side; ``request`` is the one that they share, if they do."""

    protocol: str
    request: str
    sides: tuple[Side, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A check's outcome at one target."""

    label: str
    check: Check


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check as the page lists it."""

    anchor: str
    check: Check
    worst: Outcome
    differs: bool
    results: tuple[Result | None, ...]
    turns: tuple[Turn, ...]

    @property
    def shown(self) -> tuple[Result, ...]:
        """The results that there are."""
        return tuple(result for result in self.results if result is not None)

    @property
    def told(self) -> tuple[Result, ...]:
        """The results that have something to tell beyond their outcome."""
        return tuple(
            result
            for result in self.shown
            if result.check.reason
            or result.check.expected
            or result.check.actual
            or (result.check.diff and result.check.diff.cause)
        )

    @property
    def recipe(self) -> str:
        """A script that shows the behaviour again: of the worst result that has one."""
        checks = sorted(
            (result.check for result in self.shown), key=lambda check: check.outcome is not self.worst
        )
        return next((check.recipe for check in checks if check.recipe), "")


@dataclass(frozen=True, slots=True)
class Cause:
    """Checks that show the same difference, those that need attention first."""

    words: str
    checks: tuple[CheckView, ...]

    @property
    def recipe(self) -> str:
        """A script that shows the difference: of the first check that has one."""
        return next((check.recipe for check in self.checks if check.recipe), "")


@dataclass(frozen=True, slots=True)
class ChapterView:
    """The listed checks of one chapter."""

    name: str
    checks: tuple[CheckView, ...]


def labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """A short name for each run, all different: the target's label, where needed with time or number."""
    names = [run.header.target.label or run.header.target.spec for run in runs]
    starts = [run.header.started[:16].replace("T", " ") for run in runs]
    names = [
        name if names.count(name) == 1 else f"{name}, {start}"
        for name, start in zip(names, starts, strict=True)
    ]
    return tuple(
        name if names.count(name) == 1 else f"{name} #{names[: place + 1].count(name)}"
        for place, name in enumerate(names)
    )


def chapters(view: Conformance) -> tuple[tuple[ChapterView, ...], int]:
    """The checks to list, by chapter, and how many passed ones had to be left out."""
    names = labels(view.runs)
    spare = MAX_ROWS - sum(_notable(row) for row in view.rows)
    listed, left_out = [], 0
    for chapter in view.chapters:
        kept = []
        for row in chapter.rows:
            if not _notable(row):
                spare -= 1
            if _notable(row) or spare >= 0:
                kept.append(check_view(row, names))
            else:
                left_out += 1
        listed.append(ChapterView(chapter.name, tuple(kept)))
    return tuple(listed), left_out


def check_view(row: Row, names: Sequence[str]) -> CheckView:
    """One check with its results at each target."""
    results = tuple(
        None if check is None else Result(name, check) for name, check in zip(names, row.results, strict=True)
    )
    return CheckView(
        anchor=anchor(row.any.id),
        check=row.any,
        worst=row.worst,
        differs=row.differs,
        results=results,
        turns=tuple(_turns([result for result in results if result])),
    )


def anchor(name: str) -> str:
    """A stable id for an element about a check: readable, and unlike that of any other check."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    return f"c-{slug}-{hashlib.blake2s(name.encode(), digest_size=3).hexdigest()}"


def urgency(view: CheckView) -> tuple[int, int]:
    """Sorts what somebody must look at: the most binding level first, then the worst outcome."""
    return list(Level).index(view.check.level), SEVERITY[view.worst]


def causes(views: Iterable[CheckView]) -> tuple[Cause, ...]:
    """Differing checks by what differs, the cause of most first."""
    found: dict[str, list[CheckView]] = {}
    for view in views:
        told = [
            result.check.diff.cause for result in view.shown if result.check.diff and result.check.differs
        ]
        words = told[0] or "the answers differ" if told else _outcomes(view)
        found.setdefault(words, []).append(view)
    return tuple(
        Cause(words, tuple(sorted(some, key=urgency)))
        for words, some in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def _outcomes(view: CheckView) -> str:
    return "; ".join(f"{WORDS[result.check.outcome]} at {result.label}" for result in view.shown)


def levels(view: Conformance) -> tuple[Level, ...]:
    """The levels that occur, most binding first."""
    return tuple(level for level in Level if any(level in tallies for tallies in view.tallies))


def _notable(row: Row) -> bool:
    return row.differs or row.worst not in (Outcome.PASSED, Outcome.SKIPPED)


def _turns(results: Sequence[Result]) -> Iterable[Turn]:
    sides: list[tuple[str, list[Exchange]]] = []
    for result in results:
        ours = [each for each in result.check.exchanges if not each.against]
        theirs = [each for each in result.check.exchanges if each.against]
        sides.append((result.label, ours))
        if theirs:
            sides.append(("against", theirs))
    sides = [side for side in sides if side[1]]
    for at in range(min(max((len(some) for _, some in sides), default=0), _MAX_EXCHANGES)):
        yield _turn([(label, some[at]) for label, some in sides if at < len(some)])


def _turn(sides: Sequence[tuple[str, Exchange]]) -> Turn:
    first = sides[0][1]
    same = all(each.request == first.request for _, each in sides)
    shown = []
    for label, each in sides:
        # Two sides are marked against each other; of more, each against the first.
        other = sides[1][1] if each is first and len(sides) == 2 else first
        request = () if same else _pieces(each.request, other.request)
        shown.append(Side(label, request, _pieces(each.response, other.response)))
    return Turn(first.protocol, first.request if same else "", tuple(shown))


def _pieces(ours: str, theirs: str) -> tuple[Piece, ...]:
    return tuple(marked(ours, theirs)[0])
