from __future__ import annotations

from tests.golden.lifecycle import test_operation, test_versions
from tests.golden.lifecycle.timelines import FOLDER, timelines
from tests.golden.recordings import listed_differences


def test_every_group_is_played_once() -> None:
    groups = [path.name.partition(".")[0] for path in FOLDER.glob("*.jsonl.gz")]
    assert sorted(groups) == sorted(test_versions.GROUPS + test_operation.GROUPS)


def test_every_listed_difference_names_a_timeline() -> None:
    known = {timeline.id for timeline in timelines(*test_versions.GROUPS, *test_operation.GROUPS)}
    assert listed_differences(FOLDER).keys() <= known
