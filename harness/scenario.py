"""A scenario: what a server is given, what happens to it, what must be true then.

A scenario is pure data. It names the models in the repository and the server's flags, then tells
steps: each carries out *actions* (publish version 3, withdraw version 1, reload a configuration) and
states *checks* that must hold afterwards. :mod:`harness.player` plays the steps one by one under
pytest; the load generator plays the same objects on a clock while the scenario's *traffic* runs.

Nothing here touches disk or network, and nothing needs pytest or Locust.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.actions import Action, Publish
from harness.checks import Check, Refuses, RequestCheck
from harness.terms import DEFAULT_POLL_SECONDS, Capability, Model, Traffic


@dataclass(frozen=True, slots=True)
class Step:
    """Actions, and what must be true when the server has taken notice of them.

    ``rule`` is the sentence that the checks test together. They get ``within`` seconds to come true, else
    the time between two looks at the disk and the player's patience.

    A ``quiet`` step must change nothing: its checks have to hold from the start and still after two looks
    at the disk. What a ``passing`` step tells is over soon: each check has to hold once. A step ``beside``
    the one before happens together with it; the two must not meddle with the same model. Scenarios write
    stories of single models one by one and put them together by :func:`side_by_side`.
    """

    id: str
    rule: str
    actions: tuple[Action, ...] = ()
    checks: tuple[Check, ...] = ()
    quiet: bool = False
    passing: bool = False
    beside: bool = False
    within: float | None = None

    @property
    def needs(self) -> frozenset[Capability]:
        """What the target must be able to do for this step."""
        return frozenset(action.needs for action in self.actions if action.needs is not None)


def side_by_side(*stories: Sequence[Step]) -> tuple[Step, ...]:
    """Stories that do not touch each other as one: all first steps together, then all second steps ..."""
    rounds = (filter(None, turn) for turn in itertools.zip_longest(*stories))
    return tuple(replace(step, beside=at > 0) for turn in rounds for at, step in enumerate(turn))


@dataclass(frozen=True, slots=True)
class Scenario:
    """Models, flags, steps and traffic.

    ``flags`` are TensorFlow Serving's own, by name without dashes; a value may name one of ``files``, which
    lie beside the repository, as ``$FILES/name``. ``before`` is done to the repository before the server
    starts. Where ``opens`` is False, the server is not expected to be ready before the steps see to it.
    Mistakes in a definition (an unknown model, an id given twice ...) raise ValueError when it is made.
    """

    id: str
    title: str
    models: tuple[Model, ...]
    steps: tuple[Step, ...]
    traffic: tuple[Traffic, ...] = ()
    flags: Mapping[str, str | int | bool] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Action, ...] = ()
    opens: bool = True

    def __post_init__(self) -> None:
        _unique(f"scenario {self.id}: model", [model.name for model in self.models])
        _unique(f"scenario {self.id}: step", [step.id for step in self.steps])
        for step in self.steps:
            _unique(f"scenario {self.id}, step {step.id}: check", [check.key for check in step.checks])
        for name in self._names():
            if name not in self.configured():
                raise ValueError(f"scenario {self.id}: no model is called {name!r}")

    def _names(self) -> Iterator[str]:
        yield from (traffic.request.model for traffic in self.traffic)
        for action in itertools.chain(self.before, *(step.actions for step in self.steps)):
            if hasattr(action, "model"):
                yield action.model
        for step in self.steps:
            for check in step.checks:
                if isinstance(check, RequestCheck) and not isinstance(check, Refuses):
                    yield check.request.model

    @property
    def needs(self) -> frozenset[Capability]:
        """What the target must be able to do to begin: a running server has its flags already."""
        start = {Capability.START} if self.flags or not self.opens else set()
        return frozenset(start | {action.needs for action in self.before if action.needs is not None})

    @property
    def setting(self) -> tuple[object, ...]:
        """All that a server is started with: scenarios where it is equal can share one."""
        return self.models, self.flags, self.files, self.before, self.opens

    def together(self, index: int) -> range:
        """Numbers of the steps that happen together with step number ``index``."""
        start, stop = index, index + 1
        while self.steps[start].beside:
            start -= 1
        while stop < len(self.steps) and self.steps[stop].beside:
            stop += 1
        return range(start, stop)

    @property
    def poll_seconds(self) -> int:
        """Seconds between two looks at the disk."""
        return int(self.flags.get("file_system_poll_wait_seconds", DEFAULT_POLL_SECONDS))

    def configured(self) -> dict[str, Model]:
        """Every model that the server is configured with at any time, by name."""
        models = {model.name: model for model in self.models}
        for step in self.steps:
            for action in step.actions:
                if hasattr(action, "models"):
                    models = {model.name: model for model in action.models} | models
        return models

    def contents(self, model: str, version: int, step: int) -> int:
        """The contents with which ``version`` answers after step number ``step``.

        A version is read when it is loaded and never again [3.8.1], so ``Replace`` does not count.
        """
        found = self.configured()[model].contents(version)
        for played in self.steps[: step + 1]:
            for action in played.actions:
                if isinstance(action, Publish) and (action.model, action.version) == (model, version):
                    default = self.configured()[model].contents(version)
                    found = default if action.contents is None else action.contents
        return found


def _unique(what: str, names: Sequence[str]) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{what} ids given twice: {', '.join(sorted(twice))}")
