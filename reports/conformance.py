"""Runs of checks, put side by side: what holds, what does not, and where targets differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.record import SEVERITY, Check, Level, Miniature, Outcome, Run, Spec

#: The levels that a conforming server must satisfy, with QUIRK: clients lean on undocumented behaviour too.
COUNTED = (Level.MUST, Level.SHOULD, Level.QUIRK)


class Tally(Counter[Outcome]):
    """How many checks ended how."""

    @property
    def tried(self) -> int:
        """All but the skipped ones."""
        return self.total() - self[Outcome.SKIPPED]

    @property
    def bad(self) -> int:
        """Those that somebody must look at."""
        return sum(count for outcome, count in self.items() if outcome.bad)

    @property
    def failing(self) -> int:
        """Those that fail although nobody expected it, the harness' own failures included."""
        return self[Outcome.FAILED] + self[Outcome.ERRORED]

    @property
    def expected(self) -> int:
        """Those that failed as was expected."""
        return self[Outcome.XFAILED]


@dataclass(frozen=True, slots=True)
class Row:
    """One check and its results, a place for each run; None where a run did not have it."""

    results: tuple[Check | None, ...]

    @property
    def any(self) -> Check:
        """The check itself: its rule and ids are the same in each run."""
        return next(result for result in self.results if result is not None)

    @property
    def worst(self) -> Outcome:
        """The outcome that matters most, over all runs."""
        return min((result.outcome for result in self.results if result), key=SEVERITY.__getitem__)

    @property
    def differs(self) -> bool:
        """Whether the servers disagree: within one run, or from one run to another."""
        return any(result.differs for result in self.results if result) or self.only_some_pass

    @property
    def only_some_pass(self) -> bool:
        """Whether runs that tried the check ended differently."""
        outcomes = {
            result.outcome for result in self.results if result and result.outcome is not Outcome.SKIPPED
        }
        return len(outcomes) > 1


@dataclass(frozen=True, slots=True)
class Chapter:
    """The checks of one chapter, and for each run its tally by level."""

    name: str
    rows: tuple[Row, ...]
    tallies: tuple[dict[Level, Tally], ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many facts of the spec a chapter of it has, and how many of them some check names."""

    section: str
    named: int
    known: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conformance:
    """Runs side by side; ``tallies`` has one entry a run."""

    runs: tuple[Run, ...]
    rows: tuple[Row, ...]
    chapters: tuple[Chapter, ...]
    tallies: tuple[dict[Level, Tally], ...]
    coverage: tuple[Coverage, ...]
    facts: int
    miniatures: tuple[Miniature, ...]

    @property
    def spec(self) -> Spec:
        """The catalogue that the checks refer to, as the first run that has one gives it."""
        return next((run.header.spec for run in self.runs if run.header.spec.facts), self.runs[0].header.spec)


def conformance(runs: Sequence[Run]) -> Conformance:
    """What one or more runs of checks say together. Checks are matched by id."""
    by_id: dict[str, list[Check | None]] = {}
    for place, run in enumerate(runs):
        for check in run.checks:
            by_id.setdefault(check.id, [None] * len(runs))[place] = check
    rows = [Row(tuple(results)) for results in by_id.values()]
    rows.sort(key=lambda row: (natural(row.any.chapter), natural(row.any.id)))
    chapters: dict[str, list[Row]] = {}
    for row in rows:
        chapters.setdefault(row.any.chapter, []).append(row)
    spec = next((run.header.spec for run in runs if run.header.spec.facts), Spec())
    named = {fact for row in rows for fact in row.any.facts}
    return Conformance(
        runs=tuple(runs),
        rows=tuple(rows),
        chapters=tuple(
            Chapter(name, tuple(rows), _tallies(rows, len(runs))) for name, rows in chapters.items()
        ),
        tallies=_tallies(rows, len(runs)),
        coverage=_coverage(spec, named),
        facts=len(named),
        miniatures=_miniatures(runs),
    )


def tally(checks: Iterable[Check], levels: Iterable[Level] = tuple(Level)) -> Tally:
    """How the checks of some levels ended."""
    wanted = frozenset(levels)
    return Tally(check.outcome for check in checks if check.level in wanted)


def natural(text: str) -> list[tuple[int, int | str]]:
    """A key that sorts 2 before 10, and 4.2 before 4.10."""
    parts = re.split(r"(\d{1,15})", text)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def _tallies(rows: Iterable[Row], runs: int) -> tuple[dict[Level, Tally], ...]:
    tallies: tuple[dict[Level, Tally], ...] = tuple({} for _ in range(runs))
    for row in rows:
        for place, result in enumerate(row.results):
            if result is not None:
                tallies[place].setdefault(result.level, Tally())[result.outcome] += 1
    return tallies


def _coverage(spec: Spec, named: set[str]) -> tuple[Coverage, ...]:
    sections: dict[str, list[str]] = {}
    for fact in spec.facts:
        sections.setdefault(fact.partition(".")[0], []).append(fact)
    return tuple(
        Coverage(
            section,
            sum(fact in named for fact in facts),
            len(facts),
            tuple(fact for fact in facts if fact not in named),
        )
        for section, facts in sorted(sections.items(), key=lambda item: natural(item[0]))
    )


def _miniatures(runs: Sequence[Run]) -> tuple[Miniature, ...]:
    by_name: dict[str, Miniature] = {}
    for run in runs:
        for miniature in run.miniatures:
            present = by_name.get(miniature.name)
            if present is None or not present.caught:
                by_name[miniature.name] = miniature
    return tuple(by_name[name] for name in sorted(by_name))
