"""What Classify, Regress and MultiInference share: examples in, and texts about signatures and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from google.protobuf import text_format

from harness.wire import messages as wire
from harness.wire import schema
from server_impl.errors import invalid_argument
from server_impl.tensor import Tensor

_DTYPES = schema.POOL.FindEnumTypeByName("tensorflow.DataType").values_by_number


class ExampleInput(NamedTuple):
    """The ``input`` of a request: serialised ``tf.Example`` messages and what is common to all of them."""

    examples: Sequence[bytes] = ()
    context: bytes = b""

    def tensor(self) -> Tensor:
        """A vector of serialised examples, each preceded by the context: features of an example win [6.5.4].

        Raises INVALID_ARGUMENT without examples.
        """
        if not self.examples:
            raise invalid_argument("Input is empty.")
        array = np.empty(len(self.examples), dtype=object)
        # Concatenating two serialised messages merges them.
        array[:] = [self.context + example for example in self.examples] if self.context else self.examples
        return Tensor(wire.DT_STRING, array)


def debug_string(definition: wire.SignatureDef) -> str:
    """A signature as it is quoted in errors: protobuf text format, maps in order of their keys [6.5.2]."""
    return text_format.MessageToString(definition, as_utf8=False)


def dtype_name(dtype: int) -> str:
    """``DT_FLOAT`` and so on."""
    return str(_DTYPES[dtype].name)


def shape_text(shape: Sequence[int]) -> str:
    """``[2,3]``."""
    return f"[{','.join(map(str, shape))}]"
