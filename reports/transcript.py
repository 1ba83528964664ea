"""Exchanges written out as text: what went over the wire, and what differs between two answers."""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from reports.record import Exchange

#: Characters kept of one body.
MAX_BODY = 4_000
_MAX_TOKENS = 1_500
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


class Piece(NamedTuple):
    """A stretch of text, and whether the other text lacks it."""

    text: str
    differs: bool


def cut(text: str | None, limit: int) -> str:
    """At most ``limit`` characters of a text, with a word on how many are missing."""
    if not text:
        return ""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"


def exchange(line: Mapping[str, Any]) -> Exchange:
    """An exchange of a ``check`` line, request and response as text."""
    request, response = line.get("request") or {}, line.get("response") or {}
    first = " ".join(part for part in (request.get("method"), request.get("target")) if part)
    if response.get("code") is not None:
        status = ": ".join(part for part in (response["code"], response.get("details")) if part)
    else:
        status = " ".join(str(part) for part in (response.get("status"), response.get("reason")) if part)
    return Exchange(
        protocol=line["protocol"],
        against=line.get("side") == "against",
        request=_written(first, request),
        response=_written(status, response) or "(no answer)",
    )


def _written(first: str, message: Mapping[str, Any]) -> str:
    headers = [": ".join(header) for header in message.get("headers") or ()]
    body = cut(_body(message), MAX_BODY)
    return "\n".join(
        filter(None, (cut(first, MAX_BODY), cut("\n".join(headers), MAX_BODY), body and f"\n{body}"))
    )


def _body(message: Mapping[str, Any]) -> str:
    if message.get("body"):
        return str(message["body"])
    if message.get("text"):
        return str(message["text"])
    if message.get("message") is not None:
        return orjson.dumps(message["message"], option=orjson.OPT_INDENT_2).decode()
    packed = message.get("body_b64")
    if not packed:
        return ""
    try:
        raw = base64.b64decode(packed[: 2 * MAX_BODY], validate=True)
    except binascii.Error:
        return f"(not base64) {packed}"
    return "".join(chr(byte) if 32 <= byte < 127 or byte == 10 else f"\\x{byte:02x}" for byte in raw) + (
        "…" if len(packed) > 2 * MAX_BODY else ""
    )


def marked(ours: str, theirs: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, those marked that the other lacks."""
    if ours == theirs:
        return [Piece(ours, False)], [Piece(theirs, False)]
    left, right = _TOKEN.findall(ours), _TOKEN.findall(theirs)
    if max(len(left), len(right)) > _MAX_TOKENS:  # matching takes quadratic time
        return _marked_middle(ours, theirs)
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for kind, left_start, left_end, right_start, right_end in matcher.get_opcodes():
        for side, text in enumerate((left[left_start:left_end], right[right_start:right_end])):
            if text:
                pieces[side].append(Piece("".join(text), kind != "equal"))
    return pieces


def _marked_middle(ours: str, theirs: str) -> tuple[list[Piece], list[Piece]]:
    """All between the common beginning and the common end."""
    shorter = min(len(ours), len(theirs))
    start = next((at for at in range(shorter) if ours[at] != theirs[at]), shorter)
    most = shorter - start
    end = next((at for at in range(most) if ours[-1 - at] != theirs[-1 - at]), most)

    def pieces(text: str) -> list[Piece]:
        middle = len(text) - end
        split = Piece(text[:start], False), Piece(text[start:middle], True), Piece(text[middle:], False)
        return [piece for piece in split if piece.text]

    return pieces(ours), pieces(theirs)
