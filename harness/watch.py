"""Observers that run while a step happens: requests without pause, and one request across the step."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.client import BadReply, Client, Exchange, Refusal, Unreachable
from harness.terms import State
from harness.verdict import Mismatch

#: Seconds between two requests of an observer: far below any gap that a poll could cause.
_PAUSE = 0.005
#: Seconds by which an END may seem to precede the answer it waited for: the client's own delay.
_SLACK = 0.3


class Run(NamedTuple):
    """Equal outcomes in a row: ``version 2`` or the text of a failure, and how often."""

    outcome: str
    times: int


class Stream:
    """Sends a request over and over in a thread, and notes runs of equal outcomes.

    ``ask`` sends one and names the version that answered rightly; it raises what a client raises, or
    Mismatch. ``latest`` holds the exchange of the request just made; the first of each run is kept as
    ``evidence``.
    """

    def __init__(self, ask: Callable[[], int], latest: Sequence[Exchange]) -> None:
        self._ask = ask
        self._latest = latest
        self._runs: list[Run] = []
        self.evidence: list[Exchange] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="stream", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the requests."""
        self._stop.set()
        self._thread.join()

    def verify(self, before: int, after: int) -> None:
        """Check that answers came from ``before`` and then from ``after`` only. Raises Mismatch."""
        outcomes = [run.outcome for run in self._runs]
        if outcomes not in ([_answer(before), _answer(after)], [_answer(after)]):
            seen = ", then ".join(f"{run.times} x {run.outcome}" for run in self._runs)
            raise Mismatch(
                f"{_answer(before)}, then {_answer(after)}, nothing else", seen or "no answer at all"
            )

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                outcome = _answer(self._ask())
            except (Mismatch, Refusal, BadReply, Unreachable) as error:
                outcome = str(error)
            if self._runs and self._runs[-1].outcome == outcome:
                self._runs[-1] = self._runs[-1]._replace(times=self._runs[-1].times + 1)
            else:
                self._runs.append(Run(outcome, 1))
                self.evidence.extend(self._latest)
            self._stop.wait(_PAUSE)


class Drain:
    """One long request that runs while its version is withdrawn, and a look at the status meanwhile.

    ``ask`` sends it, ``evidence`` will hold its exchange, ``reader`` asks for the status.
    """

    def __init__(
        self, ask: Callable[[], int], reader: Client, model: str, version: int, evidence: Sequence[Exchange]
    ) -> None:
        self.evidence = evidence
        self._ask = ask
        self._reader = reader
        self._model = model
        self._version = version
        self._failure: Exception | None = None
        self._answered: float | None = None
        self._ended: float | None = None
        self._stop = threading.Event()
        self._request = threading.Thread(target=self._run, name="drain", daemon=True)
        self._looking = threading.Thread(target=self._look, name="drain status", daemon=True)
        self._request.start()
        self._looking.start()

    def await_answer(self) -> None:
        """Wait until the request is answered or has failed."""
        self._request.join()

    def stop(self) -> None:
        """Wait for the request, then end the looking."""
        self._request.join()
        self._stop.set()
        self._looking.join()

    def verify(self) -> None:
        """Check the answer, and that the version ENDed after it. Raises what went wrong."""
        if self._failure is not None:
            raise self._failure
        if self._answered is None or self._ended is None:
            raise Mismatch("an answer, then END", "no answer yet" if self._answered is None else "no END yet")
        if self._ended < self._answered - _SLACK:
            early = self._answered - self._ended
            raise Mismatch("END after the answer", f"END {early:.1f} s before the answer")

    def _run(self) -> None:
        try:
            self._ask()
        except (Mismatch, Refusal, BadReply, Unreachable) as error:
            self._failure = error
        self._answered = time.monotonic()

    def _look(self) -> None:
        while not self._stop.wait(0.02) and self._ended is None:
            try:
                states = {entry.version: entry.state for entry in self._reader.status(self._model)}
            except (Refusal, BadReply, Unreachable):
                continue
            if states.get(self._version) is State.END:
                self._ended = time.monotonic()


class History:
    """Asks for a model's status over and over in a thread, and notes how it changed.

    ``seen`` holds the listings as they followed each other, each with the states by version.
    """

    _PAUSE = 0.02  # seconds; many of them run at a time

    def __init__(self, reader: Client, model: str) -> None:
        self.seen: list[dict[int, State]] = []
        self._reader = reader
        self._model = model
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="history", daemon=True)
        self._look()  # what is there before anything changes, however late the thread gets to run
        self._thread.start()

    def __str__(self) -> str:
        listings = (
            ", ".join(f"{version} {state.name}" for version, state in sorted(listing.items(), reverse=True))
            for listing in list(self.seen)
        )
        return "; then ".join(listings) or "no status"

    def passed(self, version: int) -> list[State]:
        """The states of a version as they followed each other."""
        states = (listing[version] for listing in list(self.seen) if version in listing)
        return [state for state, _ in itertools.groupby(states)]

    def stop(self) -> None:
        """End the looking."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._PAUSE):
            self._look()

    def _look(self) -> None:
        try:
            listing = {entry.version: entry.state for entry in self._reader.status(self._model)}
        except (Refusal, BadReply, Unreachable):
            return
        if listing != (self.seen[-1] if self.seen else None):
            self.seen.append(listing)


def _answer(version: int) -> str:
    return f"version {version}"
