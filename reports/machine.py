"""JSON for machines: the badge of a run, and all figures that the page shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from reports import units, verdict
from reports.conformance import COUNTED, Conformance, Tally, conformance, tally
from reports.load import Endpoint, Load, load
from reports.record import Level, Outcome, Run, Target
from reports.verdict import Tone

#: The version of the format of ``report.json``; it grows by keys only.
REPORT_FORMAT = 1
_COLOURS = {Tone.GOOD: "brightgreen", Tone.WARN: "yellow", Tone.BAD: "red"}


def badge(run: Run) -> str:
    """A badge in the endpoint format of shields.io."""
    headline = verdict.headline(run)
    if run.is_conformance:
        counts = tally(run.checks, COUNTED)
        good = counts[Outcome.PASSED] + counts[Outcome.XPASSED]
        message = f"{units.count(good)}/{units.count(counts.tried)}" if counts.tried else "nothing checked"
        label = "TF Serving conformance"
    else:
        message = headline.text.partition(":")[0][:40]
        label = "TF Serving load"
    if not run.finished:
        message += ", unfinished"
    return _dumps({"schemaVersion": 1, "label": label, "message": message, "color": _COLOURS[headline.tone]})


def report(runs: Sequence[Run]) -> str:
    """Everything that was concluded from the runs: verdicts, tallies, outcomes, figures with intervals."""
    checked = [run for run in runs if run.is_conformance]
    return _dumps(
        {
            "format": REPORT_FORMAT,
            "runs": [_run(run) for run in runs],
            "conformance": _conformance(conformance(checked)) if checked else None,
            "load": [_load(load(run)) for run in runs if not run.is_conformance],
        }
    )


def _run(run: Run) -> dict[str, Any]:
    headline = verdict.headline(run)
    return {
        "id": run.header.id,
        "run": run.header.run,
        "started": run.header.started,
        "finished": run.finished,
        "target": _target(run.header.target),
        "against": _target(run.header.against) if run.header.against else None,
        "commit": run.header.commit or None,
        "verdict": {"tone": headline.tone, "text": headline.text},
        "verdicts": [{"name": each.name, "ok": each.ok, "text": each.text} for each in run.verdicts],
        "notes": list(run.notes),
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "spec": target.spec,
        "label": target.label,
        "server": target.server,
        "image": target.image or None,
    }


def _conformance(view: Conformance) -> dict[str, Any]:
    return {
        "levels": [_levels(tallies) for tallies in view.tallies],
        "chapters": [
            {"name": chapter.name, "levels": [_levels(tallies) for tallies in chapter.tallies]}
            for chapter in view.chapters
        ],
        "checks": [
            {
                "id": row.any.id,
                "level": row.any.level,
                "facts": list(row.any.facts),
                "rows": list(row.any.rows),
                "outcomes": [result.outcome if result else None for result in row.results],
                "differs": row.differs,
            }
            for row in view.rows
        ],
        "coverage": [
            {
                "section": each.section,
                "facts": each.known,
                "checked": each.named,
                "missing": list(each.missing),
            }
            for each in view.coverage
        ],
        "miniatures": [
            {"name": each.name, "caught": each.caught, "by": list(each.by)} for each in view.miniatures
        ],
    }


def _levels(tallies: dict[Level, Tally]) -> dict[str, dict[str, int]]:
    return {
        level.value: {
            outcome.value: tallies[level][outcome] for outcome in Outcome if tallies[level][outcome]
        }
        for level in Level
        if level in tallies
    }


def _load(found: Load) -> dict[str, Any]:
    return {
        "id": found.run.header.id,
        "endpoints": [_endpoint(each) for each in (found.whole, *found.endpoints)],
        "stages": [
            {
                "name": stage.name,
                "offered_per_s": stage.offered,
                "correct_per_s": stage.correct_per_s,
                "p50_us": stage.p50_us,
                "p99_us": stage.p99_us,
            }
            for stage in found.stages
        ],
        "gap_s": found.gap_s,
        "ceiling_share": found.ceiling_share,
        "split_us": None
        if found.split is None
        else {
            "runtime": found.split.runtime_us,
            "server": found.split.server_us,
            "outside": found.split.outside_us,
        },
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    cell = endpoint.cell
    return {
        "name": endpoint.name,
        "asked": endpoint.asked,
        **{name: cell.counts[name] for name in ("done", "correct", "wrong", "failed", "dropped", "late")},
        "correct_share_95": list(endpoint.correct),
        "correct_per_s": cell.per_second("correct"),
        "response_us": {
            each.name: {"value": each.value_us, "interval_95": list(each.interval) if each.interval else None}
            for each in endpoint.percentiles
        },
        "max_us": cell.response.highest,
        "errors": dict(sorted(cell.errors.items())),
    }


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
