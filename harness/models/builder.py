"""What a kind of model is: how to export it, and what it must answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.terms import Tensors, TensorSpec

#: The signature that a request without a signature name means [4.6.4].
SERVING_DEFAULT = "serving_default"


class Signature(NamedTuple):
    """A signature, with requests for it and the right answers.

    * ``inputs``, ``outputs``: by alias.
    * ``sample(k)`` gives the inputs of request number ``k`` (any whole number from 0), always the same
      for the same ``k``; the first dimension of every input is the batch.
    * ``expected(contents, inputs)`` is the oracle: the right answer, by numpy alone. Different contents
      give answers that differ by far more than the builder's ``tolerance``.
    """

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    sample: Callable[[int], Tensors]
    expected: Callable[[int, Tensors], Tensors]


@dataclass(frozen=True, slots=True)
class Builder:
    """A kind of model.

    ``export(contents, path)`` writes a SavedModel to ``path``. It alone may import TensorFlow, and only
    inside the function: it runs in a process of its own. ``tolerance`` is how far a right answer may be
    off, relative to the largest expected value; it matters for floats alone.
    """

    name: str
    signatures: Mapping[str, Signature]
    export: Callable[[int, Path], None]
    tolerance: float = 1e-6

    def signature(self, name: str | None) -> Signature:
        """The signature called ``name``; None and the empty name mean the default one [4.6.4]."""
        return self.signatures[name or SERVING_DEFAULT]
