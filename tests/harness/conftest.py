from __future__ import annotations

from pathlib import Path

import pytest

from harness.models import BUILDERS
from tests.harness.tiny import ROOT, SCENARIO, TESTS
from tests.miniatures import standins


@pytest.fixture
def tiny(pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with the tiny scenario and its tests; the module needs ``pytest_plugins = "pytester"``."""
    monkeypatch.setenv("TFSERVING_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    standins.write((BUILDERS["grid"], contents) for contents in (1, 2))
    pytester.makepyfile(scenario=SCENARIO, test_tiny=TESTS)
    return pytester
