"""Exported models without TensorFlow: folders that say what they stand for. Miniatures read no more."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from harness.models import Builder, cache


def write(wanted: Iterable[tuple[Builder, int]]) -> None:
    """Fill the cache, wherever its environment variable points."""
    for builder, contents in wanted:
        path = cache.saved_model(builder, contents)
        stand_in(path, builder.name, contents)
        # What MobileNet answers is recorded, not computed.
        random = np.random.default_rng(zlib.crc32(builder.name.encode()) + contents)
        np.save(path.parent / "recorded.npy", random.normal(size=(4, 1000)).astype(np.float32))


def stand_in(path: Path, builder: str, contents: int) -> None:
    """One folder."""
    origin = path / cache.ORIGIN
    origin.parent.mkdir(parents=True, exist_ok=True)
    origin.write_text(json.dumps({"builder": builder, "contents": contents}))
