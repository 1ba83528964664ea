"""Many runs in time: what changed from one to the next, and since when a check fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports import reading, units
from reports.comparison import CheckComparison, LoadComparison, compare_checks, compare_loads
from reports.conformance import COUNTED, natural, tally
from reports.load import QUANTILES
from reports.record import Check, Run
from reports.verdict import Statement, headline, score
from reports.windows import total

#: Names of records that a folder is searched for.
PATTERNS = ("*.jsonl", "*.jsonl.gz")


@dataclass(frozen=True, slots=True)
class Moment:
    """One run in a series: its verdict, its score in words, and what changed since the run before."""

    run: Run
    verdict: Statement
    score: str
    checks: CheckComparison | None
    load: LoadComparison | None

    @property
    def changes(self) -> tuple[str, ...]:
        """What changed, a sentence each; empty when nothing did or there is nothing to compare with."""
        if self.checks is not None:
            return tuple(_check_changes(self.checks))
        if self.load is not None:
            return tuple(
                f"{change.endpoint}, {change.figure}: {change.words}"
                for change in self.load.changes
                if change.direction in ("better", "worse")
            )
        return ()


@dataclass(frozen=True, slots=True)
class Failing:
    """A check that fails in the newest run, and the first run of the unbroken row of failures."""

    check: Check
    since: str
    runs: int


@dataclass(frozen=True, slots=True)
class Series:
    """Runs of one kind at one target, oldest first.

    ``figures`` are (name, unit, points); units are ``us``, ``/s`` or none.
    """

    name: str
    moments: tuple[Moment, ...]
    failing: tuple[Failing, ...]
    figures: tuple[tuple[str, str, tuple[tuple[str, float], ...]], ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """All series, and the files that were passed over because they are no records."""

    series: tuple[Series, ...]
    passed_over: tuple[str, ...]


def find(folder: Path) -> list[Path]:
    """The records in a folder and below, in a fixed order."""
    return sorted(path for pattern in PATTERNS for path in folder.rglob(pattern) if path.is_file())


def trend(paths: Iterable[Path]) -> Trend:
    """The series among some records. What is no record is passed over and named."""
    runs: list[Run] = []
    passed_over = []
    for path in paths:
        try:
            runs.append(reading.read(path))
        except reading.RecordError as error:
            passed_over.append(str(error))
    by_series: dict[tuple[str, str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.header.started, run.header.id)):
        by_series.setdefault((run.header.run, run.header.target.spec, workload(run)), []).append(run)
    return Trend(
        tuple(_series(*key, by_series[key]) for key in sorted(by_series)),
        tuple(passed_over),
    )


def workload(run: Run) -> str:
    """What was asked of the server, in words: runs that were asked different things are no trend."""
    if run.is_conformance:
        return f"against {run.header.against.spec}" if run.header.against else ""
    options = {name: value for name, value in run.header.options.items() if value not in (None, "", False, 0)}
    words = [str(options[name]) for name in ("scenario", "model", "requests", "protocol") if name in options]
    if "arrival" in options or "rate" in options:
        rate = f"{options['rate']}/s" if "rate" in options else ""
        words.append(" ".join(filter(None, (str(options.get("arrival", "")), rate))))
    words += [f"{name} {options[name]}" for name in ("encoding", "batch") if name in options]
    told = {"find_peak": "search for the peak", "no_steps": "no steps"}
    words += [phrase for name, phrase in told.items() if name in options]
    return ", ".join(words)


def _series(kind: str, spec: str, asked: str, runs: Sequence[Run]) -> Series:
    moments = [_moment(run, before) for before, run in zip([None, *runs[:-1]], runs, strict=True)]
    name = f"{kind.capitalize()} of {spec}" + (f": {asked}" if asked else "")
    return Series(name, tuple(moments), tuple(_failing(runs)), tuple(_figures(runs)))


def _moment(run: Run, before: Run | None) -> Moment:
    if run.is_conformance:
        counts = score(tally(run.checks, COUNTED))
        return Moment(run, headline(run), counts, compare_checks(before, run) if before else None, None)
    cell = total(run.windows.over_time())
    asked = cell.counts["done"] + cell.counts["dropped"]
    words = f"{units.share(cell.counts['correct'], asked)} correct of {units.count(asked)}"
    return Moment(run, headline(run), words, None, compare_loads(before, run) if before else None)


def _failing(runs: Sequence[Run]) -> list[Failing]:
    if not runs[-1].is_conformance:
        return []
    outcomes = [{check.id: check.outcome for check in run.checks} for run in runs]
    found = []
    for check in runs[-1].checks:
        if check.outcome.bad:
            streak = 0
            for run in reversed(outcomes):
                if check.id not in run or not run[check.id].bad:
                    break
                streak += 1
            found.append(Failing(check, runs[-streak].header.started, streak))
    return sorted(found, key=lambda each: natural(each.check.id))


def _figures(runs: Sequence[Run]) -> Iterable[tuple[str, str, tuple[tuple[str, float], ...]]]:
    dates = [f"{run.header.started[:10]} {run.header.started[11:16]}" for run in runs]
    if runs[0].is_conformance:
        for level in COUNTED:
            counts = [tally(run.checks, [level]) for run in runs]
            if any(each.tried for each in counts):
                bad = [float(each.bad) for each in counts]
                yield f"{level} checks to be looked at", "", tuple(zip(dates, bad, strict=True))
        return
    cells = [total(run.windows.over_time()) for run in runs]
    for quantile, name in list(QUANTILES.items())[::2]:
        points = tuple(
            (date, float(cell.response.quantile(quantile)))
            for date, cell in zip(dates, cells, strict=True)
            if cell.response.total
        )
        yield f"{name} response time", "us", points
    yield (
        "correct answers",
        "/s",
        tuple((date, cell.per_second("correct")) for date, cell in zip(dates, cells, strict=True)),
    )


def _check_changes(changes: CheckComparison) -> Iterable[str]:
    for verb, checks in (("broke", changes.broken), ("was mended", changes.mended)):
        yield from (f"{check.id} {verb}" for check in checks[:20])
        if len(checks) > 20:
            yield f"{units.plural(len(checks) - 20, 'more check')} {verb}"
    for verb, checks in (
        ("new", changes.added),
        ("gone", changes.gone),
        ("newly skipped", changes.skipped),
    ):
        if checks:
            yield f"{units.plural(len(checks), 'check')} {verb}"
