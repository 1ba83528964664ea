"""Figures that tests measure are shown at the end of the run, and JUnit files hold them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_MEASURED = "measured: "


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    """Notes a measured figure: ``figure("swaps", 100)``."""

    def note(name: str, value: object) -> None:
        record_property(_MEASURED + name, value)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = [
        f"{name.removeprefix(_MEASURED)}: {value}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name.startswith(_MEASURED)
    ]
    if figures:
        terminalreporter.section("measured")
        for line in figures:
            terminalreporter.line(line)
