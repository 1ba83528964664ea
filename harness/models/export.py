"""``python -m harness.models.export FOLDER NAME=CONTENTS ...``: write SavedModels. Imports TensorFlow."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.models import BUILDERS, cache


def main(folder: str, *wanted: str) -> None:
    """Write each model to ``FOLDER/NAME-CONTENTS/saved_model``."""
    for item in wanted:
        name, _, contents = item.partition("=")
        path = Path(folder, f"{name}-{contents}", "saved_model")
        path.parent.mkdir()
        BUILDERS[name].export(int(contents), path)
        origin = path / cache.ORIGIN
        origin.parent.mkdir(exist_ok=True)
        origin.write_text(json.dumps({"builder": name, "contents": int(contents)}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
