from __future__ import annotations

import pytest
from google.protobuf import text_format

from harness import model_config
from harness.terms import All, Latest, Model, Policy, Specific
from harness.wire import messages as wire


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, ""),
        (All(), "model_version_policy { all { } }"),
        (Latest(2), "model_version_policy { latest { num_versions: 2 } }"),
        (Specific((1, 3)), "model_version_policy { specific { versions: 1 versions: 3 } }"),
        (Specific(()), "model_version_policy { specific { } }"),
    ],
)
def test_policies(policy: Policy | None, expected: str) -> None:
    built = model_config.message([Model("m", "grid", policy=policy)], "/models").model_config_list.config[0]
    wanted = f'name: "m" base_path: "/models/m" model_platform: "tensorflow" {expected}'
    assert built == text_format.Parse(wanted, wire.ModelConfig())


def test_names_and_labels_are_quoted() -> None:
    model = Model('q"\\ü', "grid", folder="else where", labels={"sta ble": 2, 'x"': 1})
    built = model_config.message([model], "/r").model_config_list.config[0]
    assert (built.name, built.base_path) == ('q"\\ü', "/r/else where")
    assert dict(built.version_labels) == {"sta ble": 2, 'x"': 1}


def test_no_models_is_a_list_without_entries() -> None:
    assert model_config.message([], "/r").WhichOneof("config") == "model_config_list"


def test_text_is_written_as_people_write_it() -> None:
    assert model_config.text([Model("a", "grid", policy=All()), Model("b", "grid")], "/r").splitlines() == [
        "model_config_list:{",
        '  config:{ name:"a", base_path:"/r/a", model_platform:"tensorflow", '
        "model_version_policy:{ all:{} } },",
        '  config:{ name:"b", base_path:"/r/b", model_platform:"tensorflow" }',
        "}",
    ]
