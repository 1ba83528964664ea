"""Which facts of the behaviour catalogue have checks: ``python -m harness.coverage`` writes docs/coverage.md.

The catalogue's ids and titles, and the reasons why some have no check, stand in ``catalogue.toml``. The
checks are those that pytest collects below ``scenarios``. With ``--check`` nothing is written: the exit
code says whether the page is up to date.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.catalogue import Catalogue, load

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "coverage.md"


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of a suite: how many cite each id, by chapter."""

    total: int = 0
    cited: dict[str, Counter[str]] = field(default_factory=dict)


class _Collector:
    """A pytest plugin that keeps what was collected."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the items."""
        self.items = list(session.items)


def collect() -> Checks:
    """Every check of the suite. Raises RuntimeError with pytest's words where it cannot be collected."""
    collector, output = _Collector(), io.StringIO()
    arguments = [
        str(ROOT / "scenarios"),
        "--collect-only",
        "-qq",
        f"--rootdir={ROOT}",
        f"-c{ROOT / 'tox.ini'}",
    ]
    with contextlib.redirect_stdout(output):
        code = pytest.main([*arguments, "-pno:cacheprovider"], plugins=[collector])
    if code:
        raise RuntimeError(f"pytest could not collect the suite:\n{output.getvalue()}")
    checks = Checks(len(collector.items))
    for item in collector.items:
        for cited in {str(cited) for mark in item.iter_markers("fact") for cited in mark.args}:
            checks.cited.setdefault(cited, Counter())[item.path.parent.name] += 1
    return checks


def mistakes(known: Catalogue, checks: Checks) -> Iterator[str]:
    """What does not fit together: ids that nobody knows, reasons that are out of date."""
    for cited in sorted(checks.cited):
        if not known.knows(cited):
            yield f"a check of {', '.join(checks.cited[cited])} cites {cited}, which is not in the catalogue"
    for unchecked, reason in known.unchecked.items():
        if unchecked in checks.cited:
            yield f"{unchecked} has checks, and a reason why it has none"
        if reason not in known.reasons:
            yield f"{unchecked} has a reason that is not explained: {reason}"
        if not known.knows(unchecked):
            yield f"{unchecked} has a reason and is not in the catalogue"


def page(known: Catalogue, checks: Checks) -> str:
    """The page in Markdown."""
    lines = [
        "# Coverage",
        "",
        "Which facts of TensorFlow Serving's behaviour have checks. Written by `python -m harness.coverage`.",
        "",
        f"{checks.total} checks; {_share(known.facts, checks)} facts and {_share(known.rows, checks)} rows "
        "of the matrix have at least one. A check counts once for each fact that it names.",
        "",
    ]
    for number, section in known.sections.items():
        facts = [fact for fact in known.facts if fact.partition(".")[0] == number]
        lines += [f"## {number}. {section}", "", *_table(known, checks, facts), ""]
    lines += ["## Matrix", ""]
    lines += [*_table(known, checks, known.rows), ""]
    lines += ["## Without a check", "", "| id | subject | why |", "|---|---|---|"]
    for missing in [*known.facts, *known.rows]:
        if missing not in checks.cited:
            reason = known.reasons.get(known.unchecked.get(missing, ""), "not yet")
            lines.append(f"| {missing} | {known.title(missing)} | {reason} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(prog="python -m harness.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    options = parser.parse_args()
    known, checks = load(), collect()
    found = list(mistakes(known, checks))
    text = page(known, checks)
    if options.check and (not PAGE.exists() or PAGE.read_text("utf-8") != text):
        found.append(f"{PAGE.relative_to(ROOT)} is out of date: run python -m harness.coverage")
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    if not options.check:
        PAGE.write_text(text, "utf-8")
        print(f"{PAGE.relative_to(ROOT)}: {text.splitlines()[4]}")
    return 0


def _share(ids: Iterable[str], checks: Checks) -> str:
    every = list(ids)
    return f"{sum(known in checks.cited for known in every)} of {len(every)}"


def _table(known: Catalogue, checks: Checks, ids: Iterable[str]) -> Iterator[str]:
    yield "| id | subject | checks | chapters |"
    yield "|---|---|---|---|"
    for cited in ids:
        chapters = checks.cited.get(cited, Counter())
        names = ", ".join(sorted(chapters))
        yield f"| {cited} | {known.title(cited)} | {chapters.total() or '-'} | {names} |"


if __name__ == "__main__":
    sys.exit(main())
