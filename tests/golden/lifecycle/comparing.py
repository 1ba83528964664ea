"""What of a timeline was not as recorded.

Sequences are compared, not times. A value that stayed when it was recorded must be seen, unless nobody looked
for as long; one that stays now must have been recorded; both in order. What is brief may be missed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.golden.lifecycle.asking import Look
from tests.golden.lifecycle.timelines import Seen, Timeline, Value
from tests.golden.replay import Difference

#: Seconds from which on a value stayed when it was recorded.
_STAYED_S = 0.25


class Played(NamedTuple):
    """What came of a timeline: the result of each step, and the rest as it is recorded.

    ``blind`` is the longest time in seconds that nobody looked.
    """

    results: list[Any]
    answers: dict[str, Any]
    seen: dict[str, list[Look]]
    blind: float
    exit: int | None
    refusal: str | None
    log: str

    def story(self) -> str:
        """What was seen, and the end of the log, for failure texts."""
        return "".join(_listing(probe, looks) for probe, looks in self.seen.items()) + self.log


def difference(timeline: Timeline, played: Played) -> Difference | None:
    """The first thing that is not as recorded, or None."""
    ends = {"exit": (timeline.exit, played.exit), "refusal": (timeline.refusal, played.refusal)}
    for part, (expected, actual) in ends.items():
        if expected != actual:
            return Difference(part, expected, actual)
    for step, result in zip(timeline.steps, played.results, strict=True):
        if step.has_result and result not in (step.result, *step.also):
            return Difference("result", f"{step.do} -> {step.result}", result)
    if timeline.answers != played.answers:
        return Difference("answer", timeline.answers, played.answers)
    for probe, looks in played.seen.items():
        seen = timeline.seen.get(probe, [])
        same = _same_end(seen, looks) if timeline.in_the_end else _same_course(seen, looks, played.blind)
        if not same:
            return Difference("seen", _listing(probe, seen), _listing(probe, looks))
    return None


def comes(awaited: Iterable[Value], shown: Iterable[Value]) -> bool:
    """Whether all that is awaited is shown, in order, perhaps with other values in between."""
    left = iter(shown)
    return all(any(value == item for value in left) for item in awaited)


def demanded(seen: Iterable[Seen], blind: float) -> list[Value]:
    """Of recorded values those that one must see who never looks away for more than ``blind`` seconds."""
    return _folded(value.value for value in seen if value.seconds > max(_STAYED_S, blind))


def _same_course(seen: list[Seen], looks: list[Look], blind: float) -> bool:
    recorded, shown = [value.value for value in seen], [look.value for look in looks]
    stayed = _folded(look.value for look in looks if look.stayed)
    return comes(demanded(seen, blind), shown) and comes(stayed, recorded)


def _folded(values: Iterable[Value]) -> list[Value]:
    """The values as they follow each other when those in between were missed."""
    return [value for value, _ in itertools.groupby(values)]


def _same_end(seen: list[Seen], looks: list[Look]) -> bool:
    """Whether the last value is the same; of several versions the highest alone."""
    recorded, shown = (values[-1].value for values in (seen, looks))
    return recorded[:1] == shown[:1] if isinstance(recorded, list) else recorded == shown


def _listing(probe: str, values: Iterable[Seen | Look]) -> str:
    return "".join([probe, *(f"\n    {value.seconds:6.2f} s  {value.value!r}" for value in values), "\n"])
