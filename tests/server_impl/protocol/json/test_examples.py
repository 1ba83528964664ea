"""Classify and regress requests to ``tf.Example`` messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.wire import messages as wire
from server_impl.errors import ServingError
from server_impl.protocol.json.decode import parse_examples
from tests.server_impl.protocol.json.recordings import load


def features(encoded: bytes) -> dict[str, Any]:
    """Kind and values of each feature."""
    shown = {}
    for name, feature in wire.Example.FromString(encoded).features.feature.items():
        kind = feature.WhichOneof("kind")
        shown[name] = (kind, list(getattr(feature, kind).value) if kind else None)
    return shown


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("{}", {}),
        ('{"a":[]}', {"a": (None, None)}),
        ('{"a":1.5,"b":[NaN0]}', None),
        (
            '{"a":[1.5,-Infinity,1e39,-1e-50]}',
            {"a": ("float_list", [1.5, float("-inf"), float("inf"), -0.0])},
        ),
        ('{"a":[true,2,-3,false]}', {"a": ("int64_list", [1, 2, -3, 0])}),
        ('{"a":[9223372036854775807,-9223372036854775808]}', {"a": ("int64_list", [2**63 - 1, -(2**63)])}),
        ('{"a":18446744073709551616}', {"a": ("float_list", [2.0**64])}),
        ('{"a":["x",{"b64":"/w=="}]}', {"a": ("bytes_list", [b"x", b"\xff"])}),
        ('{"a":1,"a":2.5}', {"a": ("float_list", [2.5])}),
        ('{"a\\u0000b":1,"":"e"}', {"a": ("int64_list", [1]), "": ("bytes_list", [b"e"])}),
    ],
)
def test_features(example: str, expected: dict[str, Any] | None) -> None:
    body = f'{{"signature_name":"s","context":{example},"examples":[{example},{{}}]}}'.encode()
    if expected is None:
        with pytest.raises(ServingError, match="JSON Parse error"):
            parse_examples(body)
        return
    parsed = parse_examples(body)
    assert parsed.signature_name == "s"
    assert parsed.context is not None
    assert features(parsed.context) == expected
    assert [features(encoded) for encoded in parsed.examples] == [expected, {}]
    assert parsed.examples[1] == b""


def test_no_context() -> None:
    assert parse_examples(b'{"examples":[{}]}') == ("", [b""], None)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ("3", "Example must be JSON object but got JSON Number"),
        ("true", "Example must be JSON object but got JSON True"),
        ('{"a":null}', "Feature: a has element with unexpected JSON type: Null"),
        ('{"a":[[1]]}', "Feature: a has element with unexpected JSON type: Array"),
        ('{"a":{"b":1}}', "Feature: a has element with unexpected JSON type: Object"),
        ('{"a":[1,1.5]}', "Unexpected element type in feature: a expecting type: int64"),
        ('{"a":["x",{"b64":1}]}', "Feature: a has element with unexpected JSON type: Object"),
        ('{"a":[1.5,9223372036854775808]}', "Unexpected element type in feature: a expecting type: float"),
        ('{"a":9223372036854775808}', "Feature: a has uint64_t element. Only int64_t is supported."),
        ('{"a":{"b64":"?"}}', "Unable to base64 decode"),
        ('{"a":null,"a":1}', "Feature: a has element with unexpected JSON type: Null"),
    ],
)
def test_errors(example: str, message: str) -> None:
    for body in (f'{{"examples":[{{}},{example}]}}', f'{{"context":{example},"examples":[{{}}]}}'):
        with pytest.raises(ServingError) as caught:
            parse_examples(body.encode())
        assert caught.value.message == message


def test_recorded_kinds() -> None:
    """What the real server accepted holds the JSON values again."""
    for record in load("examples"):
        if record["reply"] is None and record["id"] in ("examples.152", "examples.163"):
            given = json.loads(record["body"])["examples"]
            parsed = [features(encoded) for encoded in parse_examples(record["body"].encode()).examples]
            for example, shown in zip(given, parsed, strict=True):
                for name, values in example.items():
                    expected = [value.encode() if isinstance(value, str) else value for value in values]
                    assert shown[name][1] == expected
