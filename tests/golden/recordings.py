"""The recorded requests and answers, one JSON object a line; texts are bytes written as Latin-1.

``rest/GROUP.jsonl.gz``: ``id``, ``note``, ``server`` (:mod:`tests.golden.setups`), ``sent`` (what goes over
the wire; each further part follows a reply), ``received`` (replies: lines of the ``head``, with the date
masked, and the ``body``), ``closed`` (by the server). Sometimes ``half_close`` (the client says that no more
comes), ``extra`` (what followed the last reply though nothing may), ``also`` (other bodies that the server
gives to this request, at random). A body of None is not compared; instead there may be ``metrics``, the
lines of a metrics page that do not depend on time or machine.

``grpc/GROUP.jsonl.gz``: ``id``, ``note``, ``server``, ``method`` (its path), ``sent``, ``code``, ``details``,
``received`` (None with an error), ``timeout`` (seconds, where the client set one).
"""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from harness.terms import Protocol

FOLDER = Path(__file__).parent

Record = dict[str, Any]


class Play(NamedTuple):
    """Recordings that were made in one go on one server, by group and in order."""

    server: str
    protocol: Protocol
    groups: dict[str, list[Record]]


def plays() -> list[Play]:
    """All recordings."""
    found: dict[tuple[str, Protocol], Play] = {}
    for protocol in Protocol:
        for path in sorted(FOLDER.glob(f"{protocol}/*.jsonl.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for record in map(json.loads, lines):
                    key = record["server"], protocol
                    play = found.setdefault(key, Play(*key, {}))
                    play.groups.setdefault(path.name.partition(".")[0], []).append(record)
    return list(found.values())


def listed_differences(folder: Path = FOLDER) -> dict[str, str]:
    """What differs on purpose, by the id of the recording."""
    with (folder / "differences.toml").open("rb") as file:
        listed = tomllib.load(file)["difference"]
    return {name: entry["part"] for entry in listed for name in entry["ids"]}
