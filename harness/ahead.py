"""Starts the server of the scenario that comes next while another one is being played.

Much of a run would else be spent waiting for servers to be up.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from harness.scenario import Scenario
from harness.targets import Server, StartError, Target, Unsupported
from harness.terms import Capability


def can_wait(scenario: Scenario, target: Target) -> bool:
    """Tell whether a server may be there long before the scenario is played on it.

    Not where its coming up is what the scenario looks at, nor where all scenarios share one server.
    """
    return scenario.opens and Capability.START in target.capabilities


class Ahead:
    """At most one server of ``target`` that nobody plays on yet."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._starts = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._coming: tuple[Scenario, Future[Server]] | None = None

    def begin(self, scenario: Scenario) -> None:
        """Start a server for ``scenario``, whose models are built. Does not wait for it."""
        self.drop()
        self._coming = scenario, self._starts.submit(self._target.start, scenario)

    def take(self, scenario: Scenario) -> Server | None:
        """The server that was started for ``scenario``; None where there is none.

        Raises StartError, Unsupported where its start failed.
        """
        if self._coming is None or self._coming[0] is not scenario:
            self.drop()
            return None
        (_, start), self._coming = self._coming, None
        return start.result()

    def drop(self) -> None:
        """Stop a server that will not be needed."""
        if self._coming is None:
            return
        (_, start), self._coming = self._coming, None
        if start.cancel():
            return
        with suppress(StartError, Unsupported):  # it is not there, and nobody asked for it
            start.result().stop()

    def close(self) -> None:
        """Stop a server that will not be needed, and begin no more."""
        self.drop()
        self._starts.shutdown()
