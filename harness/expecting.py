"""The part of the pytest plugin that holds a run against the target's known failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.known_failures import FOLDER, UNEXPLAINED, Entry, KnownFailures, ListError, load


class Expectations:
    """The known failures of a run's target, and what the run shows of them."""

    def __init__(self, config: pytest.Config, kind: str) -> None:
        chosen = config.getoption("known_failures")
        self._config = config
        self._deselected = False
        self._chapters: set[str] = set()
        self.stale: list[Entry] = []
        if chosen == "none" or (chosen is None and config.getoption("against")):
            self.known = KnownFailures()
            return
        path = config.rootpath / FOLDER / f"{kind}.toml" if chosen is None else Path(chosen)
        if chosen is not None and not path.exists():
            raise pytest.UsageError(f"--known-failures {chosen}: there is no such file")
        try:
            self.known = load(path)
        except ListError as error:
            raise pytest.UsageError(str(error)) from error

    def apply(self, report: pytest.TestReport, line: dict[str, Any]) -> None:
        """Turn an expected failure into one that does not count, and anything else into one that does."""
        entry = self.known.look_up(line["id"])
        if entry is None or line["outcome"] == "skipped":
            return
        if line["outcome"] == "passed":
            line["outcome"] = "xpassed"
            line["reason"] = f"{self.known.source} expects it to fail: {entry.reason}"
            report.outcome = "failed"
            report.longrepr = (
                f"{line['id']} passes, but {self.known.source} expects it to fail ({entry.reason}): "
                "take the entry out, or run python -m harness.known_failures update"
            )
        elif entry.explains(line["actual"] or line["reason"] or ""):
            line["outcome"] = "xfailed"
            line["reason"] = "; ".join(filter(None, (entry.reason, entry.link)))
            report.outcome = "skipped"
            report.wasxfail = entry.reason  # as pytest's own xfail does
        else:
            report.longrepr = (
                f"{report.longreprtext}\n{self.known.source} expects another failure: {entry.message}"
            )

    def saw(self, line: dict[str, Any]) -> None:
        """Note a check's line."""
        self._chapters.add(line["id"].partition("/")[0])
        if line["outcome"] != "skipped":
            self.known.ran(line["id"])

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """A run that leaves tests out says nothing about those."""
        self._deselected = self._deselected or bool(items)

    def finish(self, session: pytest.Session) -> None:
        """Find the entries that were not run, as far as this run can tell."""
        config = self._config
        cut = self._deselected or session.shouldstop or session.shouldfail
        if cut or config.getoption("protocol") != "both" or any("::" in name for name in config.args):
            return
        whole = any(
            Path(name).resolve() in (config.rootpath, config.rootpath / "scenarios") for name in config.args
        )
        self.stale = self.known.not_run(None if whole else self._chapters) if self._chapters else []

    def summary(self) -> list[str]:
        """What the run says about the list, in words."""
        told = [
            f"{self.known.source} lists {entry.id}, which was not run: take the entry out"
            for entry in self.stale
        ]
        unexplained = sum(entry.reason == UNEXPLAINED for entry in self.known.entries)
        if unexplained:
            told.append(f"{self.known.source}: {unexplained} entries are not explained yet")
        return told
