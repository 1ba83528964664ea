"""How requests are answered: at once, by work that needs a thread of its own, or step by step.

Shared by both protocols; no sockets here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Generic, TypeAlias, TypeVar

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
K = TypeVar("K")

#: Seconds of running after which replies are sent, before more is run.
_GROUP_SECONDS = 1e-3


class Brief(Generic[R_co]):
    """A request whose run is short: the thread that read it answers it, together with others.

    Python's code and TensorFlow's drive each other out of a processor's caches. Requests that came together
    therefore take each step together: all are read, then all are run, then all are answered.

    ``run`` is the run itself and never raises. ``reply`` gives the reply or raises the error that the request
    ends with; it is to be called even if nobody waits for it any more.
    """

    __slots__ = ("reply", "run")

    def __init__(self, run: Callable[[], None], reply: Callable[[], R_co]) -> None:
        self.run = run
        self.reply = reply


#: A reply, or what makes it and must not hold up the thread that reads requests.
Work: TypeAlias = R | Callable[[], R]
Reply: TypeAlias = Work[R] | Brief[Work[R]]


def without_brief(reply: Reply[R]) -> Work[R]:
    """The same, with all steps of a brief request taken at once."""
    if isinstance(reply, Brief):
        reply.run()
        return reply.reply()
    return reply


def run_in_groups(requests: Iterable[tuple[K, Brief[R]]]) -> Iterator[list[tuple[K, Brief[R]]]]:
    """Run the requests, and give them in groups that are to be answered before the next ones are run."""
    group = []
    end = perf_counter() + _GROUP_SECONDS
    for request in requests:
        request[1].run()
        group.append(request)
        if perf_counter() > end:
            yield group
            group = []
            end = perf_counter() + _GROUP_SECONDS
    if group:
        yield group
