"""Configurations that keep a server from starting. More are in :mod:`scenarios.operations.refusals`."""

from __future__ import annotations

from harness.startup import NO_RETRIES, PORTS, StartUp, refused
from harness.terms import Level, Model

_CONFIG = (*PORTS, NO_RETRIES, "--model_config_file=$FILES/models.config")
_MODELS = (Model("a", "half_plus_two"), Model("b", "half_plus_two"))


def _listed(b: str) -> str:
    return (
        'model_config_list { config { name: "a" base_path: "$MODELS/a" model_platform: "tensorflow" } '
        f"config {{ {b} }} }}"
    )


START_UPS = (
    *(
        StartUp(
            f"unreadable/{name}",
            "What is no configuration by the letter rejects the whole file.",
            _CONFIG,
            refused("INVALID_ARGUMENT: Invalid protobuf file: '$FILES/models.config'"),
            models=_MODELS,
            files={
                "models.config": _listed(
                    f'name: "b" base_path: "$MODELS/b" model_platform: "tensorflow" {more}'
                )
            },
            facts=("2.1.2", "1.3.4", *rows),
        )
        for name, more, rows in (
            ("two-policies", "model_version_policy { all { } latest { num_versions: 2 } }", ("CFG-03",)),
            ("field-given-twice", 'name: "c"', ("X-13",)),
            ("unknown-model-type", "model_type: TORCH", ()),
            ("negative-count", "model_version_policy { latest { num_versions: -1 } }", ()),
        )
    ),
    *(
        StartUp(
            name,
            "A list that makes no sense refuses the start, for the sake of one model.",
            _CONFIG,
            refused(f"INVALID_ARGUMENT: {message}"),
            models=_MODELS,
            files={"models.config": _listed(b)},
            facts=facts,
        )
        for name, b, message, facts in (
            (
                "listed-twice",
                'name: "a" base_path: "$MODELS/b" model_platform: "tensorflow"',
                "Illegal to list model a multiple times in config list",
                ("2.3.3", "CFG-09"),
            ),
            (
                "two-platforms",
                'name: "b" base_path: "$MODELS/b" model_platform: "tensorflow" model_type: TENSORFLOW',
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                "ModelServerConfig::model_platform, model name is b",
                ("2.2.2", "CFG-06"),
            ),
            (
                "no-platform",
                'name: "b" base_path: "$MODELS/b"',
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                "ModelServerConfig::model_platform, model name is b",
                ("2.2.2", "CFG-06"),
            ),
            (
                "other-model-type",
                'name: "b" base_path: "$MODELS/b" model_type: OTHER',
                "ModelServerConfig::model_type choice 2 not supported.",
                ("2.2.2",),
            ),
            (
                "unknown-platform",
                'name: "b" base_path: "$MODELS/b" model_platform: "pytorch"',
                "Model b requests unsupported platform pytorch",
                ("2.2.2", "CFG-07"),
            ),
            (
                "empty-path",
                'name: "b" base_path: "" model_platform: "tensorflow"',
                "Expected model b to have an absolute path or URI; got base_path()=",
                ("2.3.4", "CFG-10"),
            ),
        )
    ),
    StartUp(
        "logging",
        "Request logging refuses the start, and only when all models have been loaded.",
        _CONFIG,
        refused(
            "INVALID_ARGUMENT: No request-logger-creator provided.",
            log="Successfully loaded servable version {name: b version: 1}",
        ),
        models=_MODELS,
        files={
            "models.config": _listed(
                'name: "b" base_path: "$MODELS/b" model_platform: "tensorflow" '
                "logging_config { sampling_config { sampling_rate: 1 } }"
            )
        },
        facts=("2.7.1", "CFG-16"),
        level=Level.MUST,
    ),
)
