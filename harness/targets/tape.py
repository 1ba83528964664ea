"""Recorded answers: what a server said to each request in each situation, and the file that keeps it.

A situation is a server that was started with one setting, after a number of acts: edits of its folder or
configuration, and reloads. Within it, the replies that one check got to one request are kept in the order in
which they came, equal ones in a row once; on replay the last of them stays. What other checks ask, how often
and when, makes no difference.

The file is gzipped JSON, one object a line. The first names the target; each server that ended has added a
part of its own: one line for its start, and one for every request in every situation.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from harness.scenario import Scenario

SCHEMA = 2

#: What asks at present: a check, or nobody in particular.
_SUBJECT = ContextVar("subject", default="")

#: Stands for the number of acts where that does not matter.
_ANY = -1
_NOTHING: Mapping[str, Collection[int]] = {}

#: A reply in plain types; see :mod:`harness.targets.replay` for what it holds.
Entry = dict[str, Any]


class TapeError(Exception):
    """A file of recorded answers cannot be read; the text says why."""


class Place(NamedTuple):
    """Where replies belong: after how many acts, to which check, and to which request."""

    acts: int
    subject: str
    request: str


class Tape:
    """The answers of one server: ``root`` is its model folder as it saw it, ``spoken`` its protocols.

    ``past`` is what it remembered of earlier models.
    """

    def __init__(
        self, setting: str, root: str, spoken: Sequence[str], past: Mapping[str, Collection[int]] = _NOTHING
    ) -> None:
        self.setting = setting
        self.root = root
        self.spoken = tuple(spoken)
        self.past = {name: frozenset(versions) for name, versions in past.items()}
        self.acts = 0
        self._entries: defaultdict[Place, list[Entry]] = defaultdict(list)
        self._heard: defaultdict[Place, int] = defaultdict(int)

    def put(self, request: str, entry: Entry, *, act: bool = False) -> None:
        """Keep a reply to a request in the present situation.

        To one that is an ``act`` itself, every reply is kept, whatever the situation: acts that are under way
        together may end in any order.
        """
        replies = self._entries[self._place(request, act)]
        if act or not replies or _undated(replies[-1]) != _undated(entry):
            replies.append(entry)

    def get(self, request: str, *, act: bool = False) -> Entry | None:
        """The next reply to a request in the present situation, or the last one again."""
        at = self._place(request, act)
        replies = self._entries.get(at)
        if replies is None:
            return None
        number = self._heard[at]
        self._heard[at] += 1
        return replies[min(number, len(replies) - 1)]

    def lines(self) -> Iterable[dict[str, Any]]:
        """What the file keeps of it."""
        past = {name: sorted(versions) for name, versions in self.past.items()}
        start = {"setting": self.setting, "root": self.root, "spoken": list(self.spoken), "past": past}
        yield {"kind": "start", **start}
        for place, replies in self._entries.items():
            yield {"kind": "replies", **place._asdict(), "replies": replies}

    def learn(self, line: Mapping[str, Any]) -> None:
        """Take over a line of the file; a later one about the same request counts."""
        self._entries[Place(line["acts"], line["subject"], line["request"])] = line["replies"]

    def _place(self, request: str, act: bool) -> Place:
        return Place(_ANY if act else self.acts, _SUBJECT.get(), request)


@contextlib.contextmanager
def subject(*parts: object) -> Iterator[None]:
    """What asks meanwhile: the check that ``parts`` name, or without any nobody in particular."""
    token = _SUBJECT.set(_hash(parts) if parts else "")
    try:
        yield
    finally:
        _SUBJECT.reset(token)


def _undated(entry: Entry) -> Entry:
    """A reply without the header that says when it was made."""
    headers = [pair for pair in entry.get("headers", ()) if pair[0].lower() != "date"]
    return {**entry, "headers": headers}


def setting(scenario: Scenario) -> str:
    """What stands for all that a server is started with."""
    return hashlib.sha256(repr(scenario.setting).encode()).hexdigest()[:16]


def request(*parts: object) -> str:
    """What stands for a request: a hash of all that makes it up."""
    return _hash(parts)


def _hash(parts: Sequence[object]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def encoded(body: bytes) -> str:
    """Bytes as the file has them."""
    return base64.b64encode(body).decode()


def decoded(text: str) -> bytes:
    """Bytes from the file."""
    return base64.b64decode(text)


def begin(path: Path, about: Mapping[str, Any]) -> None:
    """Start a file, in place of one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    append(path, [{"kind": "golden", "schema": SCHEMA, **about}])


def append(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines; each addition is complete in itself, so an interrupted run leaves a readable file."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    with path.open("ab") as file:
        file.write(gzip.compress(text.encode(), mtime=0))


def load(path: Path) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The first line, and the lines of each setting, a start before its replies. Raises TapeError."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
    except (OSError, EOFError, ValueError) as error:
        raise TapeError(f"{path} holds no recorded answers: {error}") from error
    if not lines or lines[0].get("kind") != "golden" or lines[0].get("schema") != SCHEMA:
        raise TapeError(f"{path} holds no recorded answers of schema {SCHEMA}")
    settings: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    current: list[dict[str, Any]] = []
    for line in lines[1:]:
        if line["kind"] == "start":
            current = settings[line["setting"]]
        current.append(line)
    return lines[0], settings
