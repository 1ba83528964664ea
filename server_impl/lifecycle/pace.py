"""How fast the loads of the first config follow each other."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds between two rounds, in each of which one load or unload begins [3.2.3].
ROUND_S = 0.1

#: The same while the models of the first config are loaded.
INITIAL_ROUND_S = 0.01

#: So many loads of one model begin at once; further ones so many seconds later, a round apart.
_AT_ONCE = 2
_LATER_S = 0.5


class FirstLoads:
    """Which models may begin a load while those of the first config are loaded.

    A load takes TensorFlow Serving longer than a round and less than three, if the model is small: the two
    highest versions are on their way before either is up, and a lower one that fails at once is known by then
    [3.4.4]. With others it is not so: ports may open before they are loaded, and if they fail the server runs
    [3.4.3]. Loads are faster here, or slower on a busy machine; this makes the outcome the same.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: dict[str, float] = {}
        self._begun: dict[str, int] = {}

    def may_begin(self, name: str) -> bool:
        """Whether a load of this model may begin now."""
        later = self._begun.get(name, 0) - _AT_ONCE
        return later < 0 or self._clock() >= self._first[name] + _LATER_S + later * ROUND_S

    def begins(self, name: str) -> None:
        """Note that a load begins."""
        self._first.setdefault(name, self._clock())
        self._begun[name] = self._begun.get(name, 0) + 1
