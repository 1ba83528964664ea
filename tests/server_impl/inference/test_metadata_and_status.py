"""What GetModelMetadata and GetModelStatus check, and in which order [6.7, 6.8]."""

from __future__ import annotations

import pytest

from server_impl.errors import Code, ServingError, invalid_argument
from server_impl.inference import metadata, status
from server_impl.inference.model_spec import ModelSpec
from server_impl.lifecycle.monitor import Monitor
from server_impl.lifecycle.states import Event, ServableId, State
from tests.server_impl.inference.fakes import servable, serving

SERVED = serving(servable(version=2))


@pytest.mark.parametrize(
    ("spec", "fields", "code", "message"),
    [
        (None, [], Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (
            ModelSpec(""),
            [],
            Code.INVALID_ARGUMENT,
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            ModelSpec("nope"),
            ["signature_def", "x"],
            Code.INVALID_ARGUMENT,
            "Metadata field x is not supported",
        ),
        (ModelSpec(""), ["signature_def"], Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (
            ModelSpec("nope"),
            ["signature_def"],
            Code.NOT_FOUND,
            "Servable not found for request: Latest(nope)",
        ),
    ],
)
def test_metadata_refusal(spec: ModelSpec | None, fields: list[str], code: Code, message: str) -> None:
    with pytest.raises(ServingError) as raised:
        metadata.described(SERVED, spec, fields)
    assert (raised.value.code, raised.value.message) == (code, message)


def test_metadata_field_may_be_repeated() -> None:
    with metadata.described(SERVED, ModelSpec("m"), ["signature_def"] * 2) as lease:
        assert lease.servable.version == 2


@pytest.fixture
def monitor() -> Monitor:
    watching = Monitor()
    watching.handle(Event(ServableId("m", 2), State.AVAILABLE))
    watching.handle(Event(ServableId("m", 10), State.END, invalid_argument("broken")))
    return watching


@pytest.mark.parametrize(
    ("spec", "versions"),
    [(ModelSpec("m"), [10, 2]), (ModelSpec("m", label="nope"), [10, 2]), (ModelSpec("m", version=2), [2])],
)
def test_status(monitor: Monitor, spec: ModelSpec, versions: list[int]) -> None:
    assert [each.version for each in status.versions(monitor, spec)] == versions


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (None, Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (ModelSpec(""), Code.NOT_FOUND, "Could not find any versions of model "),
        (ModelSpec("m", version=0), Code.NOT_FOUND, "Could not find version 0 of model m"),
        (ModelSpec("n", version=3), Code.NOT_FOUND, "Could not find version 3 of model n"),
    ],
)
def test_status_refusal(monitor: Monitor, spec: ModelSpec | None, code: Code, message: str) -> None:
    with pytest.raises(ServingError) as raised:
        status.versions(monitor, spec)
    assert (raised.value.code, raised.value.message) == (code, message)
