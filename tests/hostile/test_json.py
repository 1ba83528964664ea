"""Bodies that are almost what Predict takes: JSON of any form, and text that is almost JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile.conftest import Server
from tests.hostile.damage import campaign, spoiled

_NUMBERS = st.one_of(
    st.integers(-5, 300),
    st.sampled_from((2**31, -(2**63), 2**63, 2**64, 10**30)),
    st.floats(),
)
_LEAVES = st.one_of(st.none(), st.booleans(), _NUMBERS, st.text(max_size=8), st.just({"b64": "AA=="}))
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(("x", "y", "b64", "a", "b", "")), inner, max_size=3),
    ),
    max_leaves=12,
)
_KEYS = st.sampled_from(("instances", "inputs", "examples", "context", "signature_name", "other"))
_BODIES = st.dictionaries(_KEYS, _VALUES, max_size=4)
_SIGNATURES = st.sampled_from(("float", "double", "int64", "uint8", "half", "bool", "string", "none"))

_TEXTS = tuple(
    text.encode()
    for text in (
        '{"instances": [[1.0, 2], [3e-5, -0.0]]}',
        '{"signature_name": "string", "instances": ["a\\u00e9\\n", {"b64": "/w=="}]}',
        '{"signature_name": "int64", "inputs": {"x": [[9223372036854775807], [-1]]}}',
        '{"inputs": [NaN, Infinity, -Infinity], "unused": {"deep": [[[null]]]}}',
        '{"examples": [{"x": 1.5, "k": [1, true], "s": "text"}], "context": {"s": {"b64": "AA=="}}}',
    )
)
_VERBS = ("echo:predict", "m:predict", "two:predict", "examples:classify", "examples:regress")


def ask(server: Server, target: str, body: bytes) -> tuple[int, Any]:
    """Status and document of the reply, which must be one."""
    reply = server.rest.exchange("POST", f"/v1/models/{target}", body)
    # The server hands on bytes that are no UTF-8 as they came.
    document = json.loads(reply.body.decode("utf-8", "replace"))
    if reply.status == 200:
        assert list(document) in (["predictions"], ["outputs"], ["results"])
    else:
        # 501 is for dtypes that JSON cannot carry.
        assert reply.status in (400, 404, 501), reply.status
        assert list(document) == ["error"]
        assert isinstance(document["error"], str)
    return reply.status, document


@campaign(700)
@given(st.sampled_from(_VERBS), _BODIES, _SIGNATURES)
def test_documents_of_any_form(server: Server, target: str, body: dict[str, Any], signature: str) -> None:
    document = json.dumps({"signature_name": signature} | body if target.startswith("echo") else body)
    ask(server, target, document.encode())


@campaign(700)
@given(st.sampled_from(_VERBS), spoiled(_TEXTS))
def test_spoiled_text(server: Server, target: str, body: bytes) -> None:
    ask(server, target, body)


@campaign(400)
@given(st.lists(_VALUES, min_size=1, max_size=4), st.sampled_from(("instances", "inputs")))
def test_what_is_answered_is_what_was_asked(server: Server, values: list[Any], key: str) -> None:
    """Where the echo of floats succeeds, it gives back the very numbers."""
    body = json.dumps({key: values})
    status, document = ask(server, "echo:predict", body.encode())
    if status != 200:
        return
    # A document of names and lists of names stands for the values in it.
    asked = [value["x"] if isinstance(value, dict) else value for value in values]
    answered = document["predictions" if key == "instances" else "outputs"]
    with np.errstate(over="ignore"):
        expected, came = np.array(asked, np.float32), np.array(answered, np.float32)
    np.testing.assert_array_equal(came, np.where(abs(expected) < np.finfo(np.float32).tiny, 0, expected))


def test_deep_nesting(server: Server) -> None:
    """A document of hundreds of thousands of brackets is refused, not fatal."""
    for text in (
        "[" * 300_000,
        '{"instances": ' + "[" * 300_000 + "]" * 300_000 + "}",
        '{"a":' * 300_000,
    ):
        status, _ = ask(server, "echo:predict", text.encode())
        assert status == 400
