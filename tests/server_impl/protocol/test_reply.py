from __future__ import annotations

import pytest

from server_impl.protocol import reply
from server_impl.protocol.reply import Brief, run_in_groups, without_brief


class Steps(Brief[str]):
    def __init__(self, noted: list[str], name: str = "") -> None:
        self.noted, self.name = noted, name

    def run(self) -> None:
        self.noted.append("run" + self.name)

    def reply(self) -> str:
        self.noted.append("reply" + self.name)
        return "done"


def test_all_steps_at_once() -> None:
    noted: list[str] = []
    assert without_brief(Steps(noted)) == "done"
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
    requests = [(name, Steps(noted, name)) for name in "123"]
    for group in run_in_groups(requests):
        for name, request in group:
            assert request.name == name
            request.reply()
    assert noted == expected
    assert list(run_in_groups([])) == []
