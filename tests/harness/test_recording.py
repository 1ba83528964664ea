from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import recipe, recording, targets
from harness.client import Exchange
from harness.client.grpc import PREDICT
from harness.scenario import Scenario
from harness.terms import Model, Protocol
from harness.wire import messages as wire
from harness.wire import tensors
from reports import schema


def exchange(**fields: Any) -> Exchange:
    made: dict[str, Any] = {
        "protocol": Protocol.REST,
        "method": "POST /v1/models/m:predict",
        "request": b"{}",
        "request_headers": (("A", "b"),),
        "status": "200 OK",
        "text": "",
        "reply": b"[]",
        "reply_headers": (("Content-Length", "2"),),
        "started": 0.0,
        "duration_s": 0.25,
    }
    return Exchange(**(made | fields))


GRPC = {"protocol": Protocol.GRPC, "method": "/s/M", "status": "NOT_FOUND", "text": "gone", "reply": b""}


def check(outcome: str = "passed", level: str = "MUST", **fields: Any) -> dict[str, Any]:
    return {
        "id": "c/s/k[rest]",
        "chapter": "c",
        "facts": ["1.2"],
        "rows": ["URL-01"],
        "level": level,
        "rule": "r",
        "protocol": "rest",
        "outcome": outcome,
        "reason": None,
        "expected": None,
        "actual": None,
        "recipe": None,
        "duration_s": 0.1,
        "exchanges": [],
        **fields,
    }


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def record(tmp_path: Path) -> recording.Record:
    scenario = Scenario("s", "t", (Model("m", "grid", versions=(1, 2), offset=5),), ())
    models = recording.model_hashes([scenario])
    return recording.Record(
        tmp_path / "new" / "run.jsonl", "conformance", targets.parse("url:h:1"), models=models, seeds={}
    )


def test_a_whole_run_follows_the_schema(record: recording.Record) -> None:
    record.check(check(exchanges=[recording.exchange_line(exchange(started=record.started + 1.5))]))
    record.check(check("failed", "SHOULD", exchanges=[recording.exchange_line(exchange(**GRPC))]))
    record.write("event", t=1.0, name="publish", model="m", version=3, detail="publish m/3")
    record.close(exit_code=1)
    written = lines(record.path)
    assert [line["kind"] for line in written] == ["header", "check", "check", "event", "footer"]
    assert [problem for line in written for problem in schema.line_problems(line)] == []
    header, first, second, _, footer = written
    assert header["target"] == {
        "spec": "url:h:1",
        "kind": "url",
        "label": "url:h:1",
        "server": None,
        "rest": None,
        "grpc": "h:1",
    }
    assert header["models"]["s/m"]["versions"].keys() == {"1", "2"}
    assert first["exchanges"][0]["t"] == 1.5
    assert first["exchanges"][0]["response"] == {
        "status": 200,
        "reason": "OK",
        "headers": [["Content-Length", "2"]],
        "body": "[]",
    }
    assert second["exchanges"][0]["response"] == {"code": "NOT_FOUND", "details": "gone", "body_b64": ""}
    assert footer["lines"] == len(written)
    assert footer["checks"] == 2
    assert footer["outcomes"] == {"passed": 1, "failed": 1}
    assert footer["levels"] == {"MUST": {"passed": 1}, "SHOULD": {"failed": 1}}


def test_lines_are_on_disk_at_once(record: recording.Record) -> None:
    record.check(check())
    assert [line["kind"] for line in lines(record.path)] == ["header", "check"]
    record.close(exit_code=0)


def test_long_and_binary_bodies() -> None:
    long = b"x" * (recording.BODY_LIMIT + 1)
    line = recording.exchange_line(exchange(request=long, reply=b"\xff"))
    assert line["request"]["body"] == "x" * recording.BODY_LIMIT
    assert line["request"]["bytes"] == len(long)
    assert line["request"]["sha256"] == hashlib.sha256(long).hexdigest()
    assert base64.b64decode(line["response"]["body_b64"]) == b"\xff"


def test_messages_stand_in_a_record_for_people_to_read() -> None:
    asked = wire.PredictRequest(model_spec=wire.ModelSpec(name="m"))
    asked.inputs["x"].CopyFrom(tensors.to_proto(np.array([1.0, 2.5], np.float32), content=False))
    call = {
        "protocol": Protocol.GRPC,
        "method": PREDICT,
        "status": "OK",
        "request": asked.SerializeToString(),
    }
    line = recording.exchange_line(exchange(**call, reply=b"\xff"))
    assert "float_val: 2.5" in line["request"]["text"]
    assert base64.b64decode(line["request"]["body_b64"]) == asked.SerializeToString()
    assert "text" not in line["response"]


def test_long_messages_are_told_to_be_cut() -> None:
    asked = wire.PredictRequest(output_filter=["some_output"] * 200).SerializeToString()
    line = recording.exchange_line(exchange(**(GRPC | {"method": PREDICT}), request=asked))
    assert len(asked) < recording.BODY_LIMIT
    assert line["request"]["text"].endswith("more characters)")


def test_numbers_that_json_lacks_are_refused(record: recording.Record) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        record.write("event", t=float("nan"), name="x")
    record.close(exit_code=0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, """-X POST -H 'A: b' "http://$REST/v1/models/m:predict" --data-raw '{}'"""),
        ({"method": "GET /v1/m", "request": b"", "request_headers": ()}, '-X GET "http://$REST/v1/m"'),
        ({"method": "GET /v1/$x", "request": b""}, r'"http://$REST/v1/\$x"'),
        ({"method": "HEAD /v1", "request": b"", "request_headers": ()}, '-I "http://$REST/v1"'),
        ({"request": b"x" * 3000}, "--data-binary @body.json  # 3000 bytes"),
        ({"request": b"\xff"}, "echo /w== | base64 -d | curl"),
        ({"method": "", "request": b"GARBAGE"}, "rest.raw("),
        (GRPC, "base64.b64decode"),
    ],
)
def test_recipes(fields: dict[str, Any], expected: str) -> None:
    script = recipe.script("scenarios.x.scenario", "step", "reference", [exchange(**fields)])
    assert "python -m harness.play scenarios.x.scenario step --target reference" in script
    assert expected in script
