"""The page under a path of its own, and servers without it [4.10.1, 4.10.2]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import Reply, RestCase, get
from scenarios.monitoring.scenario import ELSEWHERE, PATH, SWITCHED_OFF, WITHOUT

OTHER_PATH = (
    RestCase(
        "configured",
        "The configuration may give the page a path.",
        get("/my/Metrics"),
        Reply(200, headers={"Content-Type": "text/plain"}),
        facts=("4.10.1", "4.10.3", "MET-01"),
    ),
    *(
        RestCase(
            f"other/{name}",
            "Then it is there alone, letter by letter.",
            get(path),
            Reply(404),
            facts=("4.10.1", "4.10.2", "MET-01", "MET-02"),
        )
        for name, path in (("usual", PATH), ("case", "/my/metrics"), ("slash", "/my/Metrics/"))
    ),
    RestCase(
        "query",
        "With a query the page is a bad request, which tells both paths.",
        get("/my/Metrics?x=1"),
        Reply(
            400,
            "Unexpected path: /my/Metrics?x=1. Should be /my/Metrics",
            headers={"Content-Type": "text/plain"},
        ),
        facts=("4.10.2", "MET-02"),
    ),
)


NO_PAGE = (
    RestCase(
        "no-page",
        "Without a configuration that switches it on, there is no metrics page.",
        get(PATH),
        Reply(404),
        facts=("4.10.1", "MET-01"),
    ),
)


@pytest.mark.scenario(ELSEWHERE)
@pytest.mark.cases(OTHER_PATH)
def test_elsewhere(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()


@pytest.mark.scenario(SWITCHED_OFF)
@pytest.mark.cases(NO_PAGE)
def test_switched_off(case: Callable[[], None]) -> None:
    """One exchange, where the configuration has the page switched off."""
    case()


@pytest.mark.scenario(WITHOUT)
@pytest.mark.cases(NO_PAGE)
def test_without(case: Callable[[], None]) -> None:
    """One exchange, where nothing is configured."""
    case()
