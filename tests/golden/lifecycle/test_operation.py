"""Configurations that change, labels, flags and signals.

The reference server takes the recorded course, or differs as it is listed.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import pytest

from tests.golden.lifecycle.timelines import Timeline, timelines

if TYPE_CHECKING:
    from tests.golden.lifecycle.conftest import Plays

GROUPS = ("reload", "config_poll", "config_at_start", "labels", "batching", "signals", "startup")


@pytest.mark.parametrize("timeline", timelines(*GROUPS), ids=attrgetter("id"))
def test_same_course(timeline: Timeline, plays: Plays) -> None:
    plays.verify(timeline)
