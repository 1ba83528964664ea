"""A fast reader for predict bodies that hold one big array of numbers, such as images.

simdjson parses and flattens the array in C++. It does not tell where lists begin and end, so the brackets
and commas of the text are compared with those of the regular array that the first lists promise. As the fast
reader does, this one answers exactly as the exact reader or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Any, Final, NamedTuple

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

_NOT_MARKS: Final = bytes(char for char in range(256) if char not in b",[]")

#: How simdjson gives the numbers for a dtype.
_SIGNED: Final[tuple[str, np.dtype[Any]]] = ("i", np.dtype(np.int64))
_BUFFERS: Final[dict[int, tuple[str, np.dtype[Any]]]] = {
    wire.DT_FLOAT: ("d", np.dtype(np.float64)),
    wire.DT_DOUBLE: ("d", np.dtype(np.float64)),
    wire.DT_UINT64: ("u", np.dtype(np.uint64)),
}


class Request(NamedTuple):
    """A body with one array: its name if it has one, its shape, and the parsed numbers.

    ``is_mark`` tells which of ``chars``, the array's text, are brackets or commas. ``plain``: there is no
    exponent.
    """

    signature_name: str
    request_format: RequestFormat
    name: str | None
    shape: tuple[int, ...]
    chars: np.ndarray[Any, np.dtype[np.uint8]]
    is_mark: np.ndarray[Any, np.dtype[np.bool_]]
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
            return numbers if self.plain and not _exceeds(self.is_mark, _LONGEST_EXACT) else None
        if dtype not in INTEGER_RANGE:
            return None
        least, most = INTEGER_RANGE[dtype]
        if numbers.min() < least or numbers.max() > most:
            return None
        return numbers.astype(NUMPY_DTYPE[dtype], copy=False)

    def _to_float32(self, doubles: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        floats = to_float32(doubles)
        doubtful = np.flatnonzero(is_near_float32_tie(doubles))
        if doubtful.size:
            chars, marks = self.chars, np.flatnonzero(self.is_mark)
            # The gaps between marks that hold a number: not those behind a list or before one.
            gaps = np.flatnonzero((chars[marks[:-1]] != ord("]")) & (chars[marks[1:]] != ord("[")))
            for index in doubtful.tolist():
                gap = gaps[index]
                token = chars[marks[gap] + 1 : marks[gap + 1]].tobytes().strip(b" \t\r\n")
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
    # Commas and square brackets; the letters that fit the mask too cannot be part of a number.
    masked = chars & 0xF9
    is_mark = np.equal(masked, 0x59, out=masked.view(np.bool_))
    is_mark |= chars == ord(",")
    has_exponent = body.find(b"e", start, end) >= 0 or body.find(b"E", start, end) >= 0
    if _exceeds(is_mark, _LONGEST) or (has_exponent and has_long_exponent(chars, exponents(chars))):
        return None
    shape = _regular_shape(body[start:end].translate(None, _NOT_MARKS))
    if shape is None:
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
        is_mark,
        not has_exponent,
        numbers,
    )


def _exceeds(is_mark: np.ndarray[Any, np.dtype[np.bool_]], length: int) -> bool:
    """Whether somewhere more than ``length`` characters lie between two marks."""
    # Four at a time: in so many characters there are this many whole words without a mark.
    needed = (length + 1 - 3) // 4
    empty = is_mark[: is_mark.size // 4 * 4].view(np.uint32) == 0
    seen = 1
    while seen < needed:
        step = min(seen, needed - seen)
        empty = empty[:-step] & empty[step:]
        seen += step
    return bool(empty.any()) and int(np.diff(np.flatnonzero(is_mark)).max(initial=0)) - 1 > length


def _regular_shape(marks: bytes) -> tuple[int, ...] | None:
    """The shape of the regular array with these brackets and commas; None if there is no such array."""
    rank = len(marks) - len(marks.lstrip(b"["))
    if rank >= MAX_RANK:  # leaves room for a row
        return None
    pattern, close = b"", rank
    sizes = []
    for level in range(1, rank + 1):
        # The first list of this level ends with the first run of as many closing brackets.
        close = marks.find(b"]" * level, close)
        length = close + 2 * level - rank
        size, surplus = divmod(length - 1, len(pattern) + 1)
        if close < 0 or surplus:
            return None
        pattern = b"[" + b",".join([pattern] * size) + b"]"
        sizes.append(size)
    return tuple(reversed(sizes)) if pattern == marks else None
