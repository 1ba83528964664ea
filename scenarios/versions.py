"""What several chapters say about versions: nobody there, and not to be loaded."""

from __future__ import annotations

import re

from harness.checks import Failed, Refuses
from harness.terms import Code, Request

#: What makes a version that cannot be loaded: a graph that is none.
GARBAGE = {"saved_model.pb": b"this is not a graph"}


def gone(model: str, version: int | None, *facts: str) -> Refuses:
    """The request is refused because nothing is there to answer it [4.6.2]."""
    wanted = f"Latest({model})" if version is None else f"Specific({model}, {version})"
    text = f"Servable not found for request: {wanted}"
    return Refuses(Request(model, version=version), Code.NOT_FOUND, text, facts=facts)


def failed(model: str, version: int) -> Failed:
    """The status of a version with ``GARBAGE``; the text is TensorFlow's own."""
    return Failed(Code.DATA_LOSS, re.compile(rf"(?s).*/{model}/{version}/saved_model\.pb.*"))
