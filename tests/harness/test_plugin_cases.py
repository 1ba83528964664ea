"""Letter-exact cases as tests: ids, selection, failure texts, record."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.models import BUILDERS
from tests.miniatures import standins

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]

TESTS = """
    import numpy as np
    import pytest
    from harness.cases import *
    from harness.client.grpc import PREDICT
    from harness.scenario import Scenario, Step
    from harness.terms import Code, Level, Model
    from harness.wire import messages as wire, tensors

    TINY = Scenario("tiny", "A tiny scenario", (Model("m", "half_plus_two"),), (Step("start", "It runs."),))
    REQUEST = wire.PredictRequest(model_spec=wire.ModelSpec(name="m"))
    REQUEST.inputs["x"].CopyFrom(tensors.to_proto(np.array([1], np.float32)))
    ANSWER = wire.PredictResponse()
    ANSWER.outputs["y"].CopyFrom(tensors.to_proto(np.array([2.5], np.float32), content=False))

    CASES = (
        RestCase("right", "It answers.", post("/v1/models/m:predict", '{"instances": [1.0]}'),
                 Reply(200, Json({"predictions": [2.5]})), facts=("1.1", "ROW-01")),
        RestCase("wrong", "It is a teapot.", get("/v1/models/m"), Reply(418), facts=("1.2",),
                 level=Level.QUIRK),
        GrpcCase("group/right", "It answers.", Call(PREDICT, REQUEST), Answer(ANSWER, whole=False),
                 facts=("1.3",)),
        GrpcCase("group/refused", "Nobody is there.", Call(PREDICT, wire.PredictRequest()),
                 Refused(Code.INVALID_ARGUMENT), facts=("1.3",)),
    )

    pytestmark = pytest.mark.scenario(TINY)

    @pytest.mark.cases(CASES)
    def test_case(case):
        case()
"""


@pytest.fixture
def tiny(pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("TFSERVING_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    standins.write([(BUILDERS["half_plus_two"], 1)])
    pytester.makepyfile(test_tiny=TESTS)
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    options = ("-p", "no:locust", "-p", "harness.plugin", "--patience=1", "--record=run.jsonl")
    target = f"--target=command:{sys.executable} -m tests.miniatures.server Right"
    return pytester.runpytest_subprocess(*options, target, *arguments, timeout=60)


def checks(pytester: pytest.Pytester) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in (pytester.path / "run.jsonl").read_text().splitlines()]
    return {line["id"]: line for line in lines if line["kind"] == "check"}


def test_ids(tiny: pytest.Pytester) -> None:
    run(tiny, "--collect-only", "-q").stdout.fnmatch_lines(
        [
            "test_tiny.py::test_case[[]right]",
            "test_tiny.py::test_case[[]wrong]",
            "test_tiny.py::test_case[[]group/right]",
            "test_tiny.py::test_case[[]group/refused]",
        ]
    )


def test_a_run_and_its_record(tiny: pytest.Pytester) -> None:
    result = run(tiny)
    found = checks(tiny)
    chapter = tiny.path.name
    assert {name.removeprefix(f"{chapter}/"): line["outcome"] for name, line in found.items()} == {
        "tiny/right[rest]": "passed",
        "tiny/wrong[rest]": "failed",
        "tiny/group/right[grpc]": "passed",
        "tiny/group/refused[grpc]": "failed",
    }
    right = found[f"{chapter}/tiny/right[rest]"]
    assert (right["facts"], right["rows"], right["level"]) == (["1.1"], ["ROW-01"], "MUST")
    assert right["rule"] == "It answers."
    assert right["exchanges"][0]["request"]["target"] == "/v1/models/m:predict"
    wrong = found[f"{chapter}/tiny/wrong[rest]"]
    assert (wrong["expected"], wrong["level"]) == ("418", "QUIRK")
    assert wrong["actual"].startswith("status 200: HTTP/1.1 200 OK")
    result.stdout.fnmatch_lines(
        [
            "*/tiny/wrong[[]rest] (QUIRK, facts 1.2)",
            "rule:     It is a teapot.",
            "expected: 418",
            "actual:   status 200: HTTP/1.1 200 OK*",
            "*python -m harness.play test_tiny:TINY start *",
            '*curl * -X GET "http://$REST/v1/models/m"',
        ]
    )


@pytest.mark.parametrize(("protocol", "outcomes"), [("rest", (1, 1)), ("grpc", (1, 1))])
def test_one_protocol(tiny: pytest.Pytester, protocol: str, outcomes: tuple[int, int]) -> None:
    run(tiny, f"--protocol={protocol}").assert_outcomes(passed=outcomes[0], failed=outcomes[1])
    assert all(name.endswith(f"[{protocol}]") for name in checks(tiny))


def test_a_module_of_the_other_protocol_is_left_out(tiny: pytest.Pytester) -> None:
    tiny.makepyfile(test_tiny=TESTS.replace("CASES = (", "GONE = (").replace("(CASES)", "(GONE[:2])"))
    run(tiny, "--protocol=grpc").assert_outcomes(deselected=1)
