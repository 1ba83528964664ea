"""A fast reader for predict bodies that hold one big array of numbers, such as images.

simdjson parses and flattens the array in C++. It does not tell where lists begin and end, so the brackets of
the text are compared with those of the regular array that the first lists promise. As the fast reader does,
this one answers exactly as the exact reader or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import simdjson

from harness.wire import messages as wire
from server_impl.protocol.json.columns import InputSpec
from server_impl.protocol.json.encode import RequestFormat
from server_impl.protocol.json.number import (
    exponents,
    has_long_exponent,
    is_near_float32_tie,
    read_number,
    to_float32,
)
from server_impl.protocol.json.tensor import INTEGER_RANGE
from server_impl.tensor import MAX_RANK, NUMPY_DTYPE, Tensor, shaped

_HEAD = re.compile(
    rb"""\s*\{\s*
    (?:"signature_name"\s*:\s*"(?P<signature>[^"\\]*)"\s*,\s*)?
    (?:"instances"\s*:\s*(?:(?P<row>\[)\s*\{\s*"(?P<row_name>[^"\\]*)"\s*:\s*)?
      |(?P<column>"inputs")\s*:\s*(?:\{\s*"(?P<column_name>[^"\\]*)"\s*:\s*)?)
    (?=\[)""",
    re.VERBOSE,
)
_END: Final = rb'\s*(?:,\s*"signature_name"\s*:\s*"([^"\\]*)"\s*)?\}\s*'
_BARE_TAIL = re.compile(_END)
_ROW_TAIL = re.compile(rb"\s*\}\s*\]" + _END)
_COLUMN_TAIL = re.compile(rb"\s*\}" + _END)

#: A number between commas, blanks included, has at most this many bytes. Then the bound of
#: ``is_near_float32_tie`` holds, and no row of digits is too big for a double.
_LONGEST: Final = 26
#: Up to this many bytes, and without exponent, every reader gives the same double.
_LONGEST_EXACT: Final = 16

_COMMA, _OPEN, _CLOSE, _BLANK = (np.uint8(char) for char in b",[] ")
#: Most lists have no more elements than this.
_FIRST_LISTS: Final = 4096
_AROUND_NUMBERS: Final = b" \t\r\n[]"

_Chars: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
_Places: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]

#: How simdjson gives the numbers for a dtype.
_SIGNED: Final[tuple[str, np.dtype[Any]]] = ("i", np.dtype(np.int64))
_BUFFERS: Final[dict[int, tuple[str, np.dtype[Any]]]] = {
    wire.DT_FLOAT: ("d", np.dtype(np.float64)),
    wire.DT_DOUBLE: ("d", np.dtype(np.float64)),
    wire.DT_UINT64: ("u", np.dtype(np.uint64)),
}


class Request(NamedTuple):
    """A body with one array: its name if it has one, its shape, and the parsed numbers.

    ``chars`` is the array's text, ``commas`` are the places of its commas, and ``longest`` is how many
    characters a number has at most, blanks included. ``plain``: there is no exponent.
    """

    signature_name: str
    request_format: RequestFormat
    name: str | None
    shape: tuple[int, ...]
    chars: _Chars
    commas: _Places
    longest: int
    plain: bool
    numbers: Any

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
        kind, stored = _BUFFERS.get(dtype, _SIGNED)
        try:
            numbers: np.ndarray[Any, Any] = np.frombuffer(self.numbers.as_buffer(of_type=kind), stored)
        except (TypeError, ValueError):
            return None  # simdjson: not a number, or not an integer of this kind
        if numbers.size != prod(self.shape):
            return None  # an empty list looks like a list of one
        if dtype == wire.DT_FLOAT:
            return self._to_float32(numbers)
        if dtype == wire.DT_DOUBLE:
            return numbers if self.plain and self.longest <= _LONGEST_EXACT else None
        if dtype not in INTEGER_RANGE:
            return None
        least, most = INTEGER_RANGE[dtype]
        if numbers.min() < least or numbers.max() > most:
            return None
        return numbers.astype(NUMPY_DTYPE[dtype], copy=False)

    def _to_float32(self, doubles: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        floats = to_float32(doubles)
        for index in np.flatnonzero(is_near_float32_tie(doubles)).tolist():
            begin = self.commas[index - 1] + 1 if index else 0
            end = self.commas[index] if index < self.commas.size else self.chars.size
            token = self.chars[begin:end].tobytes().strip(_AROUND_NUMBERS)
            number, _ = read_number(token + b"\0", 0)
            floats[index] = to_float32(np.array([float(number)]))[0]
        return floats


def read(body: bytes) -> Request | None:
    """The first stage, as ``json_in.parse_predict``; None where another reader has to decide."""
    head = _HEAD.match(body)
    if head is None:
        return None
    end = body.rfind(b"]") + 1
    tail_pattern = _BARE_TAIL
    if head["row"]:
        end = body.rfind(b"]", 0, end - 1) + 1
        tail_pattern = _ROW_TAIL
    elif head["column_name"] is not None:
        tail_pattern = _COLUMN_TAIL
    tail = tail_pattern.fullmatch(body, end)
    start = head.end()
    if end <= start or tail is None or (head["signature"] is not None and tail[1] is not None):
        return None
    chars = np.frombuffer(body, np.uint8, end - start, start)
    commas = np.flatnonzero(chars == _COMMA)
    shape = _regular_shape(chars, commas)
    if shape is None:
        return None
    longest = _longest_number(chars, commas, shape)
    has_exponent = body.find(b"e", start, end) >= 0 or body.find(b"E", start, end) >= 0
    if longest > _LONGEST or (has_exponent and has_long_exponent(chars, exponents(chars))):
        return None
    try:
        document: Any = simdjson.Parser().parse(body)
        numbers = document["inputs" if head["column"] else "instances"]
        name = head["row_name"] if head["row"] else head["column_name"]
        if name is not None:
            numbers = (numbers[0] if head["row"] else numbers)[name.decode()]
    except (ValueError, RuntimeError):
        return None  # not JSON, or not for simdjson
    return Request(
        (head["signature"] or tail[1] or b"").decode(),
        RequestFormat.COLUMN if head["column"] else RequestFormat.ROW,
        None if name is None else name.decode(),
        (1, *shape) if head["row"] else shape,
        chars,
        commas,
        longest,
        not has_exponent,
        numbers,
    )


def _regular_shape(chars: _Chars, commas: _Places) -> tuple[int, ...] | None:
    """The shape of the array with the text ``chars``.

    None if it is not regular, or not spaced as usual: brackets side by side, at most one blank behind a
    comma. Of a text that is no JSON array of numbers the answer means nothing.
    """
    first = chars[:MAX_RANK].tobytes()
    rank = len(first) - len(first.lstrip(b"["))
    if rank == MAX_RANK:  # leaves room for a row
        return None
    blank = 1 if commas.size and chars[commas[0] + 1] == _BLANK else 0
    # From numbers to ever longer lists: the commas between two of them.
    between = commas
    sizes: list[int] = []
    lists = 0
    for level in range(1, rank + 1):
        size = _first_closed(chars, between, level) + 1
        count, surplus = divmod(between.size + 1, size)
        between = between[size - 1 :: size]
        if surplus or (between.size and between[-1] + blank + level >= chars.size):
            return None
        if not ((chars[between - level] == _CLOSE).all() and (chars[between + blank + level] == _OPEN).all()):
            return None
        lists += count
        sizes.append(size)
    # All brackets that there must be are there. As many in all: there are no others.
    if between.size or np.count_nonzero(chars == _OPEN) != lists:
        return None
    return tuple(reversed(sizes))


def _first_closed(chars: _Chars, between: _Places, level: int) -> int:
    """Which is the first of the commas ``between`` lists that a list of ``level`` ends before."""
    for some in (between[:_FIRST_LISTS], between):
        closed = chars[some - level] == _CLOSE
        if closed.any():
            return int(closed.argmax())
    return between.size


def _longest_number(chars: _Chars, commas: _Places, shape: Sequence[int]) -> int:
    """How many characters a number has at most, blanks included."""
    lengths = np.diff(commas, prepend=-1, append=chars.size)
    lengths -= 1
    stride = 1
    for size in reversed(shape):
        stride *= size
        lengths[::stride] -= 1  # an opening bracket
        lengths[stride - 1 :: stride] -= 1  # a closing one
    return int(lengths.max())
