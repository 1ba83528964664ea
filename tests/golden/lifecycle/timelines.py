"""The recorded timelines, ``GROUP.jsonl.gz``, one JSON object a line.

``id``, ``note``, ``seconds`` (how long it took), ``flags``, ``before`` (steps before the start), ``steps``,
``probes`` (questions by name, asked over and over from the start), ``exit`` (status, None where the server
ran to the end), and sometimes ``refusal`` (what a start that failed printed), ``answers`` (to requests in the
background, by name), ``in_the_end`` (what comes in between depends on timing).

``$ROOT`` is the folder of the timeline, ``$GRPC`` and ``$REST`` are free ports, ``$TAKEN`` is one that
another program uses; paths in steps are relative to ``$ROOT``, those of sources to the folder of the models.

A step is ``do``, its name and arguments (:mod:`tests.golden.lifecycle.playing`,
:mod:`tests.golden.lifecycle.folder`), and perhaps ``result``; ``also`` are results that come where the step
falls on the other side of the server's next tick. ``phase`` says how many seconds earlier the server had
looked at the file system, which it does once a second.

``seen`` holds for each probe the values as they followed each other: number of steps begun before, seconds
from the first time to the last time that the value was seen, value.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.golden.wording import steady

FOLDER = Path(__file__).parent

#: What was answered: words, or the words for each version of a status.
Value = str | list[str]


class Step(NamedTuple):
    """Something that is done, and what came of it."""

    do: list[Any]
    result: Any = None
    phase: float | None = None
    also: Sequence[Any] = ()

    @property
    def has_result(self) -> bool:
        """Whether what came of it is compared; ``exit`` gives None where the server runs on."""
        return self.result is not None or self.do[0] in ("exit", "second")


class Seen(NamedTuple):
    """A value that a probe showed for some time, first after ``begun`` steps had begun."""

    begun: int
    seconds: float
    value: Value


class Timeline(NamedTuple):
    """One recording."""

    id: str
    note: str
    seconds: float
    flags: list[str]
    steps: list[Step]
    exit: int | None
    before: Sequence[list[Any]] = ()
    probes: Mapping[str, dict[str, Any]] = MappingProxyType({})
    seen: Mapping[str, list[Seen]] = MappingProxyType({})
    answers: Mapping[str, Any] = MappingProxyType({})
    refusal: str | None = None
    in_the_end: bool = False


def timelines(*groups: str) -> list[Timeline]:
    """The recordings of these groups, long ones first."""
    found: list[Timeline] = []
    for group in groups:
        with gzip.open(FOLDER / f"{group}.jsonl.gz", "rt", encoding="utf-8") as lines:
            found += map(_timeline, lines)
    return sorted(found, key=lambda timeline: -timeline.seconds)


def plain(value: Any) -> Any:
    """A value as it is compared: its texts without what depends on machine, exporter or chance."""
    match value:
        case str():
            # The client itself makes the text of a deadline.
            if value.startswith("DEADLINE_EXCEEDED: "):
                return "DEADLINE_EXCEEDED"
            return steady(value.encode()).decode()
        case dict():
            return {key: plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [plain(entry) for entry in value]
    return value


def _timeline(line: str) -> Timeline:
    read = json.loads(line)
    read["steps"] = [Step(**step | {"result": plain(step.get("result"))}) for step in read["steps"]]
    read["seen"] = {name: _seen(values) for name, values in read.get("seen", {}).items()}
    read |= {part: plain(read[part]) for part in ("answers", "refusal") if part in read}
    return Timeline(**read)


def _seen(values: list[Any]) -> list[Seen]:
    """The values of a probe; texts that differ by chance are one."""
    seen = [Seen(begun, seconds, plain(value)) for begun, seconds, value in values]
    runs = [list(run) for _, run in itertools.groupby(seen, lambda seen: seen.value)]
    return [run[0]._replace(seconds=sum(seen.seconds for seen in run)) for run in runs]
