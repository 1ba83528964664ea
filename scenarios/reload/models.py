"""The models of the chapter, and how a reload fails for one of them."""

from __future__ import annotations

import re

from harness.checks import Returned
from harness.terms import Code, Model

A = Model("a", "half_plus_two", versions=(1, 2))
B = Model("b", "half_plus_two", versions=(3,), offset=10)
C = Model("c", "half_plus_two", versions=(4,), offset=20)
BAD = Model("bad", "half_plus_two", versions=(), offset=5)


def not_available(reload: str, model: str, *facts: str, what: str = "model") -> Returned:
    """A reload that comes back when a new model has failed."""
    text = (
        rf"1 {what}\(s\) did not become available: \{{\{{\{{name: {model} version: 1\}} due to error: "
        rf"DATA_LOSS: (?s:.*)/{model}/1/saved_model\.pb(?s:.*)\}}, \}}"
    )
    return Returned(reload, Code.UNKNOWN, re.compile(text), facts=facts)
