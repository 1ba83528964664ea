from __future__ import annotations

import logging

import pytest
from google.protobuf import text_format

from harness.wire import messages as wire
from server_impl.config.model_config import check_logging, check_platforms, single_model_config, validate
from server_impl.errors import ServingError

M = 'config { name: "m" base_path: "/m" model_platform: "tensorflow" }'
N = 'config { name: "n" base_path: "/m" model_platform: "tensorflow" }'
TRANSITION = (
    "FAILED_PRECONDITION: Cannot transition to requested config. "
    "It is only legal to transition from one ModelConfigList to another."
)


def config(*models: str) -> wire.ModelServerConfig:
    return parse(f"model_config_list {{ {' '.join(models)} }}")


def parse(text: str) -> wire.ModelServerConfig:
    return text_format.Parse(text, wire.ModelServerConfig())


NONE, CUSTOM = parse(""), parse("custom_model_config {}")


def error(new: wire.ModelServerConfig, current: wire.ModelServerConfig = NONE) -> str | None:
    try:
        validate(new, current)
    except ServingError as refused:
        return str(refused)
    return None


@pytest.mark.parametrize(
    ("current", "new", "accepted"),
    [
        (NONE, NONE, True),
        (NONE, config(), True),
        (NONE, CUSTOM, True),
        (config(M), config(M), True),
        (config(M), config(M, N), True),
        (config(M), config(), True),
        (config(M), NONE, False),
        (config(M), CUSTOM, False),
        (CUSTOM, CUSTOM, True),
        (CUSTOM, config(M), False),
        (CUSTOM, NONE, False),
    ],
)
def test_transitions(current: wire.ModelServerConfig, new: wire.ModelServerConfig, accepted: bool) -> None:
    assert error(new, current) == (None if accepted else TRANSITION)


def test_a_name_twice() -> None:
    relative = 'config { name: "r" base_path: "r" }'
    assert error(config(relative, M, N, M)) == (
        "INVALID_ARGUMENT: Illegal to list model m multiple times in config list"
    )


@pytest.mark.parametrize("path", ["", "m", "./m", "m://", ":///m", "1s://m", "file:/m"])
def test_relative_paths(path: str) -> None:
    relative = "" if path == "m://" else path
    text = f'config {{ name: "r" base_path: "{path}" model_platform: "tensorflow" }}'
    wanted = f"INVALID_ARGUMENT: Expected model r to have an absolute path or URI; got base_path()={relative}"
    assert error(config(M, text)) == (None if path == "m://" else wanted)


@pytest.mark.parametrize("path", ["/", "/m/", "file:///m", "gs://bucket/m", "s3.eu://b"])
def test_absolute_paths(path: str) -> None:
    assert error(config(f'config {{ name: "r" base_path: "{path}" }}')) is None


def test_changed_platform() -> None:
    other = M.replace("tensorflow", "other")
    assert error(config(other), config(M)) == (
        "INVALID_ARGUMENT: Illegal to change a model's platform. "
        "For model m platform was tensorflow and new platform requested is other"
    )
    assert error(config(other), config(N)) is None


def test_unclear_platform_of_a_kept_model_is_found_here() -> None:
    unclear = 'config { name: "m" base_path: "/m" }'
    assert error(config(unclear)) is None
    assert error(config(unclear), config(M)) == (
        "INVALID_ARGUMENT: Illegal setting neither ModelServerConfig::model_type (deprecated) "
        "nor ModelServerConfig::model_platform, model name is m"
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ('model_platform: "tensorflow"', None),
        ("model_type: TENSORFLOW", None),
        (
            'model_type: TENSORFLOW model_platform: "tensorflow"',
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            "and ModelServerConfig::model_platform, model name is m",
        ),
        (
            "",
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform, model name is m",
        ),
        ("model_type: OTHER", "ModelServerConfig::model_type choice 2 not supported."),
        ("model_type: 7", "ModelServerConfig::model_type choice 7 not supported."),
        ('model_platform: "other"', "Model m requests unsupported platform other"),
    ],
)
def test_platforms(fields: str, text: str | None, caplog: pytest.LogCaptureFixture) -> None:
    checked = config(f'config {{ name: "m" {fields} }}')
    if text is None:
        check_platforms(checked)
    else:
        with pytest.raises(ServingError) as caught:
            check_platforms(checked)
        assert str(caught.value) == f"INVALID_ARGUMENT: {text}"
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    deprecated = (
        "Deprecated ModelServerConfig::model_type field used. Prefer ModelServerConfig::model_platform."
    )
    assert warned == ([deprecated] if "model_type" in fields else [])


def test_request_logs_are_refused() -> None:
    check_logging(config(M))
    with pytest.raises(ServingError, match=r"^INVALID_ARGUMENT: No request-logger-creator provided\.$"):
        check_logging(config(M, 'config { name: "l" logging_config {} }'))


def test_single_model(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert single_model_config("m", "/m") == config(M)
    assert caplog.messages == [
        "Building single TensorFlow model file config:  model_name: m model_base_path: /m"
    ]


def test_a_refused_transition_is_logged_with_both_configs(caplog: pytest.LogCaptureFixture) -> None:
    error(NONE, config(M))
    assert [message.partition("\n")[0] for message in caplog.messages] == [
        TRANSITION.partition(": ")[2],
        "Old config: model_config_list {",
        "New config: ",
    ]
