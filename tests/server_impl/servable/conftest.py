from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from server_impl.servable import saved_model
from server_impl.servable.saved_model import SavedModel


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what ``build_models.py`` builds: version directories, not to be changed by tests."""
    folder = tmp_path_factory.mktemp("models")
    script = Path(__file__).with_name("build_models.py")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run(
        [sys.executable, str(script), str(folder)],
        check=True,
        timeout=120,
        env=environment,
        capture_output=True,
    )
    return folder


@pytest.fixture
def load(models: Path) -> Iterator[Callable[[str], SavedModel]]:
    """Loads one of the models by name, and closes it after the test."""
    with ExitStack() as closing:

        def load_model(name: str) -> SavedModel:
            loaded = saved_model.load(str(models / name))
            closing.callback(loaded.session.close)
            return loaded

        yield load_model
