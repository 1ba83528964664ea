"""Two runs compared: what broke and what was mended, what became faster and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reports import bootstrap, histogram, units
from reports.conformance import natural
from reports.load import QUANTILES
from reports.proportion import Interval
from reports.record import Check, Outcome, Run
from reports.windows import Cell, Timeline

#: Changes smaller than this are within noise even when they are sure.
NOISE = 0.02
# Many figures are compared at once: at 95 % every twentieth would change by mere chance.
_CONFIDENCE = 0.99
#: Offered rates further apart than this make latencies incomparable.
_SAME_RATE = 0.05


#: What is compared, and its steps in both runs.
_Pair = tuple[str, list[Cell], list[Cell]]


class Direction(StrEnum):
    """What a change means to a user."""

    BETTER = "better"
    WORSE = "worse"
    NONE = "no change"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in two runs; ``interval`` is of the relative change, 0.1 being 10 % more."""

    endpoint: str
    figure: str
    before: float
    after: float
    interval: Interval | None
    direction: Direction
    words: str


@dataclass(frozen=True, slots=True)
class LoadComparison:
    """Two load runs: ``changes`` of the endpoints both have, ``cautions`` on what may not be compared."""

    changes: tuple[Change, ...]
    cautions: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Whether any figure is surely worse."""
        return any(change.direction is Direction.WORSE for change in self.changes)

    @property
    def summary(self) -> str:
        """The comparison in one sentence."""
        if not self.changes:
            return "The runs have nothing in common to compare."
        parts = []
        for direction in (Direction.WORSE, Direction.BETTER):
            some = [change for change in self.changes if change.direction is direction]
            if some:
                first = f"{some[0].endpoint}, {some[0].figure}: {some[0].words}"
                parts.append(f"{len(some)} of {len(self.changes)} figures {direction} ({first})")
        if not parts:
            return f"No change for sure in any of {len(self.changes)} figures."
        return f"{'; '.join(parts)}."


@dataclass(frozen=True, slots=True)
class CheckComparison:
    """Two runs of checks, by id; each list in a fixed order."""

    broken: tuple[Check, ...]
    mended: tuple[Check, ...]
    still_failing: tuple[Check, ...]
    added: tuple[Check, ...]
    gone: tuple[Check, ...]
    skipped: tuple[Check, ...]

    @property
    def worse(self) -> bool:
        """Whether a check fails that did not fail before."""
        return bool(self.broken) or any(check.outcome.bad for check in self.added)


def compare_checks(before: Run, after: Run) -> CheckComparison:
    """What became of each check."""
    old = {check.id: check for check in before.checks}
    new = {check.id: check for check in after.checks}
    both = [(old[name], new[name]) for name in sorted(old.keys() & new.keys(), key=natural)]
    return CheckComparison(
        broken=tuple(now for then, now in both if now.outcome.bad and not then.outcome.bad),
        mended=tuple(now for then, now in both if then.outcome.bad and _holds(now)),
        still_failing=tuple(now for then, now in both if then.outcome.bad and now.outcome.bad),
        added=tuple(new[name] for name in sorted(new.keys() - old.keys(), key=natural)),
        gone=tuple(old[name] for name in sorted(old.keys() - new.keys(), key=natural)),
        skipped=tuple(
            now
            for then, now in both
            if now.outcome is Outcome.SKIPPED and then.outcome is not Outcome.SKIPPED
        ),
    )


def compare_loads(before: Run, after: Run) -> LoadComparison:
    """Latencies and goodput: stage by stage when both runs went through the same ones, else by endpoint."""
    changes: list[Change] = []
    for name, old, new in _stages(before, after) or _endpoints(before, after):
        changes += _latencies(name, old, new)
        changes += _goodput(name, old, new)
    return LoadComparison(tuple(changes), tuple(_cautions(before, after)))


def judged(interval: Interval | None, *, more_is: Direction, noun: tuple[str, str]) -> tuple[Direction, str]:
    """A relative change in words; ``noun`` says what more and what less of it is called."""
    if interval is None:
        return Direction.UNKNOWN, f"too few windows to tell (fewer than {bootstrap.MIN_BLOCKS})"
    low, high = interval
    if low <= 0 <= high:
        return Direction.NONE, "no change detected"
    if max(abs(low), abs(high)) <= NOISE:
        return Direction.NONE, f"within noise (under {NOISE:.0%})"
    less_is = Direction.BETTER if more_is is Direction.WORSE else Direction.WORSE
    near, far = sorted((abs(low), abs(high)))
    stretch = f"{_percent(near)}..{_percent(far)} %"
    return (more_is, f"{noun[0]} by {stretch}") if low > 0 else (less_is, f"{noun[1]} by {stretch}")


def _latencies(name: str, old: Sequence[Cell], new: Sequence[Cell]) -> list[Change]:
    quantiles = tuple(QUANTILES)
    sides = [[cell.response for cell in cells] for cells in (old, new)]
    blocks = [bootstrap.blocks_of(side) for side in sides]
    if not all(blocks):
        return []
    draws = [bootstrap.quantile_draws(side, quantiles, seed) for seed, side in enumerate(blocks, 1)]
    changes = []
    for column, (quantile, label) in enumerate(QUANTILES.items()):
        before, after = (histogram.merge(side).quantile(quantile) for side in blocks)
        interval = None
        if draws[0] is not None and draws[1] is not None:
            interval = bootstrap.interval(draws[1][:, column] / draws[0][:, column] - 1, _CONFIDENCE)
        direction, words = judged(interval, more_is=Direction.WORSE, noun=("slower", "faster"))
        changes.append(Change(name, label, before, after, interval, direction, words))
    return changes


def _goodput(name: str, old: Sequence[Cell], new: Sequence[Cell]) -> list[Change]:
    rates = [[cell.per_second("correct") for cell in cells if cell.seconds] for cells in (old, new)]
    means = [sum(side) / len(side) if side else 0.0 for side in rates]
    if not all(means):
        return []
    draws = [bootstrap.mean_draws(side, seed) for seed, side in enumerate(rates, 1)]
    interval = None
    if draws[0] is not None and draws[1] is not None and draws[0].all():
        interval = bootstrap.interval(draws[1] / draws[0] - 1, _CONFIDENCE)
    direction, words = judged(interval, more_is=Direction.BETTER, noun=("more", "less"))
    return [Change(name, "correct/s", means[0], means[1], interval, direction, words)]


def _stages(before: Run, after: Run) -> list[_Pair]:
    """The stages of both runs, if the same: no percentile makes sense over stages of different rates."""
    plans = [[(phase.name, phase.rate) for phase in run.phases] for run in (before, after)]
    if plans[0] != plans[1]:
        return []
    sides = [Timeline.of(run.windows) for run in (before, after)]
    return [
        (old.name, sides[0].between(old.t, old.end_s), sides[1].between(new.t, new.end_s))
        for old, new in zip(before.phases, after.phases, strict=True)
    ]


def _endpoints(before: Run, after: Run) -> list[_Pair]:
    old, new = before.windows, after.windows
    shared = [name for name in old.endpoints if name in new.cells]
    pairs = [(name, old.steps_of(name), new.steps_of(name)) for name in shared]
    if len(pairs) == 1 and old.cells.keys() == new.cells.keys():
        return pairs
    return [("all endpoints", old.over_time(), new.over_time()), *pairs]


def _cautions(before: Run, after: Run) -> list[str]:
    cautions = []
    rates = [_offered(run) for run in (before, after)]
    if all(rates) and abs(rates[1] / rates[0] - 1) > _SAME_RATE:
        cautions.append(
            f"The runs offered different rates ({units.rate(rates[0])} and {units.rate(rates[1])}): "
            "latencies at different rates do not compare."
        )
    for name in ("cpu", "cores", "governor"):
        old, new = before.header.machine.get(name), after.header.machine.get(name)
        if old != new:
            cautions.append(f"The machines differ ({name}: {old} and {new}).")
    for run, word in ((before, "first"), (after, "second")):
        if any(verdict.name == "validity" and verdict.ok is False for verdict in run.verdicts):
            cautions.append(f"The {word} run is stamped INVALID.")
        if not run.finished:
            cautions.append(f"The {word} run did not finish.")
    return cautions


def _offered(run: Run) -> float:
    steps = run.windows.over_time()
    seconds = sum(cell.seconds for cell in steps)
    return sum(cell.offered for cell in steps) / seconds if seconds else 0.0


def _holds(check: Check) -> bool:
    return check.outcome in (Outcome.PASSED, Outcome.XFAILED)


def _percent(fraction: float) -> str:
    return units.digits(fraction * 100)
