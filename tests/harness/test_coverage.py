from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from harness import catalogue, coverage

ROOT = Path(__file__).parents[2]

KNOWN = catalogue.Catalogue(
    facts={"1.1": "First", "1.2.1": "Second", "2.1": "Third"},
    rows={"ROW-01": "A row", "ROW-02": "Another"},
    sections={"1": "One", "2": "Two"},
    source="https://example.org/",
    sources={"1.2": "file.cc"},
    reasons={"client": "nobody sees it"},
    unchecked={"2.1": "client"},
)


def checks(**cited: int) -> coverage.Checks:
    return coverage.Checks(7, {key.replace("_", "."): Counter(rest=count) for key, count in cited.items()})


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness.coverage", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_every_fact_has_a_section() -> None:
    known = catalogue.load()
    assert {fact.partition(".")[0] for fact in known.facts} - {"0"} == set(known.sections)
    assert known.header()["facts"] == list(known.facts)
    assert all(known.knows(above) or above in known.sections for above in known.sources)


def test_what_is_known() -> None:
    assert [KNOWN.knows(cited) for cited in ("1.1", "1.2", "1.2.1", "ROW-01")] == [True] * 4
    assert [KNOWN.knows(cited) for cited in ("1.3", "1.", "ROW-03")] == [False] * 3


def test_the_header_tells_titles_and_sources() -> None:
    header = KNOWN.header()
    assert header["titles"] == {**KNOWN.sections, **KNOWN.facts, **KNOWN.rows}
    assert header["sources"] == {"1.2": "https://example.org/file.cc"}


def test_mistakes() -> None:
    assert list(coverage.mistakes(KNOWN, checks(**{"1_1": 1, "1_2": 1}))) == []
    assert list(coverage.mistakes(KNOWN, checks(**{"9_9": 1, "2_1": 1}))) == [
        "a check of rest cites 9.9, which is not in the catalogue",
        "2.1 has checks, and a reason why it has none",
    ]


def test_a_page() -> None:
    page = coverage.page(KNOWN, checks(**{"1_1": 3, "1_2": 9}))
    assert "7 checks; 1 of 3 facts and 0 of 2 rows of the matrix" in page
    assert "| 1.1 | First | 3 | rest |" in page
    assert "| 1.2.1 | Second | - |  |" in page
    assert "| 2.1 | Third | nobody sees it |" in page
    assert "| ROW-01 | A row | not yet |" in page
