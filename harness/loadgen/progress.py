"""What the terminal shows: a line a second while it runs, a summary at the end."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

from harness.loadgen import histograms
from harness.loadgen.judging import Verdict
from harness.loadgen.results import Results, Window
from harness.loadgen.swap import Swap
from harness.loadgen.tally import Tally


def lines(results: Results, windows: Sequence[Window]) -> str:
    """A line for each second of which windows have just come in; ``windows`` are in order."""
    return "\n".join(
        _line(results, number, list(group))
        for number, group in itertools.groupby(windows, lambda window: window.number)
    )


def _line(results: Results, number: int, windows: Sequence[Window]) -> str:
    tally = Tally.sum(window.tally for window in windows)
    seconds = results.window
    p50, p99 = (_ms(tally, percentile) for percentile in (50.0, 99.0))
    bad = f", {tally.bad} BAD ({_counted(tally)})" if tally.bad else ""
    offered = results.phase.profile.due((number + 1) * seconds) - results.phase.profile.due(number * seconds)
    wanted = f" of {offered / seconds:,.0f}/s" if offered else "/s"
    return (
        f"{results.phase.name} {(number + 1) * seconds:5.0f} s  {tally.done / seconds:8,.0f}{wanted}  "
        f"p50 {p50} ms  p99 {p99} ms{bad}{_versions(windows)}"
    )


def _versions(windows: Iterable[Window]) -> str:
    """Who answered, for models of which more than one version did: that is what a swap looks like."""
    by_model: dict[str, set[str]] = {}
    for window in windows:
        by_model.setdefault(window.endpoint.model, set()).update(window.tally.versions)
    several = {model: sorted(found) for model, found in by_model.items() if len(found) > 1}
    return "".join(f"  {model} answered by {' and '.join(found)}" for model, found in several.items())


def _counted(tally: Tally) -> str:
    errors = tally.errors + Counter({"DROPPED": tally.dropped})
    return ", ".join(f"{count} {name}" for name, count in sorted(errors.items()))


def _ms(tally: Tally, percentile: float, *, service: bool = False) -> str:
    histogram = tally.service if service else tally.response
    if not histogram.get_total_count():
        return "-"
    return f"{histograms.percentile(histogram, percentile) / 1000:.3f}"


def _table(results: Results) -> str:
    """Figures by endpoint: response times from when requests were due, service times from their sending."""
    totals = results.by_endpoint()
    rows: list[tuple[str, ...]] = [
        ("endpoint", "requests", "/s", "bad", "p50", "p90", "p99", "p99.9", "max ms", "service p99")
    ]
    everything = Tally.sum(totals.values())
    for name, tally in [*sorted(totals.items()), ("all", everything)]:
        rows.append(
            (
                name,
                f"{tally.asked:,}",
                f"{tally.done / results.seconds:,.1f}",
                f"{tally.bad:,}",
                *(_ms(tally, percentile) for percentile in (50.0, 90.0, 99.0, 99.9)),
                _ms(tally, 100.0),
                _ms(tally, 99.0, service=True),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def summary(results: Results, swaps: Sequence[Swap]) -> str:
    """Everything about a run that has ended, but its verdicts."""
    parts = [_table(results), "\n".join(_who_answered(results)), "\n".join(_swap_lines(swaps, results))]
    return "\n" + "\n\n".join(part for part in parts if part) + "\n"


def _who_answered(results: Results) -> list[str]:
    """Which version of each model answered from when to when."""
    return [
        f"{model} version {version}: {seen.answers:,} answers from {seen.first:.2f} s to {seen.last:.2f} s"
        for (model, version), seen in sorted(results.seen.items())
    ]


def _swap_lines(swaps: Sequence[Swap], results: Results) -> list[str]:
    """What the steps did to the traffic, and the longest silence of each model."""
    lines = [f"{swap.change.t:7.2f} s  {swap.text}" for swap in swaps]
    if swaps:
        lines += [
            f"longest time without a right answer of {model}: {(end - begin) * 1e3:.0f} ms, at {begin:.2f} s"
            for model, (begin, end) in sorted(results.gaps().items())
        ]
    return lines


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """One line a verdict."""
    marks = {True: "ok", False: "FAIL", None: "-"}
    return [
        f"{'INVALID' if verdict.name == 'validity' and not verdict.ok else marks[verdict.ok]:7} "
        f"{verdict.name}: {verdict.text}"
        for verdict in verdicts
    ]
