"""The rules of the life cycle once more, as plainly as they can be put: sets and one dictionary a model.

Shares nothing with the implementation. It does not say which of several models is served first, only
which actions are right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

#: ("latest", how many), ("all",) or ("specific", version, ...).
Policy = tuple[object, ...]
#: ("load" or "unload", model, version).
Action = tuple[str, str, int]


@dataclass
class Version:
    """A version that the server deals with: new, loading, serving, failed or gone."""

    stage: str = "new"
    wanted: bool = True


@dataclass
class Rules:
    """What is on disk, what the config says, and what must have become of it."""

    disk: dict[str, set[int]] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    versions: dict[str, dict[int, Version]] = field(default_factory=dict)
    wishes: dict[str, set[int]] = field(default_factory=dict)
    shown: dict[tuple[str, int], str] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)

    def configure(self, policies: dict[str, Policy]) -> None:
        """Another list of models; what is not in it any more is not wanted any more."""
        for name in self.policies:
            if name not in policies:
                self.wishes[name] = set()
        self.policies = dict(policies)

    def poll(self, missing: str | None = None) -> None:
        """Look at all base paths; if that of a model is missing, nothing happens at all."""
        if missing in self.policies:
            return
        for name, policy in self.policies.items():
            there = sorted(self.disk[name])
            if policy[0] == "latest":
                count = policy[1]
                assert isinstance(count, int)
                there = there[-max(count, 1) :]
            elif policy[0] == "specific":
                there = [version for version in there if version in policy[1:]]
            self.wishes[name] = set(there)

    def begin_round(self) -> None:
        """Forget what is over and take over the wishes that can be."""
        for name, versions in self.versions.items():
            self.versions[name] = {
                number: version
                for number, version in versions.items()
                if version.wanted or version.stage in ("loading", "serving")
            }
        for name, wish in list(self.wishes.items()):
            versions = self.versions.setdefault(name, {})
            on_the_way_out = {number for number, version in versions.items() if not version.wanted}
            if wish & on_the_way_out:
                continue
            del self.wishes[name]
            for number, version in versions.items():
                version.wanted = version.wanted and number in wish
            for number in wish - set(versions):
                versions[number] = Version()
                self.shown[name, number] = "START"

    def right_actions(self) -> set[Action]:
        """The actions of which one must happen in this round; empty if none may."""
        unloads, loads = set(), set()
        for name, versions in self.versions.items():
            surplus = [n for n, v in versions.items() if v.stage == "serving" and not v.wanted]
            replaced = any(v.stage == "serving" and v.wanted for v in versions.values())
            aspired = any(v.wanted for v in versions.values())
            new = [n for n, v in versions.items() if v.stage == "new" and v.wanted]
            if surplus and (replaced or not aspired or len(surplus) >= 2):
                unloads.add(("unload", name, min(surplus)))
            elif new:
                loads.add(("load", name, max(new)))
        return unloads or loads

    def act(self, action: Action) -> None:
        """That action was taken."""
        kind, name, number = action
        if kind == "load":
            self.versions[name][number].stage = "loading"
            self.shown[name, number] = "LOADING"
        else:
            self.versions[name][number].stage = "gone"
            self.shown[name, number] = "END"

    def loaded(self, name: str, number: int, *, well: bool) -> None:
        """A load has come to its end."""
        version = self.versions[name][number]
        if not well:
            version.stage = "failed"
            self.shown[name, number] = "END DATA_LOSS"
        elif not version.wanted:
            version.stage = "gone"
            self.shown[name, number] = "END CANCELLED"
        else:
            version.stage = "serving"
            self.shown[name, number] = "AVAILABLE"

    def label(self, labels: dict[str, dict[str, int]], *, allow: bool) -> bool:
        """Whether these labels are accepted; then they are the labels."""
        for name, versions in labels.items():
            for label, number in versions.items():
                if self.shown.get((name, number)) == "AVAILABLE":
                    continue
                if not allow or self.labels.get(name, {}).get(label, number) != number:
                    return False
        self.labels = labels
        return True

    def serving(self, name: str) -> Iterable[int]:
        """The versions that answer."""
        return [n for n, v in self.versions.get(name, {}).items() if v.stage == "serving"]
