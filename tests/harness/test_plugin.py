from __future__ import annotations

import sys
from xml.etree import ElementTree

import pytest

from tests.harness.tiny import lines, outcomes, run

pytest_plugins = "pytester"


def test_a_run_and_its_record(tiny: pytest.Pytester) -> None:
    result = run(tiny)
    result.assert_outcomes(passed=9, failed=3)
    assert outcomes(tiny) == {
        "tiny/test_by_hand[rest]": "passed",
        "tiny/test_by_hand[grpc]": "passed",
        "tiny/test_rest_only": "failed",
        "tiny/start/answers-m[rest]": "passed",
        "tiny/start/answers-m[grpc]": "passed",
        "tiny/start/refuses-m@7[rest]": "passed",
        "tiny/start/refuses-m@7[grpc]": "passed",
        "tiny/add/answers-m[grpc]": "passed",
        "tiny/add/nogap-m[rest]": "passed",
        "tiny/add/nogap-m[grpc]": "passed",
        "tiny/never/answers-m[rest]": "failed",
        "tiny/never/answers-m[grpc]": "failed",
    }
    written = lines(tiny)
    by_id = {line["id"]: line for line in written if line["kind"] == "check"}
    answers = by_id["tiny/start/answers-m[rest]"]
    assert (answers["facts"], answers["rows"], answers["level"]) == (["1.2"], ["ABC-01"], "MUST")
    assert answers["exchanges"][0]["request"]["target"] == "/v1/models/m:predict"
    assert by_id["tiny/test_by_hand[grpc]"]["rule"] == "Version 1 is there."
    assert by_id["tiny/test_by_hand[grpc]"]["level"] == "SHOULD"
    assert by_id["tiny/test_rest_only"]["protocol"] == "rest"
    failed = by_id["tiny/never/answers-m[grpc]"]
    assert failed["expected"] == "the answer of version 1 (contents 1)"
    assert failed["actual"] == "the answer of contents 2, said to come from version 2"
    assert [line["name"] for line in written if line["kind"] == "event"] == ["start", "publish"]
    assert written[-1]["kind"] == "footer"
    assert (written[-1]["exit_code"], written[-1]["interrupted"]) == (1, False)
    result.stdout.fnmatch_lines(
        [
            "tiny/never/answers-m[[]grpc] (MUST, facts 1.5)",
            "rule:     It comes back. Here: model m is answered by version 1.",
            "expected: the answer of version 1 (contents 1)",
            "actual:   the answer of contents 2, said to come from version 2",
            "*python -m harness.play *",
            "*PredictionService/Predict*",
            "MUST: 3 failed, 5 passed",
            "QUIRK: 2 passed",
            "SHOULD: 2 passed",
            "target command:* record run.jsonl",
        ]
    )


def test_one_protocol(tiny: pytest.Pytester) -> None:
    run(tiny, "--protocol=grpc").assert_outcomes(passed=5, failed=1, skipped=1)
    skipped = [line for line in lines(tiny) if line.get("outcome") == "skipped"]
    assert [line["reason"] for line in skipped] == ["--protocol grpc leaves out rest"]


def test_a_single_late_check_plays_what_comes_before(tiny: pytest.Pytester) -> None:
    run(tiny, "-k", "nogap and rest").assert_outcomes(passed=1, deselected=11)


def test_any_order_works(tiny: pytest.Pytester) -> None:
    """Going back means a fresh server."""
    result = run(
        tiny, "test_tiny.py::test_step[add/nogap-m-rest]", "test_tiny.py::test_step[start/answers-m-rest]"
    )
    result.assert_outcomes(passed=2)
    assert [line["name"] for line in lines(tiny) if line["kind"] == "event"] == ["start", "publish", "start"]


def test_what_a_target_cannot_do_is_skipped_with_the_reason(tiny: pytest.Pytester) -> None:
    from harness import targets
    from harness.scenario import Scenario
    from harness.terms import Model

    command = targets.parse(f"command:{sys.executable} -m tests.miniatures.server Right")
    server = command.start(Scenario("s", "t", (Model("m", "grid"),), ()))
    try:
        result = run(tiny, "-rs", "-k", "test_step", target=f"url:http://{server.addresses.rest}")
    finally:
        server.stop()
    result.assert_outcomes(passed=2, skipped=7, deselected=3)
    reasons = {line["reason"] for line in lines(tiny) if line.get("outcome") == "skipped"}
    assert reasons == {
        f"target url:http://{server.addresses.rest} cannot edit the model repository",
        f"target url:http://{server.addresses.rest} has no grpc address",
    }


def test_a_server_that_does_not_start(tiny: pytest.Pytester) -> None:
    result = run(tiny, target=f"command:{sys.executable} -c raise(SystemExit(3))")
    result.assert_outcomes(errors=12)
    result.stdout.fnmatch_lines(["the server ended with exit code 3", "command: *", "MUST: 8 errored"])


def test_a_target_string_that_makes_no_sense(tiny: pytest.Pytester) -> None:
    result = run(tiny, target="nonsense")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: target 'nonsense': give reference, docker:IMAGE:TAG, command:CMD, url:*"]
    )


def test_other_tests_see_nothing_of_it(tiny: pytest.Pytester) -> None:
    tiny.makepyfile(test_other="def test_nothing(): pass")
    result = run(tiny, "test_other.py")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*conformance*")
    assert not (tiny.path / "run.jsonl").exists()


def test_junit_carries_ids_and_levels(tiny: pytest.Pytester) -> None:
    run(tiny, "-k", "rest_only or (start and refuses and grpc)", "--junitxml=pytest.xml")
    cases = ElementTree.parse(tiny.path / "pytest.xml").iter("testcase")
    found = [{item.get("name"): item.get("value") for item in case.iter("property")} for case in cases]
    assert found == [
        {"id": "tiny/test_rest_only", "level": "MUST", "facts": "9.2"},
        {"id": "tiny/start/refuses-m@7[grpc]", "level": "QUIRK", "facts": "1.3"},
    ]
