"""A fast reader for predict bodies that hold one big array of numbers, such as images.

Patterns match what is around the array, the array itself is read by compiled code. As the fast reader does,
this one answers exactly as the exact reader or not at all.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from harness.wire import messages as wire
from server_impl.protocol.json.columns import InputSpec
from server_impl.protocol.json.encode import RequestFormat
from server_impl.protocol.json.number import to_float32
from server_impl.protocol.json.tensor import INTEGER_RANGE
from server_impl.protocol.reply import LARGE_BYTES
from server_impl.tensor import NUMPY_DTYPE, Tensor, shaped

if TYPE_CHECKING:
    from server_impl.protocol.json.kernel import Numbers, ReadArray

_log = logging.getLogger(__name__)


def _pattern(text: bytes) -> re.Pattern[bytes]:
    r"""``text`` with ``\s`` for the blanks of JSON, and ``\w`` for characters that stand for themselves."""
    return re.compile(text.replace(rb"\s", rb"[\ \t\r\n]").replace(rb"\w", rb"[\ !#-\[\]-~]"), re.VERBOSE)


_HEAD = _pattern(
    rb"""\s*\{\s*
    (?:"signature_name"\s*:\s*"(?P<signature>\w*)"\s*,\s*)?
    (?:"instances"\s*:\s*(?:(?P<row>\[)\s*\{\s*"(?P<row_name>\w*)"\s*:\s*)?
      |(?P<column>"inputs")\s*:\s*(?:\{\s*"(?P<column_name>\w*)"\s*:\s*)?)
    (?=\[)"""
)
_END: Final = rb'\s*(?:,\s*"signature_name"\s*:\s*"(\w*)"\s*)?\}\s*'
_BARE_TAIL = _pattern(_END)
_ROW_TAIL = _pattern(rb"\s*\}\s*\]" + _END)
_COLUMN_TAIL = _pattern(rb"\s*\}" + _END)

#: Lists nested more deeply are left to the other readers.
_MOST_RANKS: Final = 32
#: Were they read in other ways until the compiled code is loaded, many large bodies would only delay that.
_PATIENCE_S: Final = 0.5

#: A fraction or an exponent.
_NOT_WHOLE = re.compile(rb"[.eE]")


class Request(NamedTuple):
    """A body with one array: its name if it has one, its shape, and its numbers as doubles.

    ``array`` is the array's text.
    """

    signature_name: str
    request_format: RequestFormat
    name: str | None
    shape: tuple[int, ...]
    array: memoryview
    numbers: Numbers

    def tensors(self, inputs: Mapping[str, InputSpec]) -> tuple[dict[str, Tensor], RequestFormat] | None:
        """As ``ParsedPredict.tensors``, or None where the exact reader has to decide."""
        ((name, spec), *others) = inputs.items()
        if others or self.name not in (None, name):
            return None
        array = self._convert(spec.dtype)
        if array is None:
            return None
        return {name: Tensor(spec.dtype, shaped(array, self.shape))}, self.request_format

    def _convert(self, dtype: int) -> np.ndarray[Any, Any] | None:
        numbers = self.numbers
        if dtype == wire.DT_FLOAT:
            return to_float32(numbers)
        if dtype == wire.DT_DOUBLE:
            return numbers
        if dtype not in INTEGER_RANGE or _NOT_WHOLE.search(self.array):
            return None
        least, most = INTEGER_RANGE[dtype]
        if numbers.min() < least or numbers.max() > most:
            return None
        return numbers.astype(NUMPY_DTYPE[dtype])


class Kernel:
    """The compiled code. On a machine it is made once, in a second or two, and loaded later on."""

    def __init__(self) -> None:
        self._read_array: ReadArray | None = None
        self._lock = threading.Lock()
        self._asked = False
        self._done = threading.Event()

    def get(self, patience_s: float) -> ReadArray | None:
        """The code, if it is there within ``patience_s`` seconds; the first call has it made."""
        if not self._done.is_set():
            with self._lock:
                if not self._asked:
                    self._asked = True
                    threading.Thread(target=self._make, name="json-kernel", daemon=True).start()
            self._done.wait(patience_s)
        return self._read_array

    def _make(self) -> None:
        try:
            from server_impl.protocol.json.kernel import read_array
        except Exception as error:
            _log.warning("numba does not work here, large JSON bodies take longer: %s", error)
        else:
            self._read_array = read_array
        self._done.set()


KERNEL: Final = Kernel()


def read(body: bytes) -> Request | None:
    """The first stage, as ``decode.parse_predict``; None where another reader has to decide."""
    head = _HEAD.match(body)
    if head is None:
        return None
    start, last = head.end(), body.rfind(b"}")
    read_array = KERNEL.get(_PATIENCE_S if len(body) > LARGE_BYTES else 0)
    if read_array is None or last < start:
        return None
    text = np.frombuffer(body, np.uint8, last + 1)
    numbers = np.empty((last - start) // 2 + 1)
    sizes = np.zeros(_MOST_RANKS, np.int64)
    count, end = read_array(text, start, numbers, sizes)
    if not count:
        return None
    if head["row"]:
        tail = _ROW_TAIL.fullmatch(body, end)
    elif head["column_name"] is not None:
        tail = _COLUMN_TAIL.fullmatch(body, end)
    else:
        tail = _BARE_TAIL.fullmatch(body, end)
    if tail is None or (head["signature"] is not None and tail[1] is not None):
        return None
    name = head["row_name"] if head["row"] else head["column_name"]
    shape = tuple(filter(None, sizes.tolist()))
    return Request(
        (head["signature"] or tail[1] or b"").decode(),
        RequestFormat.COLUMN if head["column"] else RequestFormat.ROW,
        None if name is None else name.decode(),
        (1, *shape) if head["row"] else shape,
        memoryview(body)[start:end],
        numbers[:count],
    )
