"""What runs say: tallies, verdicts, windows over time, swaps, comparisons."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import samples

from reports import charts, read
from reports.comparison import Direction, LoadComparison, compare_checks, compare_loads
from reports.conformance import conformance, natural
from reports.load import load
from reports.record import Level, Outcome, Run
from reports.verdict import headline
from reports.windows import MAX_ENDPOINTS, MAX_STEPS, OTHERS, Answerer, Windows

Line = samples.Line


def run_of(tmp_path: Path, lines: list[Line], name: str = "run.jsonl") -> Run:
    return read(samples.write(tmp_path / name, lines))


def checks(*outcomes: tuple[str, str]) -> list[Line]:
    made = [
        samples.check(f"rest/case-{number}", level=level, outcome=outcome)
        for number, (level, outcome) in enumerate(outcomes)
    ]
    return [samples.conformance()[0], *made, samples.footer(made, count=len(made) + 2)]


VERDICTS = [
    ([], "warn", "Nothing was checked"),
    ([("MUST", "skipped")], "warn", "Nothing was checked (1 check skipped)"),
    ([("MUST", "passed"), ("QUIRK", "passed")], "good", "Conforms: 2 checks hold"),
    ([("MUST", "passed"), ("MUST", "xfailed")], "good", "Conforms: 1 check holds, 1 known difference"),
    ([("MUST", "passed"), ("MUST", "failed")], "bad", "Does not conform: 1 of 2 MUST checks fails"),
    ([("MUST", "passed"), ("MUST", "errored")], "bad", "Undecided: the harness itself broke in 1 MUST check"),
    ([("MUST", "passed"), ("MUST", "xpassed")], "warn", "Every MUST holds, but 1 check passes unexpectedly"),
    (
        [("MUST", "passed"), ("SHOULD", "failed"), ("QUIRK", "failed"), ("QUIRK", "errored")],
        "warn",
        "Every MUST holds, but 1 SHOULD fails and 2 QUIRK fail",
    ),
    ([("EXT", "passed")], "warn", "No check at a level that counts for conformance"),
]


@pytest.mark.parametrize(("outcomes", "tone", "text"), VERDICTS)
def test_the_verdict_of_a_conformance_run(
    tmp_path: Path, outcomes: list[tuple[str, str]], tone: str, text: str
) -> None:
    found = headline(run_of(tmp_path, checks(*outcomes)))
    assert (found.tone, found.text) == (tone, text)


def test_an_unfinished_run_never_conforms(tmp_path: Path) -> None:
    found = headline(run_of(tmp_path, checks(("MUST", "passed"))[:-1]))
    assert (found.tone, found.text) == ("warn", "Unfinished: 1 check ran, none fails")


def load_lines(windows: list[Line], *more: Line) -> list[Line]:
    header = samples.load(seconds=1)[0]
    return [header, *windows, *more, samples.footer([], count=len(windows) + len(more) + 2)]


def window(t: float, **fields: Any) -> Line:
    return {
        "kind": "window",
        "t": t,
        "length_s": 1.0,
        "endpoint": "rest predict",
        "protocol": "rest",
        "model": "m",
        "offered": 10.0,
        "sent": 10,
        "done": 10,
        "correct": 10,
        "versions": {"1": 10},
        "response_us": samples.encoded([1000] * 10),
        "service_us": samples.encoded([900] * 10),
        **fields,
    }


def verdict_line(name: str, ok: bool, text: str) -> Line:
    return {"kind": "verdict", "name": name, "ok": ok, "text": text}


LOAD_VERDICTS = [
    ([], "good", "A valid run; no objective was set"),
    ([verdict_line("validity", False, "lag")], "bad", "INVALID: lag"),
    ([verdict_line("slo", False, "p99 31 ms, not < 20 ms")], "bad", "SLO missed: p99 31 ms, not < 20 ms"),
    (
        [verdict_line("slo", True, "p99 3 ms < 20 ms"), verdict_line("peak", True, "900/s")],
        "good",
        "SLO met: p99 3 ms < 20 ms; Peak: 900/s",
    ),
]


@pytest.mark.parametrize(("verdicts", "tone", "text"), LOAD_VERDICTS)
def test_the_verdict_of_a_load_run(tmp_path: Path, verdicts: list[Line], tone: str, text: str) -> None:
    found = headline(run_of(tmp_path, load_lines([window(0)], *verdicts)))
    assert (found.tone, found.text) == (tone, text)


def test_one_wrong_answer_spoils_a_load_run(tmp_path: Path) -> None:
    found = headline(run_of(tmp_path, load_lines([window(0, correct=9, wrong=1)])))
    assert (found.tone, found.text) == ("bad", "Wrong answers: 1 of 10 replies")


def test_chapters_and_ids_are_in_natural_order(tmp_path: Path) -> None:
    names = ["rest/case-10", "rest/case-2", "4.10", "4.2"]
    assert sorted(names, key=natural) == ["4.2", "4.10", "rest/case-2", "rest/case-10"]
    view = conformance([run_of(tmp_path, samples.conformance())])
    rest = next(chapter for chapter in view.chapters if chapter.name == "rest")
    assert [row.any.id.partition("[")[0] for row in rest.rows][:3] == [
        "rest/case-1",
        "rest/case-2",
        "rest/case-3",
    ]


def test_two_targets_are_matched_by_check_and_their_differences_found(tmp_path: Path) -> None:
    first = checks(("MUST", "passed"), ("MUST", "passed"), ("MUST", "skipped"))
    second = checks(("MUST", "passed"), ("MUST", "failed"), ("MUST", "passed"), ("QUIRK", "passed"))
    view = conformance([run_of(tmp_path, first, "a.jsonl"), run_of(tmp_path, second, "b.jsonl")])
    assert [row.differs for row in view.rows] == [False, True, False, False]
    assert [row.worst for row in view.rows] == ["passed", "failed", "skipped", "passed"]
    assert view.rows[3].results[0] is None
    assert view.tallies[1][Level.MUST][Outcome.FAILED] == 1


def test_coverage_counts_the_facts_that_some_check_names(tmp_path: Path) -> None:
    lines = checks(("MUST", "passed"))
    lines[0] = lines[0] | {"spec": {"title": "s", "facts": ["4.6.3", "4.6.4", "5.1"]}}
    view = conformance([run_of(tmp_path, lines)])
    assert [(each.section, each.named, each.known, each.missing) for each in view.coverage] == [
        ("4", 1, 2, ("4.6.4",)),
        ("5", 0, 1, ("5.1",)),
    ]


def test_long_runs_are_folded_into_a_bounded_number_of_steps() -> None:
    windows = Windows()
    for second in range(1_300):
        windows.add(window(second))
    assert len(windows.span) <= MAX_STEPS
    assert windows.step_s == 4
    (first, *_) = windows.over_time()
    assert (first.seconds, first.offered, first.counts["done"], first.per_second("done")) == (4, 40, 40, 10)
    assert sum(cell.response.total for cell in windows.over_time()) == 13_000


def test_windows_of_several_generators_add_up_at_the_same_time() -> None:
    windows = Windows()
    for _ in range(2):
        windows.add(window(0))
    (cell,) = windows.over_time()
    assert (cell.seconds, cell.per_second("correct"), cell.versions[Answerer("m", "1")]) == (1, 20, 20)


def test_endpoints_beyond_the_bound_are_counted_together() -> None:
    windows = Windows()
    for number in range(MAX_ENDPOINTS + 50):
        windows.add(window(0, endpoint=f"endpoint {number}"))
    assert windows.endpoints[-1] == OTHERS
    assert windows.steps_of(OTHERS)[0].counts["done"] == 500


def test_the_gap_is_the_longest_time_without_a_correct_answer(tmp_path: Path) -> None:
    starved = {"correct": 0, "failed": 10, "versions": {}, "errors": {"UNAVAILABLE": 10}}
    lines = [window(t, **(starved if t in (3, 6, 7) else {})) for t in range(10)]
    assert load(run_of(tmp_path, load_lines(lines))).gap_s == 2


def test_a_swap_shows_its_price_and_when_the_new_version_first_answered(tmp_path: Path) -> None:
    slow = samples.encoded([9000] * 10)
    lines = [window(t, versions={"2" if t >= 12 else "1": 10}) for t in range(20)]
    lines[10] |= {"response_us": slow, "failed": 2, "correct": 8}
    event = {"kind": "event", "t": 10.0, "name": "publish", "model": "m", "version": 2}
    (swap,) = load(run_of(tmp_path, load_lines(lines, event))).swaps
    assert swap.first_answer_s == 3
    assert swap.bad == 2
    assert (swap.before_us, swap.after_us) == (1000, 1000)
    assert swap.during_us is not None
    assert swap.during_us > 8900


def test_what_the_recorder_measured_around_a_swap_wins_over_windows(tmp_path: Path) -> None:
    event = {"kind": "event", "t": 10.0, "name": "publish", "model": "m", "version": 2}
    detail = {
        "name": "publish",
        "model": "m",
        "version": 2,
        "first_answer": 0.31,
        "p99_during_us": 7000,
        "bad": 1,
    }
    recorded = {**verdict_line("swap", True, "publish m/2"), "detail": detail}
    lines = load_lines([window(t) for t in range(20)], event, recorded)
    (swap,) = load(run_of(tmp_path, lines)).swaps
    assert (swap.exact, swap.first_answer_s, swap.before_us, swap.during_us, swap.bad) == (
        True,
        0.31,
        None,
        7000,
        1,
    )


def test_stages_are_measured_from_their_own_windows(tmp_path: Path) -> None:
    lines = [window(t, response_us=samples.encoded([100 if t < 5 else 5000] * 10)) for t in range(10)]
    phases = [
        {"kind": "phase", "name": f"step {number}", "t": 5.0 * number, "length_s": 5.0, "rate": 10.0}
        for number in range(2)
    ]
    found = load(run_of(tmp_path, load_lines(lines, *phases))).stages
    assert [(stage.name, stage.correct_per_s, stage.p50_us) for stage in found] == [
        ("step 0", 10, 100),
        ("step 1", 10, 5003),
    ]


def test_the_generators_share_adds_up_over_protocols(tmp_path: Path) -> None:
    both = [window(0, done=300), window(0, endpoint="grpc predict", protocol="grpc", done=100)]
    ceilings = [
        {"kind": "calibration", "protocol": protocol, "ceiling_per_s": ceiling}
        for protocol, ceiling in (("rest", 1000), ("grpc", 500))
    ]
    assert load(run_of(tmp_path, load_lines(both, *ceilings))).ceiling_share == pytest.approx(0.5)


def test_latency_objectives_come_from_the_options(tmp_path: Path) -> None:
    found = load(run_of(tmp_path, samples.load(seconds=6)))
    limits = found.limits
    assert found.confidence(limits[0]) > 0.999
    assert [(limit.name, limit.quantile, limit.limit_us) for limit in limits] == [("p99", 0.99, 20_000)]


def test_comparing_runs_of_checks_tells_what_became_of_each(tmp_path: Path) -> None:
    before = run_of(
        tmp_path, checks(("MUST", "passed"), ("MUST", "failed"), ("MUST", "failed"), ("MUST", "passed"))
    )
    after = run_of(tmp_path, checks(("MUST", "failed"), ("MUST", "passed"), ("MUST", "failed")))
    found = compare_checks(before, after)
    names = [
        [check.id for check in some]
        for some in (found.broken, found.mended, found.still_failing, found.added, found.gone)
    ]
    assert names == [["rest/case-0"], ["rest/case-1"], ["rest/case-2"], [], ["rest/case-3"]]
    assert found.worse
    assert not compare_checks(before, before).worse


def test_a_real_change_is_detected_and_none_where_there_is_none(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path, samples.load(swap=False, speed=speed, seed=seed), f"{seed}.jsonl")
        for seed, speed in ((1, 1.0), (2, 1.0), (3, 0.8))
    ]
    same = compare_loads(runs[0], runs[1])
    slower = compare_loads(runs[0], runs[2])
    assert [
        change
        for change in same.changes
        if change.figure in ("p50", "p90") and change.direction != "no change"
    ] == []
    assert {change.direction for change in slower.changes if change.figure == "p50"} == {Direction.WORSE}
    assert slower.worse
    (change,) = [change for change in slower.changes if change.direction == "worse"][:1]
    assert f"figures worse ({change.endpoint}, {change.figure}: {change.words})" in slower.summary
    unchanged = LoadComparison(tuple(c for c in same.changes if c.direction == "no change"), ())
    assert unchanged.summary == f"No change for sure in any of {len(unchanged.changes)} figures."


def test_changes_of_versions_are_numbered_and_close_ones_share_a_place(tmp_path: Path) -> None:
    lines = samples.load(seconds=60)
    swap = next(line for line in lines if line["kind"] == "event")
    lines[-1:-1] = [{**swap, "t": t, "version": 3} for t in (50.0, 50.2, 50.4)]
    figure = charts.timeline(load(run_of(tmp_path, lines)))
    assert figure
    assert re.findall(r'text-anchor="middle" class="label">([^<]*)<', figure.wide) == ["1", "2", "3–5"]


def test_the_curve_of_a_search_for_the_peak_goes_by_rate(tmp_path: Path) -> None:
    lines = samples.load(seconds=60, swap=False)
    phases = [line for line in lines if line["kind"] == "phase"]
    first, last = phases[0], phases[-1]
    first["t"], last["t"] = last["t"], first["t"]
    first["rate"], last["rate"] = last["rate"], first["rate"]
    figure = charts.curve([("run", load(run_of(tmp_path, lines)))])
    assert figure
    for points in re.findall(r'<polyline points="([^"]*)"', figure.wide):
        across = [float(point.partition(",")[0]) for point in points.split()]
        assert across == sorted(across)


def test_a_comparison_warns_of_what_does_not_compare(tmp_path: Path) -> None:
    first = load_lines([window(t) for t in range(10)])
    second = load_lines([window(t, offered=20.0) for t in range(10)], verdict_line("validity", False, "lag"))
    second[0] = second[0] | {"machine": {**second[0]["machine"], "cores": 64}}
    found = compare_loads(run_of(tmp_path, first, "a.jsonl"), run_of(tmp_path, second, "b.jsonl"))
    assert found.cautions == (
        "The runs offered different rates (10/s and 20/s): latencies at different rates do not compare.",
        "The machines differ (cores: 2 and 64).",
        "The second run is stamped INVALID.",
    )
