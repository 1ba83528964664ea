"""Every recorded request, sent to the reference server: the recorded answer comes, or a listed difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.golden.recordings import Play, Record, listed_differences, plays

if TYPE_CHECKING:
    from tests.golden.conftest import Replays

PLAYS = plays()
LISTED = listed_differences()


def recordings() -> list[Any]:
    return [
        pytest.param(play, record, id=record["id"])
        for play in PLAYS
        for group in play.groups.values()
        for record in group
    ]


@pytest.mark.parametrize(("play", "record"), recordings())
def test_same_answer(play: Play, record: Record, replays: Replays) -> None:
    difference, listed = replays.difference(play, record), LISTED.get(record["id"])
    if (difference and difference.part) != listed:
        story = difference or f"as recorded: {listed!r} must leave the list of differences"
        pytest.fail(f"{record['id']}, {record['note']}\nsent: {record['sent']}\n{story}", pytrace=False)


def test_every_listed_difference_names_a_recording() -> None:
    known = {record["id"] for play in PLAYS for group in play.groups.values() for record in group}
    assert LISTED.keys() <= known
