"""What a run tells of one test: its line in the record, and the text of its failure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import pytest

from harness import recipe, recording
from harness.checks import Check
from harness.client import Exchange
from harness.scenario import Scenario, Step
from harness.side import Side
from harness.terms import Capability, Level, Protocol
from harness.verdict import Mismatch

_ROW = re.compile(r"[A-Z]+-\d+")
#: Lines of the server's log that a failure shows.
_LOG_LINES = 12


@dataclass(frozen=True, slots=True)
class StepCheck:
    """One check of one step over one protocol, or over none."""

    scenario: Scenario
    index: int
    check: Check
    protocol: Protocol | None

    @property
    def step(self) -> Step:
        """The step that the check belongs to."""
        return self.scenario.steps[self.index]


class Subject(NamedTuple):
    """What a test is about: its id in the record, its rule, and how to see it again."""

    name: str
    rule: str
    protocol: Protocol | None
    recipe: str
    evidence: list[Exchange]


def is_check(item: pytest.Item) -> bool:
    """Tell whether a test verifies something about the server."""
    return item.get_closest_marker("scenario") is not None or item.get_closest_marker("fact") is not None


def watched(item: pytest.Item) -> bool:
    """Tell whether a test watches what happens over time, so that its exchanges depend on the moment."""
    played = step_check(item)
    return played is not None and Capability.WATCH in played.check.needs


def step_check(item: pytest.Item) -> StepCheck | None:
    """The check of a scenario's step that a test verifies."""
    played = cast(pytest.Function, item).callspec.params.get("check") if hasattr(item, "callspec") else None
    return played if isinstance(played, StepCheck) else None


def level(item: pytest.Item) -> Level:
    """How binding a test's rule is."""
    mark = item.get_closest_marker("fact")
    return Level(mark.kwargs.get("level", Level.MUST) if mark else Level.MUST)


def server_log(item: pytest.Item, side: Side) -> str:
    """The end of the log of the server that the test looked at."""
    if item.get_closest_marker("scenario") is None:
        return "" if side.launcher.running is None else side.launcher.running[1].logs()
    return "" if side.active is None else side.active.server.logs()


def subject(item: pytest.Item, side: Side) -> Subject:
    """What a test is about, and what was exchanged for it."""
    function = cast(pytest.Function, item)
    params: dict[str, Any] = function.callspec.params if hasattr(function, "callspec") else {}
    chapter, module = item.path.parent.name, item.path.stem.removeprefix("test_")
    mark, marked = item.get_closest_marker("scenario"), item.get_closest_marker("fact")
    described = (function.function.__doc__ or function.originalname).strip()
    suffix = f"[{'-'.join(str(value) for value in params.values())}]" if params else ""
    if mark is None:
        launcher, start_up = side.launcher, params.get("start_up")
        return Subject(
            f"{chapter}/{module}/{function.originalname + suffix if start_up is None else start_up.id}",
            described if start_up is None else start_up.rule,
            marked.kwargs.get("protocol") if marked else None,
            launcher.recipe(item),
            list(launcher.evidence),
        )
    scenario: Scenario = mark.args[0]
    active = side.active
    evidence = list(active.evidence) if active is not None and active.scenario.id == scenario.id else []
    protocol: Protocol | None
    played, case = params.get("check"), params.get("case")
    if isinstance(played, StepCheck):
        over = "" if played.protocol is None else f"[{played.protocol}]"
        name = f"{scenario.id}/{played.step.id}/{played.check.key}{over}"
        protocol, step = played.protocol, played.step
        rule = f"{step.rule} Here: {played.check}."
    elif case is not None:
        name = f"{chapter}/{module}/{case.id}[{case.protocol}]"
        protocol, rule, step = case.protocol, case.rule, scenario.steps[0]
    else:
        protocol = params.get("protocol") or (marked.kwargs.get("protocol") if marked else None)
        name, rule, step = f"{scenario.id}/{function.originalname}{suffix}", described, scenario.steps[0]
    called = next((name for name, value in vars(function.module).items() if value is scenario), "SCENARIO")
    script = recipe.script(f"{function.module.__name__}:{called}", step.id, side.target.spec, evidence)
    return Subject(name, rule, protocol, script, evidence)


def line(
    item: pytest.Item, about: Subject, call: pytest.CallInfo[None], report: pytest.TestReport
) -> dict[str, Any]:
    """The record's line for a test, in plain types, since it may travel between processes."""
    mark = item.get_closest_marker("fact")
    facts = mark.args if mark else ()
    error = call.excinfo.value if call.excinfo is not None else None
    return {
        "id": about.name,
        "chapter": item.path.parent.name,
        "facts": [fact for fact in facts if not _ROW.fullmatch(fact)],
        "rows": [fact for fact in facts if _ROW.fullmatch(fact)],
        "level": level(item).value,
        "rule": about.rule,
        "protocol": None if about.protocol is None else Protocol(about.protocol).value,
        "outcome": _outcome(report),
        "reason": _reason(report),
        "expected": error.expected if isinstance(error, Mismatch) else None,
        "actual": error.actual if isinstance(error, Mismatch) else None,
        "recipe": None if report.passed else about.recipe,
        "duration_s": round(report.duration, 6),
        "exchanges": [
            recording.exchange_line(exchange) for exchange in about.evidence[-recording.EXCHANGES_KEPT :]
        ],
    }


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when == "setup":
        return "errored"
    return report.outcome


def _reason(report: pytest.TestReport) -> str | None:
    if report.passed:
        return None
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext.strip().splitlines()[-1] if report.longreprtext else None


def failure_text(line: dict[str, Any], logs: str) -> str:
    """A failure with its rule, what came instead, and how to see it again."""
    facts = ", ".join([*line["facts"], *line["rows"]])
    log = "".join(f"\n  {text}" for text in logs.splitlines()[-_LOG_LINES:])
    again = "".join(f"\n  {command}" for command in line["recipe"].splitlines())
    return (
        f"{line['id']} ({line['level']}, facts {facts})\n"
        f"rule:     {line['rule']}\n"
        f"expected: {line['expected']}\n"
        f"actual:   {line['actual']}\n"
        f"to see it again:{again}" + (f"\nend of the server's log:{log}" if log else "")
    )
