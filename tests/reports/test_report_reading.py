"""Reading of records: what is whole, what is truncated, and what is no record at all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import samples

from reports import RecordError, assembly, read, reading

HEADER = samples.conformance()[0]


def record(tmp_path: Path, *lines: samples.Line | str) -> Path:
    path = tmp_path / "run.jsonl"
    written = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
    path.write_text("".join(written), "utf-8")
    return path


REFUSED = {
    "empty": ([""], "is empty: the run stopped before it wrote its header; run it again"),
    "text": (["hello\n"], "is not a run record: the first line is not JSON; give a run.jsonl"),
    "array": (["[1, 2]\n"], "is not a run record: the first line is not an object"),
    "foreign": (['{"a": 1}\n'], 'is not a run record: the first line has not "kind": "header"'),
    "later format": ([{**HEADER, "schema": 2}], "is a record of format 2; this version reads format 1"),
    "two headers": ([HEADER, HEADER], "line 2: is a second header; join runs with: python -m reports merge"),
    "damaged": ([HEADER, "{oops\n", samples.check()], "line 2: is not strict JSON"),
    "NaN": ([HEADER, '{"kind": "event", "t": NaN, "name": "x"}\n'], "not finite are written as null"),
    "scalar": ([HEADER, "7\n"], "line 2: is not a JSON object"),
    "bad value": ([HEADER, {**samples.check(), "level": "MAY"}], "line 2: check: level must be one of MUST"),
    "after footer": ([HEADER, samples.footer([]), samples.check()], "line 3: stands after the footer"),
    "bad date": ([{**HEADER, "started": "2026-02-31T00:00:00Z"}], "line 1: header: started is not a date"),
    "bad histogram": (
        [HEADER, {"kind": "window", "t": 0, "length_s": 1, "endpoint": "x", "response_us": "HIST!"}],
        "line 2: response_us is not an HdrHistogram V2 in base64",
    ),
}


@pytest.mark.parametrize(("lines", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_with_the_place_and_the_fault(
    tmp_path: Path, lines: list[samples.Line | str], message: str
) -> None:
    path = record(tmp_path, *lines)
    with pytest.raises(RecordError, match=r"run\.jsonl: ") as caught:
        read(path)
    assert message in str(caught.value)
    assert any(message in problem for problem in reading.problems(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"gone\.jsonl: cannot be read: No such file"):
        read(tmp_path / "gone.jsonl")


def test_a_line_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 4096)
    path = record(tmp_path, HEADER, samples.check(actual="x" * 5000))
    with pytest.raises(RecordError, match="line 2: is longer than"):
        read(path)


@pytest.mark.parametrize("keep", [1, 10, 60])
def test_a_record_cut_off_in_its_last_line_is_read_up_to_there(tmp_path: Path, keep: int) -> None:
    path = record(tmp_path, HEADER, samples.check(), json.dumps(samples.check("rest/other"))[:keep])
    run = read(path)
    assert [check.id for check in run.checks] == ["rest/url/unknown-model[rest]"]
    assert not run.finished
    assert run.notes == (
        "Line 3, the last one, is cut off and was left out.",
        "The record has no footer: the run did not finish.",
    )


def test_a_finished_record_has_nothing_to_note(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "run.jsonl", samples.conformance(differing=True))
    run = read(path)
    assert run.finished
    assert run.notes == ()
    assert reading.problems(path) == []


def test_lost_lines_are_noticed_by_the_footer(tmp_path: Path) -> None:
    lines = samples.conformance()
    del lines[5]
    path = samples.write(tmp_path / "run.jsonl", lines)
    assert reading.problems(path) == [
        f"The footer counts {len(lines) + 1} lines, the file has {len(lines)}: lines were lost or added."
    ]


def test_compressed_records_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(samples.text(samples.conformance()).encode()))
    assert read(path).finished


def test_a_compressed_record_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    packed = gzip.compress(samples.text(samples.conformance()).encode())
    path.write_bytes(packed[: len(packed) // 2])
    run = read(path)
    assert 0 < len(run.checks) < 268
    assert "the rest is lost" in run.notes[0]


def test_what_is_not_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    path.write_text("plain")
    with pytest.raises(RecordError, match="is not a whole gzip file"):
        read(path)


def test_hidden_characters_become_visible(tmp_path: Path) -> None:
    name = "rest/\u202eevil\x00\x1b[31m\ud800"
    check = read(record(tmp_path, HEADER, samples.check(name))).checks[0]
    assert check.id.startswith("rest/\\u202eevil\\u0000\\u001b[31m\ufffd")


def test_of_a_repeated_check_the_worst_outcome_counts(tmp_path: Path) -> None:
    outcomes = ("passed", "failed", "skipped")
    run = read(record(tmp_path, HEADER, *(samples.check(outcome=outcome) for outcome in outcomes)))
    assert [check.outcome for check in run.checks] == ["failed"]
    assert "Recorded more than once, the worst outcome counts: rest/url/unknown-model[rest]." in run.notes


def test_exchanges_beyond_the_budget_are_left_out_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "PASSED_BUDGET", 1_000)
    exchange = samples.rest_exchange("target", 200, "x" * 600)
    checks = [samples.check(f"rest/case-{number}", exchanges=[exchange]) for number in range(5)]
    run = read(record(tmp_path, HEADER, *checks))
    assert [bool(check.exchanges) for check in run.checks] == [True, False, False, False, False]
    assert "Exchanges of 4 checks are left out for size; the record has them." in run.notes


def test_long_bodies_are_cut_with_a_word_on_what_is_missing(tmp_path: Path) -> None:
    exchange = samples.rest_exchange("target", 200, "y" * 10_000)
    (read_back,) = read(record(tmp_path, HEADER, samples.check(exchanges=[exchange]))).checks[0].exchanges
    assert read_back.response.endswith("… (6,000 more characters)")


def test_lines_of_unknown_kind_are_ignored(tmp_path: Path) -> None:
    assert read(record(tmp_path, HEADER, {"kind": "weather"}, samples.check())).checks
