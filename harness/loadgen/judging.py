"""What a run came to: verdicts, the words for them, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import IntEnum
from typing import Any, NamedTuple

from harness.loadgen import histograms, validity
from harness.loadgen.peak import Peak, minimum_queries
from harness.loadgen.results import Results
from harness.loadgen.slo import Slo
from harness.loadgen.steady import steady_from
from harness.loadgen.tally import Tally


class ExitCode(IntEnum):
    """How a run ended, for scripts. Of several reasons the first of 2, 1, 4, 3 counts."""

    OK = 0
    WRONG = 1  # a reply was wrong, or a request failed that no objective excuses
    USAGE = 2  # nothing was run: an option makes no sense, or the target cannot be loaded
    SLO = 3  # an objective was missed
    INVALID = 4  # the figures are the generator's own limits, not the server's


class Verdict(NamedTuple):
    """One judgement as the record keeps it; ``ok`` is None where nothing was asked for."""

    name: str
    ok: bool | None
    text: str
    detail: Mapping[str, Any]


def judge(results: Results, percentile: float | None, slo: Slo, ceiling: float | None) -> list[Verdict]:
    """Correctness, objectives and validity of a run; ``percentile`` is what its profile is judged by."""
    total = results.total()
    return [
        _figure(results.phase.name, total, results.seconds, percentile),
        _correctness(total, results.seconds, slo),
        *_objectives(results, slo),
        _validity(results, ceiling),
        _steadiness(results),
    ]


def _figure(name: str, total: Tally, seconds: float, percentile: float | None) -> Verdict:
    """The one figure that the profile asks for."""
    if percentile is None:
        per_s = total.good / seconds
        return Verdict("figure", None, f"{name}: {per_s:,.1f} right answers/s", {"per_s": per_s})
    us = histograms.percentile(total.response, percentile)
    needed = minimum_queries(percentile / 100)
    few = f", of fewer requests than the {needed:,} that would make it sure" if total.asked < needed else ""
    return Verdict("figure", None, f"{name}: p{percentile:g} {us / 1000:.3f} ms{few}", {"us": us})


def _correctness(total: Tally, seconds: float, slo: Slo) -> Verdict:
    excused = slo.judges_errors
    ok = not total.wrong and (excused or not (total.failed or total.dropped))
    bound = "" if slo.latency is None else f" within {slo.latency.text}"
    text = (
        f"{total.correct:,} of {total.asked:,} requests answered rightly ({total.wrong:,} wrong, "
        f"{total.failed:,} failed, {total.dropped:,} dropped); correct goodput{bound} "
        f"{total.good / seconds:,.1f}/s of {total.done / seconds:,.1f}/s"
    )
    detail = {
        "wrong": total.wrong,
        "failed": total.failed,
        "dropped": total.dropped,
        "errors": dict(total.errors),
        "goodput_per_s": total.good / seconds,
        "throughput_per_s": total.done / seconds,
        "late": total.late,
    }
    return Verdict("correctness", ok, text, detail)


def _objectives(results: Results, slo: Slo) -> list[Verdict]:
    if not slo.terms:
        return []
    gap = max((end - begin for begin, end in results.gaps().values()), default=0.0)
    judged = slo.judge(results.by_endpoint(), results.seconds, gap)
    missed = [judgement.text for judgement in judged if not judgement.ok]
    text = "; ".join(missed or [judgement.text for judgement in judged])
    detail = [{"term": j.term.text, "value": j.value, "ok": j.ok} for j in judged]
    return [Verdict("slo", not missed, text, {"terms": detail})]


def _validity(results: Results, ceiling: float | None) -> Verdict:
    reasons = validity.invalid(results, ceiling)
    lag = histograms.percentiles(results.lag)
    detail = {"reasons": reasons, "ceiling_per_s": ceiling, "lag_us": lag, "cpu": dict(results.cpu)}
    if reasons:
        return Verdict("validity", False, "; ".join(reasons), detail)
    used = (
        "" if ceiling is None else f", {results.total().done / results.seconds / ceiling:.0%} of its ceiling"
    )
    late = f", schedule lag p99 {lag['p99'] / 1000:.3g} ms" if lag else ""
    busiest = max(results.cpu.values(), default=0.0)
    return Verdict("validity", True, f"the generator had room: {busiest:.0%} of a core{used}{late}", detail)


def _steadiness(results: Results) -> Verdict:
    since = steady_from(results.points())
    if since is None:
        return Verdict("steady", None, "never steady: no three windows in a row agree", {"from_s": None})
    return Verdict("steady", True, f"steady from {since:g} s on", {"from_s": since})


def peak_verdict(peak: Peak, objective: str) -> Verdict:
    """The result of a peak search."""
    best = None if peak.best is None else peak.best.rate
    detail = {"rate": best, "objective": objective, "trials": [asdict(trial) for trial in peak.trials]}
    return Verdict("peak", peak.best is not None, f"{objective}: {peak.text}", detail)


def wrong_replies(totals: Sequence[Tally]) -> Verdict:
    """The correctness of a peak search. It overloads the server on purpose, so only wrong replies count."""
    wrong, done = (sum(getattr(total, name) for total in totals) for name in ("wrong", "done"))
    return Verdict("correctness", not wrong, f"{wrong:,} of {done:,} replies were wrong", {"wrong": wrong})


def exit_code(verdicts: Sequence[Verdict]) -> ExitCode:
    """The exit code that the verdicts add up to."""
    bad = {verdict.name for verdict in verdicts if verdict.ok is False}
    for name, code in (
        ("correctness", ExitCode.WRONG),
        ("validity", ExitCode.INVALID),
        ("slo", ExitCode.SLO),
        ("peak", ExitCode.SLO),
    ):
        if name in bad:
            return code
    return ExitCode.OK
