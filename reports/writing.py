"""Writing of reports: all kinds of files from one or more records, each file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reports import html, junit, machine, markdown
from reports.reading import read
from reports.record import Run


class Written(NamedTuple):
    """Where the files of a report are. ``junit`` and ``badge`` are about the first run."""

    html: Path
    markdown: Path
    json: Path
    junit: Path
    badge: Path


def write_all(record: Path) -> Written:
    """Reports on one record, written beside it. Raises RecordError when it cannot be read, and OSError."""
    return write_runs([read(record)], record.parent)


def write_runs(runs: Sequence[Run], folder: Path) -> Written:
    """Reports on runs put side by side, written to a folder, which is made. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return Written(
        html=put(folder / "report.html", html.report(runs)),
        markdown=put(folder / "summary.md", markdown.summary(runs)),
        json=put(folder / "report.json", machine.report(runs)),
        junit=put(folder / "junit.xml", junit.junit(runs[0])),
        badge=put(folder / "badge.json", machine.badge(runs[0])),
    )


def put(path: Path, text: str) -> Path:
    """Writes a file under a hidden name first, so that nobody ever reads half of one."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        hidden.write_text(text, "utf-8", newline="\n")
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
    return path
