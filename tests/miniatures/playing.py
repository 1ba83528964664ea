"""Running the suite against miniatures, several at a time since most of such a run is waiting."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from harness.player import contents_needed
from tests.miniatures import standins

ROOT = Path(__file__).parents[2]
#: The scenarios that miniatures can serve.
SCENARIOS = ("hot_plug", "multi_model", "version_pinning")

_AT_A_TIME = 4
_DEADLINE_S = 300


class Run(NamedTuple):
    """What a run found: the outcome of each check by id, and what pytest printed."""

    outcomes: dict[str, str]
    output: str

    @property
    def failed(self) -> set[str]:
        """Ids of the checks that noticed something."""
        return {id_ for id_, outcome in self.outcomes.items() if outcome == "failed"}


@contextmanager
def runs(faults: Iterable[tuple[str, Collection[str]]], folder: Path) -> Iterator[dict[str, Future[Run]]]:
    """Runs by fault, each over the scenarios named with it. ``folder`` takes records and stand-ins."""
    with patch.dict(os.environ, TFSERVING_HARNESS_CACHE=str(folder / "cache")):
        for name in SCENARIOS:
            standins.write(contents_needed(importlib.import_module(f"scenarios.{name}.scenario").SCENARIO))
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            yield {fault: pool.submit(_run, fault, scenarios, folder) for fault, scenarios in faults}


def _run(fault: str, scenarios: Collection[str], folder: Path) -> Run:
    record = folder / f"{fault}.jsonl"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--record={record}"]
    command += [f"--target=command:{sys.executable} -m tests.miniatures.server {fault}"]
    # A right server deserves patience; a wrong one would use it up at every check.
    command += [] if fault == "Right" else ["--patience=0.5"]
    command += [f"scenarios/{name}" for name in scenarios]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert record.exists(), done.stdout + done.stderr
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert lines[-1]["kind"] == "footer", done.stdout + done.stderr
    return Run({line["id"]: line["outcome"] for line in lines if line["kind"] == "check"}, done.stdout)
