"""Versions that come and go, good and broken ones.

The reference server takes the recorded course, or differs as it is listed.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import pytest

from tests.golden.lifecycle.timelines import Timeline, timelines

if TYPE_CHECKING:
    from tests.golden.lifecycle.conftest import Plays

GROUPS = ("start", "hotplug", "broken", "swap", "drain", "warmup")


@pytest.mark.parametrize("timeline", timelines(*GROUPS), ids=attrgetter("id"))
def test_same_course(timeline: Timeline, plays: Plays) -> None:
    plays.verify(timeline)
