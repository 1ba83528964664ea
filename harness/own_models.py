"""Models of the user's own: ``--own-model NAME=FOLDER``, or ``NAME`` alone for what a server serves already.

A test that takes ``any_model`` runs once for each of them; where none is named, once for each model of its
module's scenario. It is given the model's name and knows nothing of the model but what metadata say.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.actions import Bring
from harness.repository import SAVED_MODEL
from harness.scenario import Scenario, Step
from harness.targets import Target, UsageError
from harness.terms import Capability, Model

_CHOSEN = pytest.StashKey["OwnModels | None"]()


class OwnModels(NamedTuple):
    """The names, and the scenario in which they are served."""

    names: tuple[str, ...]
    scenario: Scenario


def parse(given: Sequence[str], target: Target) -> OwnModels | None:
    """What the options say; None where there are none. Raises UsageError."""
    if not given:
        return None
    pairs = [text.partition("=") for text in given]
    names = [name for name, _, _ in pairs]
    takes = Capability.REPOSITORY in target.capabilities
    for name, separator, folder in pairs:
        option = f"--own-model {name}{separator}{folder}"
        if not name or names.count(name) > 1:
            raise UsageError(f"{option}: every model needs a name of its own")
        if takes and not folder:
            raise UsageError(f"{option}: where does it lie? Write --own-model {name}=FOLDER")
        if folder and not takes:
            raise UsageError(f"{option}: target {target.spec} has its models already; leave out the folder")
        if folder:
            _expect_versions(option, Path(folder))
    brought = [(name, str(Path(folder).absolute())) for name, _, folder in pairs if folder]
    return OwnModels(
        tuple(names),
        Scenario(
            id="any_model",
            title="What holds for any model",
            # What they hold is the user's affair: there is no builder, and no version that is known.
            models=tuple(Model(name, "", versions=()) for name, _ in brought),
            before=tuple(Bring(name, folder) for name, folder in brought),
            steps=(Step("start", "Every model is served."),),
        ),
    )


def _expect_versions(option: str, folder: Path) -> None:
    """Raise UsageError where a server would wait for ever for a version to appear [3.3.2]."""
    if not folder.is_dir():
        raise UsageError(f"{option}: there is no such folder")
    if not (folder / SAVED_MODEL).exists() and not any(entry.name.isdigit() for entry in folder.iterdir()):
        there = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) or "nothing"
        raise UsageError(
            f"{option}: neither {SAVED_MODEL} nor a folder named by a version number is in it, but {there}"
        )


def register(config: pytest.Config, chosen: OwnModels | None) -> None:
    """Let tests be made for the models that the user named."""
    config.stash[_CHOSEN] = chosen


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each model."""
    mark = metafunc.definition.get_closest_marker("scenario")
    if "any_model" not in metafunc.fixturenames or mark is None:
        return
    chosen = metafunc.config.stash[_CHOSEN]
    names = [model.name for model in mark.args[0].models] if chosen is None else chosen.names
    metafunc.parametrize("any_model", names)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Put the scenario of the user's models in the place of the module's."""
    chosen = item.config.stash[_CHOSEN]
    if chosen is not None and "any_model" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.scenario(chosen.scenario), append=False)
