from __future__ import annotations

import pytest

from server_impl.protocol import reply
from server_impl.protocol.reply import Brief, run_in_groups, without_brief


def steps(noted: list[str], name: str = "") -> Brief[str]:
    def reply() -> str:
        noted.append("reply" + name)
        return "done" + name

    return Brief(lambda: noted.append("run" + name), reply)


def test_all_steps_at_once() -> None:
    noted: list[str] = []
    assert without_brief(steps(noted)) == "done"
    assert noted == ["run", "reply"]
    assert without_brief("as it is") == "as it is"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1000, ["run1", "run2", "run3", "reply1", "reply2", "reply3"]),
        (0, ["run1", "reply1", "run2", "reply2", "run3", "reply3"]),
    ],
)
def test_groups(monkeypatch: pytest.MonkeyPatch, seconds: float, expected: list[str]) -> None:
    monkeypatch.setattr(reply, "_GROUP_SECONDS", seconds)
    noted: list[str] = []
    requests = [(name, steps(noted, name)) for name in "123"]
    for group in run_in_groups(requests):
        for name, request in group:
            assert request.reply() == "done" + name
    assert noted == expected
    assert list(run_in_groups([])) == []
