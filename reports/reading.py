"""Reading of run records: line by line, every line checked, memory bounded.

A record that is not whole is still evidence: what can be read of a truncated file is read, and the run's
notes say what is missing. A file that is no record, or is damaged in the middle, raises RecordError.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

from reports import schema
from reports.assembly import Assembly
from reports.record import Run

#: A line longer than this is refused.
MAX_LINE_BYTES = 64 * 1024 * 1024


# Control characters, and those that turn the direction of text around: one name could look like another, and
# XML cannot hold them. The second pattern finds lines that may have some, plain or escaped.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_MAY_HIDE = re.compile(
    rb"\\(?:[bfr]|u(?:00[0189]|007f|20[0-6]|fff[ef]))|\x7f|\xc2[\x80-\x9f]|\xe2\x80[\x8e-\xae]|\xe2\x81[\xa6-\xa9]|\xef\xbf[\xbe\xbf]",
    re.IGNORECASE,
)


class RecordError(Exception):
    """A file that cannot be read as a run record; the text says where, what is wrong, and what to do."""


class Line(NamedTuple):
    """One line of a record: its number from 1, and its value, which the schema accepts."""

    number: int
    value: dict[str, Any]


def read(path: Path) -> Run:
    """The run recorded in a file (``.gz`` is unpacked); unfinished and truncated runs carry a note.

    Raises RecordError when the file is missing, empty, foreign or damaged.
    """
    assembly = Assembly()
    for line in lines(path, notes=assembly.notes):
        try:
            assembly.add(line.value)
        except ValueError as error:
            raise _at(path, line.number, str(error), "the line was damaged or written wrongly") from None
    return assembly.run()


def lines(path: Path, *, notes: list[str] | None = None) -> Iterator[Line]:
    """The lines of a record, each checked against the schema, the header first and once.

    A last line that was cut off in the middle of writing ends the record and leaves a note.
    Raises RecordError.
    """
    notes = [] if notes is None else notes
    number = 0
    try:
        with _open(path) as file:
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise _at(
                        path, number, f"is longer than {MAX_LINE_BYTES >> 20} MiB", "leave such bodies out"
                    )
                if not raw.strip():
                    continue
                value = _parsed(path, number, raw)
                if value is None:
                    notes.append(f"Line {number}, the last one, is cut off and was left out.")
                    return
                _check(path, number, value)
                yield Line(number, value)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        if number == 0:
            raise RecordError(f"{path}: is not a whole gzip file ({error}); copy it again") from None
        notes.append(f"The compressed file is cut off after line {number}; the rest is lost.")
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from None
    if number == 0:
        raise RecordError(f"{path}: is empty: the run stopped before it wrote its header; run it again")


def problems(path: Path) -> list[str]:
    """All that is wrong with a record, one sentence each; an empty list means valid and finished.

    Goes on after a line that the schema refuses, as far as the file can be read at all.
    """
    found: list[str] = []
    last: dict[str, Any] = {}
    count = 0
    try:
        run = Assembly()
        for line in lines(path, notes=found):
            count, last = line.number, line.value
            run.add(line.value)
        found += run.run().notes
    except (RecordError, ValueError) as error:
        where = "" if isinstance(error, RecordError) else f"{path}: line {count}: "
        return [*found, f"{where}{error}"]
    if last.get("kind") == "footer" and last.get("lines") not in (None, count):
        found.append(
            f"The footer counts {last['lines']} lines, the file has {count}: lines were lost or added."
        )
    return found


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _parsed(path: Path, number: int, raw: bytes) -> dict[str, Any] | None:
    """The object on a line; None for the beginning of one on a last line without a line end."""
    try:
        value = _loads(raw)
    except ValueError as error:
        if number == 1:
            raise _foreign(path, "the first line is not JSON") from None
        if not raw.endswith(b"\n"):
            return None
        hint = "numbers that are not finite are written as null" if _has_nan(raw) else "the line is damaged"
        raise _at(path, number, f"is not strict JSON: {error}", hint) from None
    if not isinstance(value, dict):
        if number == 1:
            raise _foreign(path, "the first line is not an object")
        raise _at(path, number, "is not a JSON object", "each line of a record is one")
    return value


def _check(path: Path, number: int, value: dict[str, Any]) -> None:
    kind = value.get("kind")
    if number == 1:
        if kind != "header":
            raise _foreign(path, 'the first line has not "kind": "header"')
        if value.get("schema") != schema.VERSION:
            raise RecordError(
                f"{path}: line 1: is a record of format {value.get('schema')!r}; this version reads "
                f"format {schema.VERSION}: use the version of the tool that wrote it"
            )
    elif kind == "header":
        raise _at(path, number, "is a second header", "join runs with: python -m reports merge")
    found = schema.line_problems(value) or _date_problems(value)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        named = f"{kind}: {found[0]}{more}" if isinstance(kind, str) else f"{found[0]}{more}"
        raise _at(path, number, named, "see: python -m reports schema")


def _date_problems(value: dict[str, Any]) -> list[schema.Problem]:
    """The schema checks the form of dates alone: there is no 31 February."""
    for name in ("started", "finished"):
        if value["kind"] in ("header", "footer") and value.get(name):
            try:
                datetime.fromisoformat(value[name])
            except ValueError as error:
                return [schema.Problem(name, f"is not a date and time: {error}")]
    return []


def _loads(raw: bytes) -> Any:
    """Strict JSON; an escaped half of a surrogate pair, which no output could hold, becomes U+FFFD."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        if b"\\ud" not in raw.lower():
            raise
        value = json.loads(raw, parse_constant=_refuse)
        text = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        value = json.loads(text.decode("utf-8", "replace"))
    return _visible(value) if _MAY_HIDE.search(raw) else value


def _visible(value: Any) -> Any:
    """The same value, hidden characters in its texts written as escapes."""
    if isinstance(value, str):
        return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
    if isinstance(value, list):
        return [_visible(item) for item in value]
    if isinstance(value, dict):
        return {_visible(name): _visible(item) for name, item in value.items()}
    return value


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is not JSON")


def _has_nan(raw: bytes) -> bool:
    return b"NaN" in raw or b"Infinity" in raw


def _at(path: Path, number: int, what: str, advice: str) -> RecordError:
    return RecordError(f"{path}: line {number}: {what}; {advice}")


def _foreign(path: Path, what: str) -> RecordError:
    return RecordError(f"{path}: is not a run record: {what}; give a run.jsonl that this harness wrote")
