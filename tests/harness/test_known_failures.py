from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import known_failures
from harness.known_failures import UNEXPLAINED, Entry, ListError, load, text, updated
from tests.harness.tiny import lines, outcomes, run

pytest_plugins = "pytester"

NEVER = """
[[failure]]
id = "tiny/never/answers-m*"
message = "the answer of contents 2*"
reason = "it never does"
link = "https://example.com/1"
"""
BY_HAND = """
[[failure]]
id = "tiny/test_rest_only"
message = "that"
reason = "it always fails"
"""


def check(name: str, outcome: str = "failed", actual: str | None = "x") -> dict[str, Any]:
    return {"id": name, "outcome": outcome, "actual": actual, "reason": None}


@pytest.mark.parametrize(
    ("pattern", "check_id", "named"),
    [
        ("a/b[rest]", "a/b[rest]", True),
        ("a/b[rest]", "a/br", False),
        ("a/*[rest]", "a/b/c[rest]", True),
        ("a/*", "b/a/x", False),
        ("*", "anything[at all]", True),
    ],
)
def test_ids_have_one_wildcard(pattern: str, check_id: str, named: bool) -> None:
    assert Entry(pattern, "m", "r").names(check_id) is named


def test_a_message_is_the_first_line() -> None:
    entry = Entry("a", "status 404*", "r")
    assert entry.explains("status 404: x\nand the whole reply")
    assert not entry.explains("status 400\nstatus 404")


def test_a_list_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    entries = (Entry('a"[b]', "m\\x", "ä reason"), Entry("c*", "*", "r", "https://example.com"))
    path.write_text(text(entries, "# heading\n"), "utf-8")
    assert load(path).entries == entries
    assert load(tmp_path / "missing.toml").entries == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[[failure]]\nid = 'a'\nmessage = 'm'\n", "entry 1: 'reason' is missing"),
        ("[[failure]]\nid = 'a'\nmessage = 'm'\nreason = 'r'\nwhy = 'x'\n", "entry 1: an entry has id,"),
        ("[[failures]]\nid = 'a'\n", r"only \[\[failure\]\] tables may stand here, not failures"),
        ("[[failure]", "list.toml: "),
    ],
)
def test_lists_that_cannot_be_read(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "list.toml"
    path.write_text(content)
    with pytest.raises(ListError, match=told):
        load(path)


def test_an_update_keeps_what_people_wrote() -> None:
    entries = [
        Entry("a/*", "status *", "still so"),
        Entry("b/*", "*", "passes now"),
        Entry("c/*", "old message", "fails otherwise now", "link"),
        Entry("f/*", "*", "skipped this time"),
        Entry("g/1", "*", "of a chapter that was not run"),
    ]
    checks = [
        check("a/1", "xfailed", "status 404"),
        check("a/2", "xfailed", "status 400\nmore"),
        check("b/1", "xpassed", None),
        check("c/1", "failed", "new message\nmore"),
        check("d/1", "failed", "boom"),
        check("e/1", "passed", None),
        check("f/1", "skipped", None),
    ]
    assert updated(entries, checks) == [
        Entry("a/*", "status *", "still so"),
        Entry("c/1", "new message", "fails otherwise now", "link"),
        Entry("f/*", "*", "skipped this time"),
        Entry("g/1", "*", "of a chapter that was not run"),
        Entry("d/1", "boom", UNEXPLAINED),
    ]
    assert updated(updated(entries, checks), checks) == updated(entries, checks)


def test_expected_failures_do_not_fail_the_run(tiny: pytest.Pytester) -> None:
    tiny.path.joinpath("list.toml").write_text(NEVER + BY_HAND)
    result = run(tiny, "--known-failures=list.toml")
    result.assert_outcomes(passed=9, xfailed=3)
    assert result.ret == pytest.ExitCode.OK
    never = next(line for line in lines(tiny) if line.get("id") == "tiny/never/answers-m[rest]")
    assert (never["outcome"], never["reason"]) == ("xfailed", "it never does; https://example.com/1")
    assert never["actual"] == "the answer of contents 2"


def test_the_list_for_the_kind_of_target_is_found(tiny: pytest.Pytester) -> None:
    folder = tiny.path / "known_failures"
    folder.mkdir()
    (folder / "command.toml").write_text(NEVER + BY_HAND)
    assert run(tiny).ret == pytest.ExitCode.OK
    assert run(tiny, "--known-failures=none").ret == pytest.ExitCode.TESTS_FAILED


def test_what_passes_although_listed_fails(tiny: pytest.Pytester) -> None:
    tiny.path.joinpath("list.toml").write_text(
        NEVER + BY_HAND + '[[failure]]\nid = "tiny/add/*"\nmessage = "*"\nreason = "slow"\n'
    )
    result = run(tiny, "--known-failures=list.toml")
    result.assert_outcomes(passed=6, xfailed=3, failed=3)
    assert outcomes(tiny)["tiny/add/nogap-m[grpc]"] == "xpassed"
    result.stdout.fnmatch_lines(
        ["tiny/add/answers-m[[]grpc] passes, but list.toml expects it to fail (slow): take the entry out*"]
    )


def test_another_message_fails(tiny: pytest.Pytester) -> None:
    tiny.path.joinpath("list.toml").write_text(BY_HAND.replace('"that"', '"something else"') + NEVER)
    result = run(tiny, "--known-failures=list.toml")
    result.assert_outcomes(passed=9, xfailed=2, failed=1)
    result.stdout.fnmatch_lines(["actual:   that", "list.toml expects another failure: something else"])


@pytest.mark.parametrize(
    ("arguments", "stale"),
    [
        ((), True),
        (("test_tiny.py",), True),
        (("-k", "never or rest_only"), False),
        (("--protocol=rest",), False),
    ],
)
def test_what_is_listed_and_not_run_fails(
    tiny: pytest.Pytester, arguments: tuple[str, ...], stale: bool
) -> None:
    gone = '[[failure]]\nid = "tiny/gone/*"\nmessage = "*"\nreason = "r"\n'
    tiny.path.joinpath("list.toml").write_text(NEVER + BY_HAND + gone)
    result = run(tiny, "--known-failures=list.toml", *arguments)
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if stale else pytest.ExitCode.OK)
    told = "list.toml lists tiny/gone/*, which was not run: take the entry out"
    assert (told in result.stdout.str()) is stale


def test_the_command_updates_a_list(tiny: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    record, path = tiny.path / "run.jsonl", tiny.path / "list.toml"
    path.write_text("# why this is here\n" + NEVER.replace("contents 2", "contents 3"))
    run(tiny, "--known-failures=list.toml").assert_outcomes(passed=9, failed=3)
    known_failures.main(["update", str(record), "--list", str(path)])
    assert "3 entries, 1 dropped or changed, 1 to be explained" in capsys.readouterr().out
    assert path.read_text().startswith("# why this is here\n")
    assert {(entry.id, entry.reason) for entry in load(path).entries} == {
        ("tiny/never/answers-m[rest]", "it never does"),
        ("tiny/never/answers-m[grpc]", "it never does"),
        ("tiny/test_rest_only", UNEXPLAINED),
    }
    result = run(tiny, "--known-failures=list.toml")
    result.assert_outcomes(passed=9, xfailed=3)
    result.stdout.fnmatch_lines(["list.toml: 1 entries are not explained yet"])


def test_a_list_is_updated_from_whole_runs_only(tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"
    record.write_text('{"kind": "header"}\n')
    with pytest.raises(SystemExit, match="the run did not come to its end"):
        known_failures.main(["update", str(record), "--list", str(tmp_path / "list.toml")])
