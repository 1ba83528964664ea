"""``python -m tests.miniatures --record FILE``: the suite's strength, as lines of a record.

Runs the suite against every server that is wrong on purpose, and notes which of them it caught. Merged with
the record of a run (``python -m reports merge``), the report of that run shows it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.recording import Record
from harness.targets import process
from tests.miniatures import playing
from tests.miniatures.faults import FAULTS

#: The kind of target that stands for no server in particular.
KIND = "miniatures"


def main(arguments: Sequence[str]) -> int:
    """Play, print, record; 1 if a wrong server was not noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.miniatures", description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="the record to write")
    path: Path = parser.parse_args(arguments).record
    target = process.ProcessTarget(KIND, KIND, [sys.executable, "-m", "tests.miniatures.server"], KIND)
    record = Record(path, "conformance", target)
    missed = 0
    wrong = [fault for fault in FAULTS if fault != "Right"]
    with (
        tempfile.TemporaryDirectory() as folder,
        playing.runs([(fault, playing.SCENARIOS) for fault in wrong], Path(folder)) as runs,
    ):
        for fault, run in runs.items():
            by = sorted(run.result().failed)
            missed += not by
            record.write(
                "miniature", name=fault, fault=(FAULTS[fault].__doc__ or "").strip(), caught=bool(by), by=by
            )
            print(f"{'caught' if by else 'MISSED'}  {fault}: {len(by)} checks", flush=True)
    record.close(exit_code=1 if missed else 0)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
