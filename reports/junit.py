"""JUnit XML, for continuous integration systems: a suite per chapter, ids and levels as properties."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from reports.conformance import natural
from reports.record import Check, Level, Outcome, Run

#: How each outcome is told: the element within a test case. Known differences count as skipped.
_ELEMENTS = {
    Outcome.FAILED: "failure",
    Outcome.XPASSED: "failure",
    Outcome.ERRORED: "error",
    Outcome.XFAILED: "skipped",
    Outcome.SKIPPED: "skipped",
}


def junit(run: Run) -> str:
    """A run as JUnit XML. A load run's verdicts are its test cases."""
    checks = run.checks if run.is_conformance else tuple(_verdicts(run))
    chapters: dict[str, list[Check]] = {}
    for check in sorted(checks, key=lambda check: (natural(check.chapter), natural(check.id))):
        chapters.setdefault(check.chapter, []).append(check)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f"<testsuites{_counts(run.header.target.label, checks)}>")
    for chapter, some in chapters.items():
        lines.append(f"  <testsuite{_counts(chapter, some)} timestamp={quoteattr(run.header.started[:19])}>")
        lines += [line for check in some for line in _case(check)]
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _verdicts(run: Run) -> Iterable[Check]:
    for number, verdict in enumerate(run.verdicts, 1):
        outcome = {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.SKIPPED}[verdict.ok]
        yield Check(
            id=f"{run.header.run}/{verdict.name}-{number}",
            chapter=run.header.run,
            level=Level.MUST,
            outcome=outcome,
            rule=verdict.text,
        )


def _counts(name: str, checks: Iterable[Check]) -> str:
    checks = list(checks)
    elements = [_ELEMENTS.get(check.outcome) for check in checks]
    seconds = sum(check.duration_s for check in checks)
    return (
        f' name={quoteattr(name)} tests="{len(checks)}" failures="{elements.count("failure")}"'
        f' errors="{elements.count("error")}" skipped="{elements.count("skipped")}" time="{seconds:.3f}"'
    )


def _case(check: Check) -> Iterable[str]:
    yield (
        f"    <testcase classname={quoteattr(check.chapter)} name={quoteattr(check.id)}"
        f' time="{check.duration_s:.3f}">'
    )
    yield "      <properties>"
    properties = [("level", str(check.level)), ("outcome", str(check.outcome)), ("protocol", check.protocol)]
    properties += [("fact", fact) for fact in check.facts] + [("row", row) for row in check.rows]
    properties.append(("rule", check.rule))
    for name, value in properties:
        if value:
            yield f"        <property name={quoteattr(name)} value={quoteattr(value)}/>"
    yield "      </properties>"
    element = _ELEMENTS.get(check.outcome)
    if element:
        yield f"      <{element} message={quoteattr(_message(check))}>{escape(_body(check))}</{element}>"
    yield "    </testcase>"


def _message(check: Check) -> str:
    if check.outcome is Outcome.XFAILED:
        return f"known difference: {check.reason or 'no reason given'}"
    if check.outcome is Outcome.XPASSED:
        return f"passed unexpectedly; it was expected to fail: {check.reason or 'no reason given'}"
    return check.reason or check.rule or str(check.outcome)


def _body(check: Check) -> str:
    if not check.outcome.bad:
        return ""
    parts = (("expected", check.expected), ("got", check.actual), ("see it again", check.recipe))
    return "".join(f"\n{name}:\n{words}\n" for name, words in parts if words)
