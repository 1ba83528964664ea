"""``python -m reports``: pages, comparisons and checks of run records from the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from reports import html, markdown, reading, schema, trend, units, verdict, writing
from reports.comparison import compare_checks, compare_loads
from reports.merging import merged
from reports.reading import RecordError

_EXIT_CODES = """\
exit codes:
  0  done; for validate: all records are valid and finished; for compare: nothing became worse
  1  for validate: some record is not; for compare: a check broke, or a figure is surely worse
  2  bad usage, or a file that cannot be read or written
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except RecordError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
    return 2


def _build(options: argparse.Namespace) -> int:
    runs = [reading.read(path) for path in options.records]
    written = writing.write_runs(runs, options.out or options.records[0].parent)
    for run in runs:
        print(f"{run.header.target.label}: {verdict.headline(run).text}")
    print(written.html)
    return 0


def _compare(options: argparse.Namespace) -> int:
    before, after = reading.read(options.before), reading.read(options.after)
    if before.is_conformance is not after.is_conformance:
        raise RecordError(
            f"{options.after}: is a {after.header.run} run, {options.before} a {before.header.run} run; "
            "compare two of a kind"
        )
    if before.is_conformance:
        checks = compare_checks(before, after)
        words, worse = markdown.check_comparison(checks), checks.worse
    else:
        loads = compare_loads(before, after)
        words, worse = markdown.load_comparison(loads), loads.worse
    print(words, end="")
    if options.html:
        print(f"\n{writing.put(options.html, html.report([before, after]))}")
    return int(worse)


def _merge(options: argparse.Namespace) -> int:
    hidden = options.out.with_name(f".{options.out.name}.{os.getpid()}")
    try:
        with hidden.open("wb") as file:
            file.writelines(merged(options.records))
        hidden.replace(options.out)
    finally:
        hidden.unlink(missing_ok=True)
    print(options.out)
    return 0


def _validate(options: argparse.Namespace) -> int:
    valid = True
    for path in options.records:
        found = reading.problems(path)
        valid = valid and not found
        for problem in found:
            print(problem if problem.startswith(str(path)) else f"{path}: {problem}")
        if not found:
            print(f"{path}: valid")
    return int(not valid)


def _trend(options: argparse.Namespace) -> int:
    if not options.folder.is_dir():
        raise RecordError(
            f"{options.folder}: is not a folder; give one that holds records (*.jsonl, *.jsonl.gz)"
        )
    found = trend.trend(trend.find(options.folder))
    for note in found.passed_over:
        print(f"passed over: {note}", file=sys.stderr)
    if not found.series:
        raise RecordError(f"{options.folder}: holds no record (*.jsonl, *.jsonl.gz)")
    for series in found.series:
        newest = series.moments[-1]
        print(f"{series.name}, {units.plural(len(series.moments), 'run')}: {newest.verdict.text}")
        for change in newest.changes:
            print(f"  {change}")
        for failing in series.failing:
            print(
                f"  {failing.check.id} fails since {failing.since[:10]} ({units.plural(failing.runs, 'run')})"
            )
    print(writing.put(options.out or options.folder / "trend.html", html.trend(found)))
    return 0


def _schema(_options: argparse.Namespace) -> int:
    print(schema.text(), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Reports on the records (run.jsonl) of conformance and load runs.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    build = commands.add_parser(
        "build", help="write a page, Markdown, JUnit, badge and JSON; several runs side by side"
    )
    build.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    build.add_argument("--out", type=Path, metavar="DIR", help="where to (default: beside the first record)")
    build.set_defaults(run=_build)

    compare = commands.add_parser("compare", help="say what changed from one run to another")
    compare.add_argument("before", type=Path, metavar="BEFORE")
    compare.add_argument("after", type=Path, metavar="AFTER")
    compare.add_argument("--html", type=Path, metavar="FILE", help="also write a page with both runs")
    compare.set_defaults(run=_compare)

    merge = commands.add_parser("merge", help="join the records of parts of one run")
    merge.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    merge.add_argument("--out", type=Path, metavar="FILE", required=True)
    merge.set_defaults(run=_merge)

    validate = commands.add_parser("validate", help="check records against the format")
    validate.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    validate.set_defaults(run=_validate)

    over_time = commands.add_parser("trend", help="what changed over many runs, and since when")
    over_time.add_argument("folder", type=Path, metavar="DIR")
    over_time.add_argument("--out", type=Path, metavar="FILE", help="the page (default: DIR/trend.html)")
    over_time.set_defaults(run=_trend)

    commands.add_parser("schema", help="print the JSON Schema of a record's lines").set_defaults(run=_schema)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
