"""What has to look all the time while steps happen, and what it says about the checks of these steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from harness.checks import Check, Drains, NoGap, Passes, Precedes
from harness.client import Client, Exchange
from harness.terms import Protocol, Request
from harness.verdict import Mismatch
from harness.watch import Drain, History, Stream


class Case(NamedTuple):
    """A check of step number ``step`` over one protocol, or over none."""

    step: int
    check: Check
    protocol: Protocol | None

    @property
    def key(self) -> tuple[int, str, Protocol | None]:
        """What tells cases apart."""
        return self.step, self.check.key, self.protocol


class Observers:
    """Threads that send requests and ask for status while steps happen, each with a client of its own.

    ``connect(protocol, on_exchange)`` gives a client. ``asker(client, request, versions)`` gives a function
    that sends a request and names which of ``versions`` answered it rightly.
    """

    def __init__(
        self,
        connect: Callable[[Protocol, Callable[[Exchange], None]], Client],
        asker: Callable[[Client, Request, tuple[int, ...]], Callable[[], int]],
    ) -> None:
        self._connect = connect
        self._asker = asker
        self._clients: list[Client] = []
        self._observers: dict[tuple[int, str, Protocol | None], Stream | Drain | History] = {}

    def start(self, cases: Iterable[Case]) -> None:
        """Begin to look for those of the cases that need it. What was seen before is forgotten."""
        self._observers = {}
        histories: dict[tuple[str, Protocol], History] = {}
        for case in cases:
            match case:
                case Case(_, NoGap(request, before, after), Protocol() as protocol):
                    self._observers[case.key] = self._stream(protocol, request, before, after)
                case Case(_, Drains(request, by), Protocol() as protocol):
                    self._observers[case.key] = self._drain(protocol, request, by)
                case Case(_, Passes(model=model) | Precedes(model=model), Protocol() as protocol):
                    if (model, protocol) not in histories:
                        histories[model, protocol] = History(self._reader(protocol), model)
                    self._observers[case.key] = histories[model, protocol]

    def await_drains(self) -> None:
        """Wait until the requests are answered that the steps are to leave alone."""
        for observer in self._observers.values():
            if isinstance(observer, Drain):
                observer.await_answer()

    def stop(self) -> None:
        """End the looking; what was seen stays."""
        for observer in self._observers.values():
            observer.stop()
        for client in self._clients:
            client.close()
        self._clients.clear()

    def __contains__(self, case: Case) -> bool:
        return case.key in self._observers

    def verify(self, case: Case, evidence: list[Exchange]) -> None:
        """Look whether a case holds by what was seen, and add what proves it to ``evidence``.

        Raises Mismatch where it does not, and what a client raised.
        """
        match case.check, self._observers[case.key]:
            case NoGap(_, before, after), Stream() as stream:
                evidence.extend(stream.evidence)
                stream.verify(before, after)
            case Drains(), Drain() as drain:
                evidence.extend(drain.evidence)
                drain.verify()
            case Passes(version=version) as check, History() as history:
                passed = history.passed(version)
                if not check.agrees(passed):
                    raise Mismatch(str(check), ", ".join(state.name for state in passed) or "no such version")
            case Precedes() as check, History() as history:
                if not check.agrees(history.seen):
                    raise Mismatch(str(check), str(history))

    def _stream(self, protocol: Protocol, request: Request, *versions: int) -> Stream:
        latest: deque[Exchange] = deque(maxlen=1)
        client = self._connect(protocol, latest.append)
        self._clients.append(client)
        return Stream(self._asker(client, request, versions), latest)

    def _drain(self, protocol: Protocol, request: Request, version: int) -> Drain:
        evidence: list[Exchange] = []
        client = self._connect(protocol, evidence.append)
        self._clients.append(client)
        ask = self._asker(client, request, (version,))
        return Drain(ask, self._reader(protocol), request.model, version, evidence)

    def _reader(self, protocol: Protocol) -> Client:
        """A client for status requests, which prove nothing by themselves."""
        client = self._connect(protocol, lambda _: None)
        self._clients.append(client)
        return client
