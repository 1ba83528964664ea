"""The verdict of a run: one sentence that a stranger can act on, and the figures behind it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from reports import units
from reports.conformance import COUNTED, Tally, tally
from reports.record import Level, Outcome, Run


class Tone(StrEnum):
    """How a verdict is to be taken."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence and its tone."""

    tone: Tone
    text: str


def headline(run: Run) -> Statement:
    """The sentence that stands above everything else."""
    return _checks_headline(run) if run.is_conformance else _load_headline(run)


def score(counts: Tally) -> str:
    """``210/212 pass``, known differences counted apart: ``210/212 pass, 1 expected to fail``."""
    if not counts.tried:
        return "none tried"
    good = counts[Outcome.PASSED] + counts[Outcome.XPASSED]
    text = f"{units.count(good)}/{units.count(counts.tried)} pass"
    if counts.expected:
        text += f", {units.count(counts.expected)} expected to fail"
    return text


def level_tone(level: Level, counts: Tally) -> Tone:
    """How the outcome at one level is to be taken: a failing MUST is bad, anything else amiss a warning."""
    if not counts.bad:
        return Tone.GOOD if counts.tried else Tone.WARN
    return Tone.BAD if level is Level.MUST and counts.failing else Tone.WARN


def _checks_headline(run: Run) -> Statement:
    counts = tally(run.checks)
    must = tally(run.checks, [Level.MUST])
    if not counts.tried:
        skipped = f" ({units.plural(counts[Outcome.SKIPPED], 'check')} skipped)" if counts else ""
        return Statement(Tone.WARN, f"Nothing was checked{skipped}")
    ending = "" if run.finished else ", and the run did not finish"
    if run.header.against and counts[Outcome.FAILED]:
        # A check of two servers fails where they differ, whatever the rule says.
        of = f"{units.count(counts[Outcome.FAILED])} of {units.plural(counts.tried, 'check')}"
        tone = Tone.BAD if must[Outcome.FAILED] else Tone.WARN
        return Statement(tone, f"Differs from {run.header.against.label} in {of}{ending}")
    if must[Outcome.FAILED]:
        of = f"{units.count(must[Outcome.FAILED])} of {units.plural(must.tried, 'MUST check')}"
        return Statement(Tone.BAD, f"Does not conform: {of} {_fail(must[Outcome.FAILED])}{ending}")
    if must[Outcome.ERRORED]:
        of = units.plural(must[Outcome.ERRORED], "MUST check")
        return Statement(Tone.BAD, f"Undecided: the harness itself broke in {of}{ending}")
    if counts.bad:
        faults = [
            f"{units.count(failing)} {level} {_fail(failing)}"
            for level in Level
            if (failing := tally(run.checks, [level]).failing)
        ]
        if surprises := counts[Outcome.XPASSED]:
            verb = "passes" if surprises == 1 else "pass"
            faults.append(f"{units.plural(surprises, 'check')} {verb} unexpectedly")
        return Statement(Tone.WARN, f"Every MUST holds, but {' and '.join(faults)}{ending}")
    if not run.finished:
        return Statement(Tone.WARN, f"Unfinished: {units.plural(counts.tried, 'check')} ran, none fails")
    counted = tally(run.checks, COUNTED)
    if not counted.tried:
        return Statement(Tone.WARN, "No check at a level that counts for conformance")
    known = f", {units.plural(counts.expected, 'known difference')}" if counts.expected else ""
    skipped = f", {units.count(counts[Outcome.SKIPPED])} skipped" if counts[Outcome.SKIPPED] else ""
    verb = "holds" if counts[Outcome.PASSED] == 1 else "hold"
    held = f"{units.plural(counts[Outcome.PASSED], 'check')} {verb}"
    if run.header.against:
        tried = units.plural(counted.tried, "check")
        return Statement(
            Tone.GOOD, f"No difference from {run.header.against.label} in {tried}{known}{skipped}"
        )
    return Statement(Tone.GOOD, f"Conforms: {held}{known}{skipped}")


def _load_headline(run: Run) -> Statement:
    by_name = {verdict.name: verdict for verdict in run.verdicts}
    counts = Counter[str]()
    for steps in run.windows.cells.values():
        for cell in steps.values():
            counts.update(cell.counts)
    if not counts["done"]:
        return Statement(Tone.WARN, "No request was answered")
    validity = by_name.get("validity")
    if validity is not None and validity.ok is False:
        return Statement(Tone.BAD, f"INVALID: {validity.text}")
    if counts["wrong"]:
        text = f"Wrong answers: {units.count(counts['wrong'])} of {units.count(counts['done'])} replies"
        return Statement(Tone.BAD, text)
    missed = [verdict for verdict in run.verdicts if verdict.ok is False]
    if missed:
        title = "SLO missed" if missed[0].name == "slo" else missed[0].name.capitalize()
        return Statement(Tone.BAD, f"{title}: {missed[0].text}")
    if not run.finished:
        return Statement(Tone.WARN, "The run did not finish")
    met = [verdict for verdict in run.verdicts if verdict.ok and verdict.name in ("slo", "peak")]
    if met:
        objectives = [verdict.text for verdict in met if verdict.name == "slo"]
        parts = [f"SLO met: {', '.join(objectives)}"] if objectives else []
        # What the peak rests on is told below the headline.
        parts += [
            f"Peak: {': '.join(verdict.text.split(': ')[:2])}" for verdict in met if verdict.name == "peak"
        ]
        return Statement(Tone.GOOD, "; ".join(parts))
    return Statement(Tone.GOOD, "A valid run; no objective was set")


def _fail(number: int) -> str:
    return "fails" if number == 1 else "fail"
