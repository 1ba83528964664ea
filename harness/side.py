"""One of the servers that a run of pytest looks at: its target, and what is running there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from harness import targets
from harness.ahead import Ahead, can_wait
from harness.launching import Launcher
from harness.models import cache
from harness.models.cache import BuildError
from harness.player import Event, Player, contents_needed
from harness.scenario import Scenario
from harness.terms import Protocol


class Settings(NamedTuple):
    """What every side of a run has in common; ``say`` and ``event`` are told what is going on."""

    protocols: tuple[Protocol, ...]
    patience: float
    say: Callable[[str], None]
    event: Callable[[Event], None]


class Side:
    """A target with the one server that is running there.

    ``name`` is ``target``, or ``against`` for the second of two that are compared.
    """

    def __init__(self, name: str, target: targets.Target, settings: Settings) -> None:
        self.name = name
        self.target = target
        self.active: Player | None = None
        self.launcher = Launcher(target, settings.say)
        self._settings = settings
        self._scenarios: Mapping[str, Scenario] = {}
        self._ahead = Ahead(target)
        self._failed: dict[str, Exception] = {}
        self._bare: dict[str, Scenario] = {}

    def expect(self, scenarios: Mapping[str, Scenario]) -> None:
        """Name the scenarios that will come, so that their models are built in one go."""
        self._scenarios = scenarios

    def player(self, scenario: Scenario, index: int) -> Player:
        """A player of ``scenario`` that has not gone beyond step ``index``.

        The running server is kept as long as it can be: for the same scenario, and for another one with
        the same setting while nothing has been done to it.
        """
        self.launcher.close()
        active = self.active
        if active is not None:
            if active.scenario is scenario and active.can_reach(index):
                return active
            if active.pristine and active.scenario.setting == scenario.setting:
                active.adopt(scenario)
                return active
            active.close()
            self.active = None
        if scenario.id in self._failed:
            raise self._failed[scenario.id]
        try:
            # For all scenarios in one go: it takes seconds just to import TensorFlow.
            wanted = itertools.chain.from_iterable(map(contents_needed, self._scenarios.values()))
            cache.prepare(wanted, self._settings.say)
            self.active = Player(
                scenario,
                self.target,
                self._settings.protocols,
                patience=self._settings.patience,
                on_event=self._settings.event,
                server=self._ahead.take(scenario),
            )
        except (targets.Unsupported, targets.StartError, BuildError) as error:
            self._failed[scenario.id] = error  # once is enough: a start that fails can take minutes
            raise
        following = self._following(scenario)
        if following is not None and can_wait(following, self.target):
            self._ahead.begin(following)
        return self.active

    def _following(self, scenario: Scenario) -> Scenario | None:
        """The next of the scenarios that will come for which the server of ``scenario`` cannot serve."""
        ids = list(self._scenarios)
        if scenario.id not in ids:
            return None
        coming = [self._scenarios[id_] for id_ in ids[ids.index(scenario.id) :]]
        for before, after in itertools.pairwise(coming):
            if any(step.actions for step in before.steps) or after.setting != scenario.setting:
                return after
        return None

    def without_models(self, scenario: Scenario) -> Scenario:
        """The scenario's server with whatever models it has, and no step that needs others."""
        if scenario.id not in self._bare:
            step = replace(scenario.steps[0], actions=(), checks=())
            self._bare[scenario.id] = replace(scenario, models=(), steps=(step,), traffic=(), before=())
        return self._bare[scenario.id]

    def own_words(self) -> Collection[tuple[str, str]]:
        """What replies may hold of this side alone, and the word that stands for it: folders, addresses."""
        launched = None if self.launcher.running is None else self.launcher.running[1]
        found: list[tuple[str | None, str]] = []
        if self.active is not None:
            server = self.active.server
            found += [
                (server.models_root, "$MODELS"),
                *zip(server.addresses, ("$REST", "$GRPC"), strict=True),
            ]
        if launched is not None:
            found += [(launched.fill(word), word) for word in ("$MODELS", "$FILES")]
            found += zip(launched.addresses, ("$REST", "$GRPC"), strict=True)
        return [(text, word) for text, word in found if text]

    def close(self) -> None:
        """Stop what is running."""
        self.launcher.close()
        self._ahead.close()
        if self.active is not None:
            self.active.close()
            self.active = None
