"""JSON text to a document, with RapidJSON 1.1's grammar, error texts and offsets [5.1].

The reader is iterative, so nesting has no limit. It stops behind the first complete value; NUL counts as
the end of the text.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import numpy as np

from server_impl.protocol.json.errors import ParseError
from server_impl.protocol.json.number import INVALID_VALUE, read_number

#: A JSON value: strings are raw ``bytes``, objects are tuples of (name, value) pairs in their order,
#: duplicates included.
Json: TypeAlias = "bool | int | float | bytes | list[Json] | tuple[tuple[bytes, Json], ...] | None"

_EMPTY: Final = "The document is empty."
_MISS_NAME: Final = "Missing a name for object member."
_MISS_COLON: Final = "Missing a colon after a name of object member."
_MISS_COMMA_OR_BRACE: Final = "Missing a comma or '}' after an object member."
_MISS_COMMA_OR_BRACKET: Final = "Missing a comma or ']' after an array element."
_MISS_QUOTE: Final = "Missing a closing quotation mark in string."
_BAD_ESCAPE: Final = "Invalid escape character in string."
_BAD_HEX: Final = "Incorrect hex digit after \\u escape in string."
_BAD_SURROGATE: Final = "The surrogate pair in string is invalid."

_MARK = re.compile(rb"\xef?\xbb?\xbf?")  # each byte of the UTF-8 mark is skipped by itself
_BLANKS = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")
_ESCAPES: Final = {
    ord('"'): b'"',
    ord("/"): b"/",
    ord("\\"): b"\\",
    ord("b"): b"\b",
    ord("f"): b"\f",
    ord("n"): b"\n",
    ord("r"): b"\r",
    ord("t"): b"\t",
}
_WORDS: Final[dict[int, tuple[bytes, bool | None]]] = {
    ord("n"): (b"null", None),
    ord("t"): (b"true", True),
    ord("f"): (b"false", False),
}
_LONG_STRING: Final = 512


def parse(text: bytes) -> Json:
    """The first value of ``text``. Raises ``ParseError``."""
    data = text + b"\0"
    pos = _skip(data, _end(_MARK, data, 0))
    if data[pos] in b"]},:\0":
        raise ParseError(_EMPTY, pos)
    # The open containers: what they hold so far, and the name that waits for a value (None in arrays).
    stack: list[tuple[list[Json], bytes | None]] = []
    items: list[Json] = []
    name: bytes | None = None
    while True:
        # A value is expected at pos.
        value: Json
        char = data[pos]
        if char == 0x22:  # "
            value, pos = _read_string(data, pos)
        elif char == 0x5B:  # [
            pos = _skip(data, pos + 1)
            if data[pos] != 0x5D:
                stack.append((items, name))
                items, name = [], None
                continue
            value = []
            pos += 1
        elif char == 0x7B:  # {
            pos = _skip(data, pos + 1)
            if data[pos] != 0x7D:
                stack.append((items, name))
                items = []
                name, pos = _read_name(data, pos)
                continue
            value = ()
            pos += 1
        elif char in _WORDS:
            value, pos = _read_word(data, pos)
        else:
            value, pos = read_number(data, pos)
        # The value is complete: put it into its container, and close what closes.
        while True:
            if not stack:
                return value
            char = data[pos]
            if char <= 0x20:  # calls cost more than this
                pos = _skip(data, pos)
                char = data[pos]
            if name is None:
                items.append(value)
                if char == 0x2C:  # ,
                    pos += 1
                    if data[pos] <= 0x20:
                        pos = _skip(data, pos)
                    break
                if char != 0x5D:
                    raise ParseError(_MISS_COMMA_OR_BRACKET, pos)
                value = items
            else:
                items.append((name, value))  # type: ignore[arg-type]  # a member list becomes the tuple
                if char == 0x2C:
                    name, pos = _read_name(data, _skip(data, pos + 1))
                    break
                if char != 0x7D:
                    raise ParseError(_MISS_COMMA_OR_BRACE, pos)
                value = tuple(items)  # type: ignore[arg-type]
            pos += 1
            items, name = stack.pop()


def _end(pattern: re.Pattern[bytes], data: bytes, pos: int) -> int:
    match = pattern.match(data, pos)
    return match.end() if match else pos


def _skip(data: bytes, pos: int) -> int:
    return _end(_BLANKS, data, pos) if data[pos] in b" \t\r\n" else pos


def _read_name(data: bytes, pos: int) -> tuple[bytes, int]:
    """Reads a member's name and the colon behind it."""
    if data[pos] != 0x22:
        raise ParseError(_MISS_NAME, pos)
    name, pos = _read_string(data, pos)
    pos = _skip(data, pos)
    if data[pos] != 0x3A:
        raise ParseError(_MISS_COLON, pos)
    return name, _skip(data, pos + 1)


def _read_word(data: bytes, pos: int) -> tuple[bool | None, int]:
    word, value = _WORDS[data[pos]]
    end = pos + 1
    for expected in word[1:]:
        if data[end] != expected:
            raise ParseError(INVALID_VALUE, end)
        end += 1
    return value, end


def _read_string(data: bytes, pos: int) -> tuple[bytes, int]:
    """Reads a string from its opening quote: the raw bytes and the offset behind the closing quote."""
    pos += 1
    close = data.find(b'"', pos)
    if close - pos > _LONG_STRING and data.find(b"\\", pos, close) < 0:
        # Long base64 texts: numpy looks for control characters far faster than a pattern.
        raw = data[pos:close]
        if np.frombuffer(raw, np.uint8).min() >= 0x20:
            return raw, close + 1
    end = _end(_PLAIN, data, pos)
    if data[end] == 0x22:
        return data[pos:end], end + 1
    parts = []
    while True:
        end = _end(_PLAIN, data, pos)
        parts.append(data[pos:end])
        char = data[end]
        if char == 0x22:
            return b"".join(parts), end + 1
        if char != 0x5C:
            raise ParseError(_BAD_ESCAPE if char else _MISS_QUOTE, end)
        if data[end + 1] == ord("u"):
            decoded, pos = _read_code_point(data, end)
            parts.append(decoded)
        else:
            escaped = _ESCAPES.get(data[end + 1])
            if escaped is None:
                raise ParseError(_BAD_ESCAPE, end)
            parts.append(escaped)
            pos = end + 2


def _read_code_point(data: bytes, pos: int) -> tuple[bytes, int]:
    r"""Reads ``\uXXXX`` or a surrogate pair at ``pos``. A low surrogate by itself passes."""
    code, end = _read_hex(data, pos, pos + 2)
    if 0xD800 <= code <= 0xDBFF:
        if data[end : end + 2] != b"\\u":
            raise ParseError(_BAD_SURROGATE, pos)
        low, end = _read_hex(data, pos, end + 2)
        if not 0xDC00 <= low <= 0xDFFF:
            raise ParseError(_BAD_SURROGATE, pos)
        code = ((code - 0xD800) << 10 | (low - 0xDC00)) + 0x10000
    return chr(code).encode("utf-8", "surrogatepass"), end


def _read_hex(data: bytes, escape: int, pos: int) -> tuple[int, int]:
    match = _HEX4.match(data, pos)
    if match is None:
        raise ParseError(_BAD_HEX, escape)
    return int(match[0], 16), match.end()
