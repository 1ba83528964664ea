"""Checks that a target is expected to fail, and why: ``known_failures/<target>.toml``.

Each entry is a table::

    [[failure]]
    id = "rest/http/keep_alive*"          # of the check, as the record has it; * stands for anything
    message = "status 404*"               # the first line of what came instead; * stands for anything
    reason = "why this is so, and why it stays so"
    link = "https://..."                  # optional: where this is discussed

An expected failure does not fail the run. Everything else about an entry that is not as it says does: the
check passes, fails with another message, or was not run.

``python -m harness.known_failures update RUN.jsonl --list FILE`` brings a list in line with a run.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

#: Where the lists are, below the folder that pytest runs in.
FOLDER = Path("known_failures")

_KEYS = {"id", "message", "reason", "link"}
#: Outcomes of checks that a list has to speak of.
_FAILED = ("failed", "errored", "xfailed")
#: The reason of an entry that nobody has explained yet.
UNEXPLAINED = "not explained yet"


class ListError(Exception):
    """A list cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One expected failure; ``id`` and ``message`` may hold ``*`` for anything."""

    id: str
    message: str
    reason: str
    link: str = ""

    def names(self, check: str) -> bool:
        """Tell whether the entry speaks of a check."""
        return _fits(self.id, check)

    def explains(self, actual: str) -> bool:
        """Tell whether a failure is the expected one."""
        return _fits(self.message, message(actual))


class KnownFailures:
    """The entries for a target, and which of them have come true in this run."""

    def __init__(self, entries: Sequence[Entry] = (), source: str = "") -> None:
        self.entries = tuple(entries)
        self.source = source
        self._seen: set[Entry] = set()

    def look_up(self, check: str) -> Entry | None:
        """The entry that speaks of a check."""
        return next((entry for entry in self.entries if entry.names(check)), None)

    def ran(self, check: str) -> None:
        """Note that a check was run to its end."""
        self._seen.update(entry for entry in self.entries if entry.names(check))

    def not_run(self, chapters: Iterable[str] | None) -> list[Entry]:
        """Entries of which no check was run; with ``chapters``, only those of these chapters count."""
        wanted = None if chapters is None else set(chapters)
        return [
            entry
            for entry in self.entries
            if entry not in self._seen and (wanted is None or entry.id.partition("/")[0] in wanted)
        ]


def load(path: Path) -> KnownFailures:
    """Read a list; a file that does not exist is an empty one. Raises ListError."""
    if not path.exists():
        return KnownFailures()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ListError(f"{path}: {error}") from error
    tables = document.pop("failure", [])
    if document or not isinstance(tables, list):
        raise ListError(f"{path}: only [[failure]] tables may stand here, not {', '.join(document)}")
    return KnownFailures([_entry(path, number, table) for number, table in enumerate(tables, 1)], str(path))


def message(actual: str) -> str:
    """The message of a failure: the first line of what came instead."""
    return actual.partition("\n")[0].strip()


def updated(entries: Sequence[Entry], checks: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """The list that a run needs; ``checks`` are the check lines of its record.

    Entries whose checks all pass are dropped. One whose checks fail in another way is replaced by one entry a
    check, with the old reason. One of which the run says nothing stays. New failures come last, unexplained.
    """
    ran = _ran(checks)
    failed = {
        check: message(line["actual"] or line["reason"] or "")
        for check, line in ran.items()
        if line["outcome"] in _FAILED
    }
    kept: list[Entry] = []
    explained: set[str] = set()
    for entry in entries:
        if not any(entry.names(check) for check in ran):
            kept.append(entry)
            continue
        named = {check: actual for check, actual in failed.items() if entry.names(check)}
        explained |= named.keys()
        if named and all(entry.explains(actual) for actual in named.values()):
            kept.append(entry)
        else:
            kept += [replace(entry, id=check, message=actual) for check, actual in named.items()]
    new = [Entry(check, actual, UNEXPLAINED) for check, actual in failed.items() if check not in explained]
    return kept + new


def text(entries: Iterable[Entry], heading: str = "") -> str:
    """A list as its file has it, below the comment lines of ``heading``."""
    parts = [heading] if heading else []
    for entry in entries:
        pairs = {"id": entry.id, "message": entry.message, "reason": entry.reason}
        pairs |= {"link": entry.link} if entry.link else {}
        # A JSON string is a TOML string.
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in pairs.items()]
        parts.append("\n".join(["[[failure]]", *lines, ""]))
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m harness.known_failures", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    update = commands.add_parser("update", help="bring a list in line with a run")
    update.add_argument("record", type=Path, help="run.jsonl of a run that came to its end")
    update.add_argument("--list", type=Path, required=True, dest="path", help="known_failures/<target>.toml")
    options = parser.parse_args(arguments)
    try:
        _update(options.record, options.path)
    except (OSError, ListError, json.JSONDecodeError) as error:
        sys.exit(str(error))


def _update(record: Path, path: Path) -> None:
    lines = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    if not lines or lines[-1].get("kind") != "footer" or lines[-1].get("interrupted"):
        raise ListError(f"{record}: the run did not come to its end: its record says too little")
    known = load(path)
    checks = [line for line in lines if line["kind"] == "check"]
    entries = updated(known.entries, checks)
    heading = ""
    if path.exists():
        comments = [line for line in path.read_text("utf-8").splitlines() if line.startswith("#")]
        heading = "".join(f"{line}\n" for line in comments)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(entries, heading), "utf-8")
    unexplained = sum(entry.reason == UNEXPLAINED for entry in entries)
    unheard = sum(not any(map(entry.names, _ran(checks))) for entry in entries)
    print(
        f"{path}: {len(entries)} entries, {len(set(known.entries) - set(entries))} dropped or changed, "
        f"{unexplained} to be explained, {unheard} kept of which no check was run"
    )


def _ran(checks: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The check lines of a record that say how a check ended, by id."""
    return {line["id"]: line for line in checks if line["outcome"] != "skipped"}


def _entry(path: Path, number: int, table: Any) -> Entry:
    where = f"{path}: entry {number}"
    if not isinstance(table, dict) or set(table) - _KEYS:
        raise ListError(f"{where}: an entry has id, message, reason and link, nothing else")
    for key in ("id", "message", "reason"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise ListError(f"{where}: {key!r} is missing or is not a text")
    return Entry(**table)


def _fits(pattern: str, actual: str) -> bool:
    """``fnmatch`` without brackets, which ids are full of."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), actual, re.DOTALL) is not None


if __name__ == "__main__":
    main()
