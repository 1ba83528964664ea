"""How requests are answered: at once, by work that needs a thread of its own, or step by step.

Shared by both protocols; no sockets here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from time import perf_counter
from typing import TypeAlias, TypeVar, cast

R = TypeVar("R")
K = TypeVar("K")

#: A reply, or what makes it and must not hold up the thread that reads requests.
Work: TypeAlias = R | Callable[[], R]
#: A request that the reading thread answers in short steps, between which it may see to others. The
#: generator returns the reply, or what makes the rest of it.
Steps: TypeAlias = Generator[None, None, Work[R]]
Reply: TypeAlias = Work[R] | Steps[R]

#: Bodies and outputs beyond this size are not dealt with on the thread that reads requests.
LARGE_BYTES = 64 * 1024

#: Seconds that a cohort should take, and how many requests it has at most.
_COHORT_SECONDS = 1e-3
COHORT_LIMIT = 32


def take_steps(reply: Reply[R]) -> Work[R]:
    """What remains of a reply when its steps, if it has any, have been taken one after the other."""
    if not isinstance(reply, Generator):
        return reply
    while True:
        try:
            next(reply)
        except StopIteration as end:
            return cast("Work[R]", end.value)


def complete(steps: Steps[R]) -> R:
    """The reply itself, however long it takes."""
    work: Work[R] = take_steps(steps)
    return work() if callable(work) else work


class Cohorts:
    """Takes requests that came together through their steps side by side.

    Each step of a request uses other code, and together they use more than a processor keeps at hand:
    the same steps of many requests in a row are much faster than all steps of one after the other. But nobody
    is to wait long for the others, so a cohort has about as many requests as take a millisecond.
    """

    def __init__(self) -> None:
        self._size = COHORT_LIMIT

    def outcomes(
        self, requests: Sequence[tuple[K, Steps[R]]]
    ) -> Iterator[list[tuple[K, Work[R] | Exception]]]:
        """What became of the requests, for one cohort after the other: the reply or the error."""
        start = 0
        while start < len(requests):
            cohort = requests[start : start + self._size]
            start += len(cohort)
            began = perf_counter()
            outcomes = _outcomes(cohort)
            seconds = max(perf_counter() - began, 1e-9)
            self._size = max(1, min(COHORT_LIMIT, int(len(cohort) * _COHORT_SECONDS / seconds)))
            yield outcomes


def _outcomes(requests: Sequence[tuple[K, Steps[R]]]) -> list[tuple[K, Work[R] | Exception]]:
    outcomes: list[tuple[K, Work[R] | Exception]] = []
    while requests:
        unfinished = []
        for request in requests:
            try:
                next(request[1])
            except StopIteration as end:
                outcomes.append((request[0], end.value))
            except Exception as error:
                outcomes.append((request[0], error))
            else:
                unfinished.append(request)
        requests = unfinished
    return outcomes
