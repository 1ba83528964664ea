"""Which servable a request gets, and what it is told if there is none [6.3]."""

from __future__ import annotations

import pytest

from server_impl.errors import Code, ServingError
from server_impl.inference.model_spec import ModelSpec, acquire
from tests.server_impl.inference.fakes import servable, serving

SERVED = serving(
    servable(version=1),
    servable(version=12),
    servable(version=3),
    labels={"m": {"stable": 1, "gone": 9, "": 3}},
)


@pytest.mark.parametrize(
    ("spec", "version"),
    [
        (ModelSpec("m"), 12),
        (ModelSpec("m", version=1), 1),
        (ModelSpec("m", label="stable"), 1),
        (ModelSpec("m", label=""), 3),
        (ModelSpec("m", signature_name="whatever"), 12),
    ],
)
def test_version_that_answers(spec: ModelSpec, version: int) -> None:
    with acquire(SERVED, spec) as lease:
        assert lease.servable.version == version


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (None, Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (ModelSpec(""), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (ModelSpec("", label="zz"), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (ModelSpec("x"), Code.NOT_FOUND, "Servable not found for request: Latest(x)"),
        (ModelSpec("m", version=0), Code.NOT_FOUND, "Servable not found for request: Specific(m, 0)"),
        (ModelSpec("m", label="gone"), Code.NOT_FOUND, "Servable not found for request: Specific(m, 9)"),
        (ModelSpec("x", label="zz"), Code.INVALID_ARGUMENT, "Unrecognized servable version label: zz"),
    ],
)
def test_refusal(spec: ModelSpec | None, code: Code, message: str) -> None:
    with pytest.raises(ServingError) as raised:
        acquire(SERVED, spec)
    assert (raised.value.code, raised.value.message) == (code, message)
