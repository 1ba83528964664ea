"""A scenario's models as a ``ModelServerConfig`` in text format."""

from __future__ import annotations

import json
from collections.abc import Iterable

from google.protobuf import text_format

from harness.terms import All, Latest, Model, Policy, Specific
from harness.wire import messages as wire


def text(models: Iterable[Model], root: str) -> str:
    """The configuration file, with colons and commas as people write it [2.1.1].

    ``root`` is the model repository as the server sees it.
    """
    configs = ",\n".join(f"  config:{{ {', '.join(_fields(model, root))} }}" for model in models)
    return f"model_config_list:{{\n{configs}\n}}\n"


def message(models: Iterable[Model], root: str) -> wire.ModelServerConfig:
    """The same as a message, for reloads over gRPC."""
    return parsed(text(models, root))


def parsed(config: str) -> wire.ModelServerConfig:
    """A configuration in text format as a message."""
    return text_format.Parse(config, wire.ModelServerConfig())


def _fields(model: Model, root: str) -> Iterable[str]:
    yield f"name:{_quoted(model.name)}"
    yield f"base_path:{_quoted(f'{root}/{model.base_folder}')}"
    yield 'model_platform:"tensorflow"'
    if model.policy is not None:
        yield f"model_version_policy:{{ {_policy(model.policy)} }}"
    for label, version in model.labels.items():
        yield f"version_labels:{{ key:{_quoted(label)}, value:{version} }}"


def _policy(policy: Policy) -> str:
    match policy:
        case Latest(count):
            return f"latest:{{ num_versions:{count} }}"
        case All():
            return "all:{}"
        case Specific(versions):
            return f"specific:{{ {', '.join(f'versions:{version}' for version in versions)} }}"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
