"""What a real server answered, kept under ``tests/golden/json``. Bodies are bytes written as Latin-1."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parents[3] / "golden" / "json"


class Spec(NamedTuple):
    """The part of a signature's input that the JSON readers look at."""

    dtype: int


def load(name: str) -> list[dict[str, Any]]:
    """The records of one file."""
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def specs(dtypes: dict[str, int]) -> dict[str, Spec]:
    """Inputs of the given dtypes."""
    return {name: Spec(dtype) for name, dtype in dtypes.items()}
