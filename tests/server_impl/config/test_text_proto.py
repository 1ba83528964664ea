from __future__ import annotations

import logging
from pathlib import Path

import pytest

from harness.wire import messages as wire
from server_impl.config.text_proto import read_text_proto
from server_impl.errors import Code, ServingError


def read(path: Path, text: str | bytes) -> wire.ModelServerConfig:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_text_proto(str(path), wire.ModelServerConfig())


@pytest.mark.parametrize(
    "text",
    [
        'model_config_list { config { name: "m" base_path: "/b" } }',
        "model_config_list: { config: { name: 'm', base_path: '/b', } }",
        'model_config_list < config < name: "m"; base_path: "/b"; > >',
        'model_config_list { config: [{name: "m" base_path: "/b"}] }',
        '# a comment\nmodel_config_list { config { name: "m" # another\n base_path: "/" "b" } }',
        'model_config_list { config { name: "\\155" base_path: "\\x2fb" } }',
    ],
)
def test_spellings_of_one_config(tmp_path: Path, text: str) -> None:
    (model,) = read(tmp_path / "c", text).model_config_list.config
    assert (model.name, model.base_path) == ("m", "/b")


def test_a_comment_is_a_config_without_list(tmp_path: Path) -> None:
    assert read(tmp_path / "c", "# nothing\n").WhichOneof("config") is None


def test_of_a_label_given_twice_the_last_one_counts(tmp_path: Path) -> None:
    labels = 'version_labels { key: "a" value: 1 } version_labels { key: "a" value: 2 }'
    (model,) = read(tmp_path / "c", f"model_config_list {{ config {{ {labels} }} }}").model_config_list.config
    assert dict(model.version_labels) == {"a": 2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model_config_list { config { name: }", "1:36: Expected string, got: }"),
        (
            'model_config_list { config { name: "m" path: "/b" } }',
            '1:44: Message type "tensorflow.serving.ModelConfig" has no field named "path".',
        ),
        (
            'model_config_list {\n  config {\n    path   # here\n\n  : "/b" } }',
            '5:3: Message type "tensorflow.serving.ModelConfig" has no field named "path".',
        ),
        ('{"model_config_list":{}}', "1:1: Expected identifier, got: {"),
        (
            "model_config_list {\n}\nmodel_config_list {\n}\n",
            '3:19: Non-repeated field "model_config_list" is specified multiple times.',
        ),
        (
            'model_config_list { config { name: "a" name: "b" } }',
            'Non-repeated field "name" is specified multiple times.',
        ),
        (
            "model_config_list { config { model_version_policy { latest {} all {} } } }",
            'Field "all" is specified along with field "latest", another member of oneof "policy_choice".',
        ),
        ("model_config_list { config { model_version_policy { latest { num_versions: -1 } } } }", "got: -"),
        ("model_config_list { config { model_type: BAD } }", "has no value named BAD"),
        ('model_config_list { config { name: "m" ', 'Expected "}"'),
    ],
)
def test_what_cannot_be_parsed(
    tmp_path: Path, text: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ServingError) as caught:
        read(tmp_path / "c", text)
    assert str(caught.value) == f"INVALID_ARGUMENT: Invalid protobuf file: '{tmp_path / 'c'}'"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    message = record.getMessage()
    assert message.startswith("Error parsing text-format tensorflow.serving.ModelServerConfig: ")
    assert reason in message


def test_what_cannot_be_read(tmp_path: Path) -> None:
    missing, folder = tmp_path / "missing", tmp_path
    for path, code, reason in [
        (missing, Code.NOT_FOUND, "No such file or directory"),
        (folder, Code.NOT_FOUND, "No such device"),
        (missing / "below", Code.NOT_FOUND, "No such file or directory"),
    ]:
        with pytest.raises(ServingError) as caught:
            read_text_proto(str(path), wire.ModelServerConfig())
        assert (caught.value.code, caught.value.message) == (code, f"{path}; {reason}")


def test_an_empty_file_cannot_be_mapped(tmp_path: Path) -> None:
    with pytest.raises(ServingError) as caught:
        read(tmp_path / "c", "")
    assert str(caught.value) == f"INVALID_ARGUMENT: {tmp_path / 'c'}; Invalid argument"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="Invalid protobuf file"):
        read(tmp_path / "c", b"\xff\xfe\x00")
