from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from harness import targets
from harness.targets import tape
from harness.targets.tape import Tape, TapeError
from harness.terms import Capability
from tests.harness.tiny import RIGHT, lines, outcomes, run

pytest_plugins = "pytester"


def test_a_tape_says_again_what_came_in_each_situation() -> None:
    kept = Tape("s", "/models", ["rest"])
    for entry in ({"status": 1}, {"status": 1}, {"status": 2}):
        kept.put("asked", dict(entry))
    kept.acts += 1
    kept.put("asked", {"status": 3})
    again = Tape("s", "/models", ["rest"])
    for line in kept.lines():
        if line["kind"] == "replies":
            again.learn(line)
    assert [again.get("asked") for _ in range(4)] == [
        {"status": 1},
        {"status": 2},
        {"status": 2},
        {"status": 2},
    ]
    again.acts += 1
    assert again.get("asked") == {"status": 3}
    assert again.get("never asked") is None


def test_a_tape_keeps_apart_what_checks_ask() -> None:
    """So what one of them gets depends neither on the others nor on how often they look."""
    kept = Tape("s", "/models", ["rest"])
    with tape.subject("first"):
        kept.put("asked", {"status": 1})
        kept.put("asked", {"status": 2})
    with tape.subject("second"):
        kept.put("asked", {"status": 2})
        kept.put("asked", {"status": 3})
    again = Tape("s", "/models", ["rest"])
    for line in kept.lines():
        if line["kind"] == "replies":
            again.learn(line)
    with tape.subject("second"):
        assert [again.get("asked") for _ in range(2)] == [{"status": 2}, {"status": 3}]
    assert again.get("asked") is None


def test_acts_that_end_in_another_order() -> None:
    kept, again = Tape("s", "/models", ["grpc"]), Tape("s", "/models", ["grpc"])
    for request, status in (("second", 2), ("first", 1), ("first", 1), ("first", 3)):
        kept.put(request, {"status": status}, act=True)
        kept.acts += 1
    for line in kept.lines():
        if line["kind"] == "replies":
            again.learn(line)
    answers = []
    for request in ("first", "second", "first", "first"):
        answers.append(again.get(request, act=True))
        again.acts += 1
    assert answers == [{"status": 1}, {"status": 2}, {"status": 1}, {"status": 3}]


def test_the_date_of_a_reply_makes_no_difference() -> None:
    kept = Tape("s", "/models", [])
    for date in ("now", "then"):
        kept.put("asked", {"headers": [["Date", date], ["A", "b"]]})
    replies = next(line for line in kept.lines() if line["kind"] == "replies")["replies"]
    assert len(replies) == 1


def test_a_file_grows_by_parts_that_are_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "golden.jsonl.gz"
    tape.begin(path, {"target": {}})
    tape.append(path, Tape("s", "/models", ["rest"]).lines())
    about, settings = tape.load(path)
    assert about["kind"] == "golden"
    assert [line["root"] for line in settings["s"]] == ["/models"]


@pytest.mark.parametrize(
    "content",
    [b"", b"text", gzip.compress(b""), gzip.compress(b'{"kind": "golden", "schema": 99}')],
    ids=["nothing", "text", "nothing-packed", "unknown-schema"],
)
def test_files_that_hold_no_answers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "golden.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(TapeError, match="holds no recorded answers"):
        tape.load(path)


def test_a_recording_serves_in_place_of_the_server(tiny: pytest.Pytester) -> None:
    """What can only be seen while it happens is skipped, all else comes out the same."""
    run(tiny, "--record-golden=golden.jsonl.gz").assert_outcomes(passed=9, failed=3)
    first = outcomes(tiny)
    replayed = run(tiny, target="replay:golden.jsonl.gz")
    replayed.assert_outcomes(passed=7, failed=3, skipped=2)
    watched = {"tiny/add/nogap-m[rest]", "tiny/add/nogap-m[grpc]"}
    assert outcomes(tiny) == {name: "skipped" if name in watched else was for name, was in first.items()}
    target = lines(tiny)[0]["target"]
    assert target["kind"] == "replay"
    assert target["label"].startswith("python")
    assert target["server"] == {"name": "Miniature", "version": "1"}


def test_a_server_against_what_was_recorded(tiny: pytest.Pytester) -> None:
    run(tiny, "--record-golden=golden.jsonl.gz")
    result = run(tiny, "--against=replay:golden.jsonl.gz")
    result.assert_outcomes(passed=10, skipped=2)
    wrong = run(tiny, "--against=replay:golden.jsonl.gz", target=RIGHT.replace("Right", "ServerErrorForAll"))
    wrong.assert_outcomes(passed=9, failed=1, skipped=2)


def test_what_was_not_recorded_is_skipped(tiny: pytest.Pytester) -> None:
    run(tiny, "--record-golden=golden.jsonl.gz", "-k", "by_hand")
    result = run(tiny, "-k", "by_hand or (add and answers)", target="replay:golden.jsonl.gz")
    result.assert_outcomes(passed=2, skipped=1, deselected=9)
    result.stdout.fnmatch_lines(["1 skipped: the recording has no reply to * in this situation"])


def test_what_a_recording_can_do(tiny: pytest.Pytester) -> None:
    run(tiny, "--record-golden=golden.jsonl.gz", "-k", "by_hand")
    replay = targets.parse(f"replay:{tiny.path}/golden.jsonl.gz")
    assert {Capability.REPOSITORY, Capability.RELOAD} <= replay.capabilities
    assert not replay.capabilities & {Capability.LAUNCH, Capability.WATCH, Capability.LOAD}
    with gzip.open(tiny.path / "golden.jsonl.gz", "rt") as file:
        kinds = [json.loads(line)["kind"] for line in file]
    assert kinds[:2] == ["golden", "start"]
    assert set(kinds[2:]) == {"replies"}
