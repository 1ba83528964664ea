"""A summary in Markdown, short enough for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reports import units, verdict, views
from reports.comparison import CheckComparison, LoadComparison
from reports.conformance import COUNTED, natural, tally
from reports.load import QUANTILES, Endpoint, load
from reports.record import Check, Level, Outcome, Run
from reports.verdict import Tone

_SIGNS = {Tone.GOOD: "✅", Tone.WARN: "⚠️", Tone.BAD: "❌"}
_MOST = 20
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&])")


def summary(runs: Sequence[Run]) -> str:
    """The verdict of each run, its figures, and what somebody must look at."""
    sections = [_run(run, name) for run, name in zip(runs, views.labels(runs), strict=True)]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def check_comparison(found: CheckComparison) -> str:
    """What changed between two runs of checks."""
    lines = [f"{_SIGNS[Tone.BAD if found.worse else Tone.GOOD]} **{_check_sentence(found)}**"]
    for title, checks in (
        ("Broken", found.broken),
        ("Mended", found.mended),
        ("Still failing", found.still_failing),
        ("New", found.added),
        ("Gone", found.gone),
        ("Newly skipped", found.skipped),
    ):
        if checks:
            lines += ["", f"{title}:", "", *_listed(checks)]
    return "\n".join(lines) + "\n"


def load_comparison(found: LoadComparison) -> str:
    """What changed between two load runs, in figures and in words."""
    lines = [f"> {text(caution)}" for caution in found.cautions]
    if not found.changes:
        return "\n".join([*lines, "The runs have nothing in common to compare."]) + "\n"
    lines += [""] if lines else []
    lines += [text(found.summary), "", "| | before | after | |", "|---|--:|--:|---|"]
    for change in found.changes:
        shown = units.duration_us if change.figure.startswith("p") else units.digits
        figures = f"{shown(change.before)} | {shown(change.after)}"
        lines.append(f"| {text(change.endpoint)}, {change.figure} | {figures} | {change.words} |")
    return "\n".join(lines) + "\n"


def text(words: str) -> str:
    """Words that Markdown and HTML leave as they are, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.split()))


def code(words: str) -> str:
    """Words as code, whatever backticks or bars they hold, on one line."""
    line = " ".join(words.split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}" if line else ""


def _run(run: Run, name: str) -> list[str]:
    headline = verdict.headline(run)
    lines = [f"### {_SIGNS[headline.tone]} {text(headline.text)}", ""]
    against = f" against {text(run.header.against.label)}" if run.header.against else ""
    lines.append(f"{text(name)}{against}, {run.header.started[:10]}, {text(run.header.tool)}")
    lines += [f"> {text(note)}" for note in run.notes]
    return lines + ([*_checks(run)] if run.is_conformance else [*_load(run)])


def _checks(run: Run) -> Iterable[str]:
    yield from ("", "| level | checks |", "|---|---|")
    for level in Level:
        counts = tally(run.checks, [level])
        if counts:
            sign = _SIGNS[verdict.level_tone(level, counts)]
            apart = "" if level in COUNTED else " (not counted)"
            skipped = f", {units.count(counts[Outcome.SKIPPED])} skipped" if counts[Outcome.SKIPPED] else ""
            yield f"| {sign} {level} | {verdict.score(counts)}{skipped}{apart} |"
    for title, checks in (
        ("To be looked at", [check for check in run.checks if check.outcome.bad]),
        ("Where the servers differ", [check for check in run.checks if check.differs]),
    ):
        if checks:
            yield from ("", f"{title}:", "")
            yield from _listed(sorted(checks, key=lambda check: natural(check.id)))


def _listed(checks: Sequence[Check]) -> Iterable[str]:
    for check in checks[:_MOST]:
        outcome = views.WORDS[check.outcome]
        yield f"- {code(check.id)} ({check.level}, {outcome}) {text(check.rule)}{_told(check)}"
    if len(checks) > _MOST:
        yield f"- and {units.count(len(checks) - _MOST)} more"


def _told(check: Check) -> str:
    """What came instead of what, as the end of a list item."""
    if check.actual and check.expected:
        return f" Expected {code(_short(check.expected))}, got {code(_short(check.actual))}."
    if check.actual:
        return f" Got {code(_short(check.actual))}."
    if check.differs and check.diff and check.diff.cause:
        return f" Difference: {text(check.diff.cause)}."
    return ""


def _load(run: Run) -> Iterable[str]:
    found = load(run)
    yield ""
    for each in run.verdicts:
        sign = _SIGNS[Tone.GOOD if each.ok else Tone.WARN if each.ok is None else Tone.BAD]
        yield f"- {sign} {text(each.name)}: {text(each.text)}"
    yield f"\n| endpoint | asked | correct | correct/s | {' | '.join(QUANTILES.values())} |"
    yield f"|---|{'--:|' * (3 + len(QUANTILES))}"
    rows = (
        [*found.endpoints[:_MOST]] if len(found.endpoints) == 1 else [found.whole, *found.endpoints[:_MOST]]
    )
    for endpoint in rows:
        yield _endpoint(endpoint)


def _endpoint(endpoint: Endpoint) -> str:
    cells = [
        text(endpoint.name),
        units.count(endpoint.asked),
        units.share(endpoint.cell.counts["correct"], endpoint.asked),
        units.digits(endpoint.cell.per_second("correct")),
    ]
    for percentile in endpoint.percentiles:
        around = f" ({units.span_us(*percentile.interval)})" if percentile.interval else ""
        cells.append(f"{units.duration_us(percentile.value_us)}{around}")
    return f"| {' | '.join(cells)} |"


def _check_sentence(found: CheckComparison) -> str:
    parts = [
        f"{units.plural(len(checks), 'check')} {verb}"
        for verb, checks in (
            ("broke", found.broken),
            ("mended", found.mended),
            ("still failing", found.still_failing),
        )
        if checks
    ]
    return ", ".join(parts) if parts else "No change in what holds"


def _short(words: str) -> str:
    return words if len(words) <= 120 else words[:117] + "..."
