"""Strings on the JSON wire: escaping, and base64 as the server takes it."""

from __future__ import annotations

import binascii
import re

_SPECIAL = re.compile(rb'["\\\x00-\x1f]')
_ESCAPED = {bytes([code]): b"\\u%04X" % code for code in range(0x20)} | {
    b'"': b'\\"',
    b"\\": b"\\\\",
    b"\b": b"\\b",
    b"\f": b"\\f",
    b"\n": b"\\n",
    b"\r": b"\\r",
    b"\t": b"\\t",
}
_BLANKS = b" \t\n\v\f\r"
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*")


def quote(raw: bytes) -> bytes:
    """``raw`` as a JSON string. Bytes that are not UTF-8 stay as they are [5.8.6]."""
    return b'"' + _SPECIAL.sub(lambda match: _ESCAPED[match[0]], raw) + b'"'


def decode_base64(text: bytes) -> bytes | None:
    """The bytes that ``text`` encodes, or None if it is not base64 [5.7.2].

    Standard alphabet; blanks anywhere are skipped; padding (``=``, and ``.`` as well) is either absent or
    complete; unused bits need not be zero.
    """
    text = text.translate(None, _BLANKS)
    digits = text.rstrip(b"=.")
    padding = -len(digits) % 4
    if padding == 3 or len(text) - len(digits) not in (0, padding) or not _BASE64.fullmatch(digits):
        return None
    return binascii.a2b_base64(digits + b"=" * padding)


def encode_base64(raw: bytes) -> bytes:
    """``raw`` in the standard alphabet, padded [5.8.7]."""
    return binascii.b2a_base64(raw, newline=False)
