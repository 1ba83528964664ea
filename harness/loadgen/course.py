"""The course of a scenario: what is configured, on disk and served after each of its steps.

The load generator needs to know beforehand which versions may answer a request, and which requests a step
leaves without anyone to answer them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from harness.actions import Action, Publish, Reload, Rename, Replace, Withdraw
from harness.scenario import Scenario
from harness.terms import Model, Request


class Situation(NamedTuple):
    """Models by name, and the contents of each version that is served, by model name."""

    configured: Mapping[str, Model]
    served: Mapping[str, Mapping[int, int]]

    def answering(self, request: Request) -> Mapping[int, int]:
        """Contents by version of whoever may answer ``request``; empty if nobody does."""
        served = self.served.get(request.model, {})
        if request.label is not None:
            version = self.configured[request.model].labels.get(request.label) if served else None
        elif request.version is None:
            version = max(served, default=None)
        else:
            version = request.version
        return {} if version is None or version not in served else {version: served[version]}


class Course:
    """Situations of a scenario: number 0 at the start, number ``k + 1`` when step ``k`` has taken effect."""

    def __init__(self, scenario: Scenario) -> None:
        self._all = scenario.configured()
        self._disk: dict[str, dict[str, int]] = {}
        for model in scenario.models:
            for version in model.versions:
                self._entries(model.name)[str(version)] = model.contents(version)
        configured = {model.name: model for model in scenario.models}
        self.situations = [self._situation(configured, {})]
        for step in scenario.steps:
            for action in step.actions:
                configured = self._apply(action, configured)
            self.situations.append(self._situation(configured, self.situations[-1].served))

    def answering(self, request: Request) -> dict[int, list[int]]:
        """Every version that may answer ``request`` at some time, with all contents it may have then."""
        found: dict[int, list[int]] = {}
        for situation in self.situations:
            for version, contents in situation.answering(request).items():
                if contents not in found.setdefault(version, []):
                    found[version].append(contents)
        return found

    def _entries(self, model: str) -> dict[str, int]:
        """Contents by name of folder, in a model's base path."""
        return self._disk.setdefault(self._all[model].base_folder, {})

    def _apply(self, action: Action, configured: dict[str, Model]) -> dict[str, Model]:
        match action:
            case Publish(name, version, contents, files):
                if files:  # damaged on purpose: nobody may count on it
                    return configured
                default = self._all[name].contents(version)
                self._entries(name)[str(version)] = default if contents is None else contents
            case Replace(name, version, contents):
                self._entries(name)[str(version)] = contents
            case Withdraw(name, version):
                self._entries(name).pop(str(version), None)
            case Rename(name, source, target):
                entries = self._entries(name)
                entries[target] = entries.pop(source)
            case Reload(models):
                return {model.name: model for model in models}
        return configured

    def _situation(self, configured: dict[str, Model], before: Mapping[str, Mapping[int, int]]) -> Situation:
        served = {}
        for name, model in configured.items():
            found = {
                int(entry): contents for entry, contents in self._entries(name).items() if entry.isdigit()
            }
            # What is loaded stays as it was read, whatever happens to its files [3.8.1].
            chosen = {version: found[version] for version in replace(model, versions=tuple(found)).served()}
            served[name] = chosen | {v: c for v, c in before.get(name, {}).items() if v in chosen}
        return Situation(configured, served)
