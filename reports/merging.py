"""Joining records of parts of one run: shards of a suite, generators of one load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from reports.reading import Line, RecordError, lines


def merged(paths: Sequence[Path]) -> Iterator[bytes]:
    """The lines of one record that holds all of several.

    The header is that of the part that started first, times count from its start; of a check that several
    parts have, the line of the part named last counts. Without a footer in each part there is none in the
    whole: it is unfinished. How strong the suite is (a target of kind ``miniatures``) belongs to runs against
    any target. Raises RecordError when the parts are of different kinds of run or targets.
    """
    headers = [_header(path) for path in paths]
    first = min(headers, key=lambda header: (_is_strength(header), _started(header)))
    for path, header in zip(paths, headers, strict=True):
        for key in ("run", "target"):
            ours, theirs = _identity(header, key), _identity(first, key)
            if ours != theirs and not (key == "target" and _is_strength(header)):
                raise RecordError(
                    f"{path}: its {key} is {ours}, not {theirs}: such runs are not parts of one; "
                    "put them side by side with: python -m reports build"
                )
    last_part = {
        line.value["id"]: part
        for part, path in enumerate(paths)
        for line in lines(path)
        if line.value["kind"] == "check"
    }
    written = 1
    yield _dumps(first | {"id": "+".join(header["id"] for header in headers)})
    outcomes, levels = Counter[str](), dict[str, Counter[str]]()
    footers: list[dict[str, Any]] = []
    for part, path in enumerate(paths):
        later = max(0.0, _started(headers[part]) - _started(first))
        for line in _body(path):
            value = line.value
            if value["kind"] == "footer":
                footers.append(value)
                continue
            if value["kind"] == "check":
                if last_part[value["id"]] != part:
                    continue
                outcomes[value["outcome"]] += 1
                levels.setdefault(value["level"], Counter())[value["outcome"]] += 1
            elif isinstance(value.get("t"), (int, float)):
                value["t"] += later
            written += 1
            yield _dumps(value)
    if len(footers) == len(paths):
        yield _dumps(_footer(footers, outcomes, levels, written + 1))


def _footer(
    parts: Sequence[dict[str, Any]], outcomes: Counter[str], levels: dict[str, Counter[str]], count: int
) -> dict[str, Any]:
    durations = [part["duration_s"] for part in parts if part.get("duration_s") is not None]
    return {
        "kind": "footer",
        "finished": max((part["finished"] for part in parts if part.get("finished")), default=None),
        "duration_s": sum(durations) if durations else None,
        "exit_code": max((part.get("exit_code") or 0 for part in parts), default=0),
        "interrupted": any(part.get("interrupted") for part in parts),
        "checks": outcomes.total(),
        "outcomes": dict(sorted(outcomes.items())),
        "levels": {level: dict(sorted(counts.items())) for level, counts in sorted(levels.items())},
        "lines": count,
    }


def _header(path: Path) -> dict[str, Any]:
    return next(lines(path)).value


def _body(path: Path) -> Iterator[Line]:
    return (line for line in lines(path) if line.number > 1)


def _identity(header: dict[str, Any], key: str) -> str:
    return str(header["run"] if key == "run" else header["target"]["label"])


def _is_strength(header: dict[str, Any]) -> bool:
    return bool(header["target"]["kind"] == "miniatures")


def _started(header: dict[str, Any]) -> float:
    return datetime.fromisoformat(header["started"]).timestamp()


def _dumps(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
