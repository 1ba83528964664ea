from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_impl.inference.model_spec import ModelSpec
from server_impl.protocol.rest.routes import Action, Route, route

NOBODY = ModelSpec("")


@pytest.mark.parametrize(
    ("request_", "action", "spec", "api"),
    [
        ("GET /v1/models/m", Action.STATUS, ModelSpec("m"), ""),
        ("GET /v1/models/m/versions/007", Action.STATUS, ModelSpec("m", 7), ""),
        ("GET /v1/models/m/labels/a%3Ab", Action.STATUS, ModelSpec("m", label="a:b"), ""),
        ("GET /v1/models/m/metadata", Action.METADATA, ModelSpec("m"), ""),
        ("GET /v1/models/m/METADATA", Action.STATUS, ModelSpec("m"), ""),
        ("GET /v1/models/metadata", Action.STATUS, ModelSpec("metadata"), ""),
        ("GET /v1/models", Action.MODEL_MISSING, NOBODY, ""),
        ("GET /v1/models/versions/1", Action.MODEL_MISSING, NOBODY, ""),
        ("GET /v1/models/m/versions/9223372036854775807", Action.STATUS, ModelSpec("m", 2**63 - 1), ""),
        (
            "GET /v1/models/m/versions/9223372036854775808",
            Action.VERSION_TOO_LARGE,
            ModelSpec("m", 2**63),
            "",
        ),
        ("GET /v1/models/versions/99999999999999999999", Action.VERSION_TOO_LARGE, ModelSpec("", 2**63), ""),
        ("GET /v1/models/m?x=1", Action.STATUS, ModelSpec("m?x=1"), ""),
        ("GET /v1/models/a+b%20c%2Fd", Action.STATUS, ModelSpec("a+b c/d"), ""),
        ("GET /v1/models/%FF%00", Action.STATUS, ModelSpec("\udcff\0"), ""),
        ("GET http://h/V1/Models/m", Action.STATUS, ModelSpec("m"), ""),
        ("GET /v1/models/m:predict", Action.MALFORMED, NOBODY, ""),
        ("GET /v1/models/m/", Action.MALFORMED, NOBODY, ""),
        ("GET /v1/", Action.MALFORMED, NOBODY, ""),
        ("GET /v1", Action.MISS, NOBODY, ""),
        ("GET /v1%2Fmodels/m", Action.MISS, NOBODY, ""),
        ("GET //v1/models/m", Action.MISS, NOBODY, ""),
        ("GET /v1/models/m^", Action.REFUSE, NOBODY, ""),
        ("GET /v1/models/m%", Action.REFUSE, NOBODY, ""),
        ("POST /v1/models/m:predict", Action.PREDICT, ModelSpec("m"), "predict"),
        ("POST /v1/models/m/versions/2:classify", Action.CLASSIFY, ModelSpec("m", 2), "classify"),
        ("POST /v1/models/m/labels/l:regress", Action.REGRESS, ModelSpec("m", label="l"), "regress"),
        ("POST /v1/models/m:Predict", Action.MALFORMED, ModelSpec("m"), "Predict"),
        ("POST /v1/models/m:explain", Action.MALFORMED, NOBODY, ""),
        ("POST /v1/models/m/versions/1/labels/l:predict", Action.MALFORMED, NOBODY, ""),
        ("POST /v1/models/m:predict?x", Action.MALFORMED, NOBODY, ""),
        ("POST /v1/models/m", Action.MALFORMED, NOBODY, ""),
        ("HEAD /v1/models/m", Action.MALFORMED, NOBODY, ""),
        ("DELETE /v1/models/m", Action.MALFORMED, NOBODY, ""),
        ("OPTIONS /v1/anything", Action.PREFLIGHT, NOBODY, ""),
        ("OPTIONS /other", Action.MISS, NOBODY, ""),
    ],
)
def test_routes(request_: str, action: Action, spec: ModelSpec, api: str) -> None:
    method, target = request_.encode().split(b" ")
    found = route(method, target)
    assert (found.action, found.spec, found.api) == (action, spec, api)


@given(st.sampled_from([b"GET", b"POST", b"PUT"]), st.binary(max_size=600))
@settings(derandomize=True, deadline=None)
def test_any_target_has_a_route(method: bytes, target: bytes) -> None:
    assert isinstance(route(method, b"/v1/" + target), Route)
