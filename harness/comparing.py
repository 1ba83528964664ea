"""The part of the pytest plugin that plays each test on two servers and compares them (``--against``).

A test passes where both behave alike, even if neither does what the rule says; it fails where they differ,
and is skipped where one of them cannot do what it needs.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from harness import differential, lines, recording
from harness.differential import Difference, Outcome
from harness.models.cache import BuildError
from harness.side import Side
from harness.targets import StartError, Unsupported

#: The attribute of a report that holds its line for the record.
LINE = "_conformance_check"
#: The attribute of a report that holds the exchanges of its check.
EVIDENCE = "_conformance_evidence"
#: Ids that the summary shows for each cause.
_IDS_SHOWN = 5
#: Characters of a cause that it shows; the record has all of it.
_CAUSE_SHOWN = 300


def play(
    item: pytest.Item,
    sides: tuple[Side, Side],
    enter: Callable[[Side], None],
    expect: Callable[[pytest.TestReport, dict[str, Any]], None],
) -> None:
    """Play a test on both sides, and report once.

    ``enter`` makes a side the current one, ``expect`` holds a report against what is expected to differ.
    """
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    _advance(item, sides)
    runs: list[list[pytest.TestReport]] = []
    outcomes: list[Outcome] = []
    for side in sides:
        enter(side)
        # No next item: fixtures of any scope belong to one side.
        reports = runtestprotocol(item, log=False, nextitem=None)
        deciding = _deciding(reports)
        line = getattr(deciding, LINE)
        runs.append(reports)
        outcomes.append(
            Outcome(
                line["outcome"],
                line["actual"] or line["reason"],
                getattr(deciding, EVIDENCE),
                side.own_words(),
                lines.watched(item),
            )
        )
    enter(sides[0])
    _judge(_deciding(runs[0]), _deciding(runs[1]), (outcomes[0], outcomes[1]), sides)
    deciding = _deciding(runs[0])
    expect(deciding, getattr(deciding, LINE))
    for report in runs[0]:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _advance(item: pytest.Item, sides: tuple[Side, Side]) -> None:
    """Play the steps before a check on both sides at once, so that neither waits while the other goes on.

    What a side cannot do, the test itself will tell.
    """
    played = lines.step_check(item)
    if played is None:
        return
    try:
        players = [side.player(played.scenario, played.index) for side in sides]
    except (Unsupported, StartError, BuildError):
        return
    with ThreadPoolExecutor(len(players)) as pool:
        for done in [pool.submit(player.reach, played.index) for player in players]:
            with contextlib.suppress(Unsupported):
                done.result()


def _deciding(reports: list[pytest.TestReport]) -> pytest.TestReport:
    """The report that carries the check's line."""
    return next(report for report in reports if hasattr(report, LINE))


def _judge(
    here: pytest.TestReport,
    there: pytest.TestReport,
    outcomes: tuple[Outcome, Outcome],
    sides: tuple[Side, Side],
) -> None:
    """Make ``here`` the report of the comparison."""
    line: dict[str, Any] = getattr(here, LINE)
    line["exchanges"] = [
        recording.exchange_line(exchange, side.name)
        for side, outcome in zip(sides, outcomes, strict=True)
        for exchange in outcome.exchanges[-recording.EXCHANGES_KEPT :]
    ]
    skipped = [side for side, outcome in zip(sides, outcomes, strict=True) if outcome.outcome == "skipped"]
    if skipped:
        report = here if skipped[0] is sides[0] else there
        reason = f"{skipped[0].name}: {getattr(report, LINE)['reason']}"
        here.outcome = "skipped"
        here.longrepr = ("", 0, f"Skipped: {reason}")
        line.update(outcome="skipped", reason=reason, expected=None, actual=None, recipe=None)
        return
    found = differential.differences(*outcomes)
    line["diff"] = {
        "equal": not found,
        "cause": found[0].cause if found else None,
        "paths": [difference.path for difference in found],
    }
    if found:
        here.outcome = "failed"
        here.longrepr = _told(line, found, sides)
        expected = f"as {sides[1].target.spec} does"
        line.update(outcome="failed", reason=found[0].cause, expected=expected, actual=found[0].cause)
        return
    both = outcomes[0].outcome
    here.outcome = "passed"
    here.longrepr = None
    shared = None if both == "passed" else f"both servers alike: {outcomes[0].actual}"
    line.update(outcome="passed", reason=shared, recipe=None)


def _told(line: dict[str, Any], found: list[Difference], sides: tuple[Side, Side]) -> str:
    told = "\n".join(f"differs:  {difference.cause} (at {difference.path})" for difference in found)
    return (
        f"{line['id']} ({line['level']})\nrule:     {line['rule']}\n"
        f"here:     {sides[0].target.spec}\nthere:    {sides[1].target.spec}\n{told}"
    )


def tell(
    reporter: pytest.TerminalReporter, compared: Sequence[Mapping[str, Any]], sides: Sequence[Side]
) -> None:
    """Write what differs between two servers, the most frequent cause first."""
    reporter.section("differences")
    outcomes = Counter(line["outcome"] for line in compared)
    reporter.line(f"here: {sides[0].target.spec}, there: {sides[1].target.spec}")
    reporter.line(
        f"{len(compared)} checks: {outcomes['passed']} alike, {outcomes['skipped']} not compared, "
        f"{sum(outcomes.values()) - outcomes['passed'] - outcomes['skipped']} differ"
    )
    found = ((line["id"], line["diff"]["cause"]) for line in compared if line.get("diff"))
    for cause, ids in differential.summary(found):
        more = f" and {len(ids) - _IDS_SHOWN} more" if len(ids) > _IDS_SHOWN else ""
        reporter.line(f"{len(ids)} x {cause[:_CAUSE_SHOWN]}: {', '.join(ids[:_IDS_SHOWN])}{more}")
