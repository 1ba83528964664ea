"""The pages in a real browser: filters and links work, nothing is loaded, nothing hostile runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import samples

from reports import html, read

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--virtual-time-budget=2000",
    "--dump-dom",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    lines = samples.conformance(differing=True)
    owned = "document.title='owned'"
    evil = f'<script>{owned}</script><img src=http://127.0.0.1:9/x onerror="{owned}">'
    lines.insert(1, samples.check("evil/case", rule=evil, actual=evil, outcome="failed", level="EXT"))
    path = folder / "report.html"
    path.write_text(html.report([read(samples.write(folder / "run.jsonl", lines))]), "utf-8")
    return path


def opened(page: Path, fragment: str, profile: Path) -> str:
    """The page after its script ran; fails when the browser has anything to complain about."""
    assert CHROMIUM
    command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", f"{page.as_uri()}{fragment}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except subprocess.TimeoutExpired:
        pytest.skip("Chromium did not answer within 60 s")
    assert re.findall(r".*CONSOLE.*", done.stderr) == []
    return done.stdout


def shown(dom: str) -> set[str]:
    """The ids of the checks that are not hidden."""
    rows = re.findall(r'<details class="check"([^>]*)>.*?<span class="id">(.*?)</span>', dom, re.DOTALL)
    return {name for attributes, name in rows if "hidden" not in attributes}


VIEWS = [
    ("", 269, "269 checks"),
    ("#?show=failing", 5, "5 of 269 checks"),
    ("#?show=failing&level=MUST", 2, "2 of 269 checks"),
    ("#?show=differs", 7, "7 of 269 checks"),
    ("#?q=hot_plug%209.1", 0, "0 of 269 checks"),
    ("#?q=hot_plug%203.9.1", 2, "2 of 269 checks"),
]


@pytest.mark.parametrize(("fragment", "count", "words"), VIEWS)
def test_filters_show_what_they_say(
    page: Path, tmp_path: Path, fragment: str, count: int, words: str
) -> None:
    dom = opened(page, fragment, tmp_path / "profile")
    assert words in dom
    assert len(shown(dom)) == count
    assert "<title>TensorFlow Serving conformance: Does not conform" in dom


def test_a_link_to_a_check_opens_it(page: Path, tmp_path: Path) -> None:
    anchor = re.search(r'id="(c-json-case-19-[^"]*)"', page.read_text("utf-8"))
    assert anchor
    dom = opened(page, f"#{anchor[1]}", tmp_path / "profile")
    (attributes,) = re.findall(rf'<details class="check" id="{anchor[1]}"([^>]*)>', dom)
    assert "open" in attributes
