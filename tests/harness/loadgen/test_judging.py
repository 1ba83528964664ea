import pytest

from harness.loadgen import slo
from harness.loadgen.collector import Collector
from harness.loadgen.judging import ExitCode, Verdict, exit_code, judge
from harness.loadgen.results import Results
from tests.harness.loadgen.test_results import M, answers, results_of


def run(*, wrong=0, failed=0, right=1000):
    collector = Collector(100.0, 1.0, None)
    answers(collector, *(i / 100 for i in range(right)))
    for _ in range(wrong):
        collector.wrong(M, 101, 101, 101.001)
    for _ in range(failed):
        collector.failed(M, 101, 101, 101.001, "UNAVAILABLE")
    return results_of(collector)


def code(results: Results, objectives="", ceiling=None):
    return exit_code(judge(results, 99.0, slo.parse(objectives), ceiling))


def test_a_clean_run():
    assert code(run(), "p99<20ms, errors<0.1%", ceiling=1000.0) is ExitCode.OK


def test_wrong_replies_count_before_anything_else():
    assert code(run(wrong=1), "wrong<50%, errors<50%") is ExitCode.WRONG


def test_failures_are_excused_by_an_objective_that_allows_them():
    assert code(run(failed=1)) is ExitCode.WRONG
    assert code(run(failed=1), "errors<1%") is ExitCode.OK
    assert code(run(failed=100), "errors<1%") is ExitCode.SLO


def test_an_objective_that_is_missed():
    assert code(run(), "p50<10us") is ExitCode.SLO


def test_figures_of_the_generator_are_invalid_whatever_they_say():
    assert code(run(), "p50<10us", ceiling=100.0) is ExitCode.INVALID
    assert code(run(right=0)) is ExitCode.INVALID


def test_the_reason_for_invalid_is_told():
    verdicts = {verdict.name: verdict for verdict in judge(run(), 99.0, slo.parse(""), 120.0)}
    assert "more than 70% of the 120/s" in verdicts["validity"].text


def test_a_profile_has_one_figure():
    def figure(percentile, **more):
        return judge(run(**more), percentile, slo.parse(""), None)[0].text

    assert figure(99.0) == "run: p99 1.000 ms"
    assert (
        figure(90.0, right=10) == "run: p90 1.000 ms, of fewer requests than the 44 that would make it sure"
    )
    assert figure(None) == "run: 100.0 right answers/s"


@pytest.mark.parametrize("ok", [True, None])
def test_what_was_not_asked_for_does_not_fail(ok):
    assert exit_code([Verdict("steady", ok, "", {})]) is ExitCode.OK
