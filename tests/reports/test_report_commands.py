"""``python -m reports``: what each command prints, writes and answers with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import samples

from reports import read, schema
from reports.__main__ import main
from reports.trend import find, trend


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples.write(tmp_path / "ours.jsonl", samples.conformance())
    samples.write(tmp_path / "theirs.jsonl", samples.conformance(target="docker"))
    samples.write(tmp_path / "load.jsonl", samples.load(seconds=12))
    return tmp_path


def test_build_writes_all_files_and_names_the_page_last(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "new" / "folder"
    assert main(["build", str(folder / "ours.jsonl"), str(folder / "theirs.jsonl"), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "reference 0.1.0: Does not conform: 1 of 160 MUST checks fails",
        "tensorflow/serving:2.20.0: Does not conform: 1 of 160 MUST checks fails",
        str(out / "report.html"),
    ]
    assert len(list(out.iterdir())) == 5


def test_compare_answers_1_when_something_became_worse(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = str(folder / "ours.jsonl"), str(folder / "theirs.jsonl")
    assert main(["compare", ours, ours]) == 0
    assert main(["compare", theirs, ours]) == 1
    assert "**1 check broke, 3 checks still failing**" in capsys.readouterr().out
    page = folder / "page.html"
    assert main(["compare", ours, theirs, "--html", str(page)]) == 0
    assert page.exists()


def test_compare_of_loads_speaks_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slower = samples.write(folder / "slower.jsonl", samples.load(seconds=60, speed=0.7, seed=5, swap=False))
    faster = samples.write(folder / "faster.jsonl", samples.load(seconds=60, seed=6, swap=False))
    assert main(["compare", str(faster), str(slower)]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"^\d+ of \d+ figures worse \\\(.*, p50: slower by .* %\\\)", printed, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "ours.jsonl", "load.jsonl"],
        ["build", "gone.jsonl"],
        ["merge", "ours.jsonl", "load.jsonl", "--out", "x.jsonl"],
        ["merge", "ours.jsonl", "theirs.jsonl", "--out", "x.jsonl"],
        ["trend", "nowhere"],
        ["build", "ours.jsonl", "--out", "ours.jsonl/sub"],
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_2(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert not (folder / "x.jsonl").exists()


def test_validate_tells_good_from_bad(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = folder / "ours.jsonl"
    unfinished = samples.write(folder / "unfinished.jsonl", samples.conformance()[:9])
    assert main(["validate", str(good)]) == 0
    assert main(["validate", str(good), str(unfinished)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{good}: valid",
        f"{unfinished}: The record has no footer: the run did not finish.",
    ]


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["title"] == f"One line of run.jsonl, version {schema.VERSION}"


def test_merging_shards_gives_the_whole_run(folder: Path) -> None:
    whole = samples.conformance()
    made = [line for line in whole if line["kind"] == "check"]
    shards = []
    for number in range(2):
        half = made[number::2]
        lines = [whole[0], *half, samples.footer(half, count=len(half) + 2)]
        shards.append(str(samples.write(folder / f"shard-{number}.jsonl", lines)))
    out = folder / "merged.jsonl"
    assert main(["merge", *shards, "--out", str(out)]) == 0
    assert main(["validate", str(out)]) == 0
    outcomes = {check.id: check.outcome for check in read(out).checks}
    assert outcomes == {check.id: check.outcome for check in read(folder / "ours.jsonl").checks}


def test_merging_takes_a_repeated_check_from_the_last_part(folder: Path) -> None:
    header = samples.conformance()[0]
    first = samples.write(folder / "a.jsonl", [header, samples.check(outcome="failed")])
    again = samples.write(folder / "b.jsonl", [header, samples.check(outcome="passed")])
    out = folder / "merged.jsonl"
    assert main(["merge", str(first), str(again), "--out", str(out)]) == 0
    run = read(out)
    assert [check.outcome for check in run.checks] == ["passed"]
    assert not run.finished


def test_merging_adds_the_strength_of_the_suite_to_a_run_against_any_target(folder: Path) -> None:
    whole = samples.conformance()
    miniatures = [line for line in whole if line["kind"] == "miniature"]
    bare = [line for line in whole if line["kind"] not in ("miniature", "footer")]
    header = whole[0] | {"target": {"spec": "m", "kind": "miniatures", "label": "miniatures"}}
    header["started"] = "2026-11-01T10:00:00Z"
    strength = samples.write(folder / "strength.jsonl", [header, *miniatures])
    run = samples.write(folder / "bare.jsonl", bare)
    out = folder / "merged.jsonl"
    assert main(["merge", str(strength), str(run), "--out", str(out)]) == 0
    merged = read(out)
    assert [each.name for each in merged.miniatures] == [line["name"] for line in miniatures]
    assert merged.header.target == read(run).header.target


def test_merging_loads_puts_them_on_one_clock(folder: Path) -> None:
    later = samples.load(seconds=12)
    later[0] = later[0] | {"started": "2026-11-22T10:00:06Z"}
    samples.write(folder / "later.jsonl", later)
    out = folder / "merged.jsonl"
    assert main(["merge", str(folder / "later.jsonl"), str(folder / "load.jsonl"), "--out", str(out)]) == 0
    assert len(read(out).windows.span) == 18
    assert read(out).header.started == "2026-11-22T10:00:00Z"


def dated(lines: list[samples.Line], day: int) -> list[samples.Line]:
    return [lines[0] | {"started": f"2026-11-{day:02d}T10:00:00Z", "id": f"run-{day}"}, *lines[1:]]


def test_the_trend_says_what_changed_and_since_when(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = folder / "runs"
    for day in (10, 11, 12, 13):
        lines = dated(samples.conformance(), day)
        if day >= 12:
            next(line for line in lines if line.get("id") == "rest/case-9[both]")["outcome"] = "failed"
        samples.write(runs / str(day) / "run.jsonl", lines)
    samples.write(runs / "load.jsonl", samples.load(seconds=6))
    (runs / "foreign.jsonl").write_text("[]\n")
    found = trend(find(runs))
    series = found.series[0]
    assert [moment.changes for moment in series.moments] == [(), (), ("rest/case-9[both] broke",), ()]
    since = {failing.check.id: (failing.since[:10], failing.runs) for failing in series.failing}
    assert since["rest/case-9[both]"] == ("2026-11-12", 2)
    assert since["rest/case-8[grpc]"] == ("2026-11-10", 4)
    assert len(found.passed_over) == 1

    assert main(["trend", str(runs)]) == 0
    printed = capsys.readouterr()
    assert "  rest/case-9[both] fails since 2026-11-12 (2 runs)" in printed.out
    assert printed.out.endswith(f"{runs / 'trend.html'}\n")
    assert "passed over: " in printed.err
    assert "rest/case-9[both] broke" in (runs / "trend.html").read_text("utf-8")


def test_runs_that_were_asked_different_things_are_no_trend(folder: Path) -> None:
    for day, rate in ((10, "300"), (11, "300"), (12, "500")):
        lines = dated(samples.load(seconds=6), day)
        lines[0]["options"] |= {"rate": rate, "find_peak": rate == "500"}
        samples.write(folder / "loads" / f"{day}.jsonl", lines)
    assert [(series.name, len(series.moments)) for series in trend(find(folder / "loads")).series] == [
        ("Load of reference: hot_plug, poisson 300/s", 2),
        ("Load of reference: hot_plug, poisson 500/s, search for the peak", 1),
    ]


def test_an_empty_folder_has_no_trend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trend", str(tmp_path)]) == 2
    assert "holds no record" in capsys.readouterr().err
