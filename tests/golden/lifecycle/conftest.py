from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.golden.lifecycle.comparing import Played, difference
from tests.golden.lifecycle.folder import Folder
from tests.golden.lifecycle.nursery import Nursery
from tests.golden.lifecycle.playing import Play
from tests.golden.lifecycle.timelines import FOLDER, Timeline
from tests.golden.recordings import listed_differences

#: Timelines that are played side by side: most of their time is spent waiting.
_SIDE_BY_SIDE = 8

_LISTED = listed_differences(FOLDER)


class Plays:
    """``timelines``, which are played in their order, several at a time."""

    def __init__(self, timelines: list[Timeline], models: Path, scratch: Path) -> None:
        self._models = models
        self._scratch = scratch
        self._nursery = Nursery(scratch / "nursery.log")
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(_SIDE_BY_SIDE)
        self._played: dict[str, Future[Played]] = {
            timeline.id: self._pool.submit(self._play, timeline) for timeline in timelines
        }

    def verify(self, timeline: Timeline) -> None:
        """Fail where the course is not the recorded one, or does not differ as listed."""
        played, listed = self._played[timeline.id].result(), _LISTED.get(timeline.id)
        found = difference(timeline, played)
        if (found and found.part) != listed:
            story = found or f"as recorded: {listed!r} must leave the list of differences"
            pytest.fail(f"{timeline.id}, {timeline.note}\n{story}\n{played.story()}", pytrace=False)

    def stop(self) -> None:
        """End those that still play."""
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)
        self._nursery.close()

    def _play(self, timeline: Timeline) -> Played:
        root = self._scratch / timeline.id
        root.mkdir()
        folder = Folder(root, self._models)
        return Play(timeline, self._nursery.target, folder, self._stopping).run()


@pytest.fixture(scope="module")
def plays(
    request: pytest.FixtureRequest, golden_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plays]:
    """The timelines of a module that were asked for, all of them playing."""
    selected: list[Any] = [
        item.callspec.params["timeline"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec")
    ]
    played = Plays(selected, golden_models, tmp_path_factory.mktemp("timelines"))
    yield played
    played.stop()
