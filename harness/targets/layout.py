"""The temporary folder of a server that is started here: its models, and the files beside them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import model_config
from harness.actions import Action
from harness.repository import Repository
from harness.scenario import Scenario
from harness.terms import Model

_PREFIX = "tfserving-harness-"
_CONFIG = "models.config"


class Layout:
    """``models``, laid out and with ``before`` done to them, and a folder for files beside.

    ``words`` maps the words of :mod:`harness.startup` to what they stand for; whoever starts the server adds
    the ports, and says where the server sees the two folders if that is not where they are.
    """

    def __init__(
        self,
        configured: dict[str, Model],
        models: Sequence[Model],
        before: Sequence[Action] = (),
        *,
        seen: tuple[str, str] | None = None,
    ) -> None:
        sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self.folder.chmod(0o755)  # a server may run as somebody else
        self.root, self.beside = self.folder / "models", self.folder / "files"
        self.root.mkdir()
        self.beside.mkdir()
        models_seen, files_seen = seen or (str(self.root), str(self.beside))
        self.words: dict[str, object] = {"$MODELS": models_seen, "$FILES": files_seen}
        self.models_root = models_seen
        self.repository = Repository(self.root, configured)
        try:
            for model in models:
                self.repository.base(model.name).mkdir(parents=True, exist_ok=True)
                self.repository.lay_out(model)
            for action in before:
                self.repository.apply(action)
        except BaseException:
            self.delete()
            raise

    def fill(self, text: str) -> str:
        """``text`` with the words replaced."""
        for word, value in self.words.items():
            text = text.replace(word, str(value))
        return text

    def here(self, text: str) -> str:
        """``text`` with the words for folders replaced by where they are here."""
        return text.replace("$MODELS", str(self.root)).replace("$FILES", str(self.beside))

    def write(self, files: Mapping[str, str]) -> None:
        """Put files beside, with the words in them replaced."""
        for name, text in files.items():
            (self.beside / name).write_text(self.fill(text))

    def configure(self, text: str | None) -> None:
        """Put another text into the configuration file at once, or remove the file."""
        place = self.beside / _CONFIG
        if text is None:
            place.unlink()
            return
        new = place.with_suffix(".new")
        new.write_text(self.fill(text))
        new.rename(place)

    def delete(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def arguments(scenario: Scenario) -> list[str]:
    """The command line that a scenario asks for, with words for ports and folders."""
    flags: dict[str, str | int | bool] = {
        "port": "$GRPC",
        "rest_api_port": "$REST",
        "model_config_file": f"$FILES/{_CONFIG}",
    }
    flags |= {"file_system_poll_wait_seconds": scenario.poll_seconds, **scenario.flags}
    return [f"--{name}={_flag(value)}" for name, value in flags.items()]


def files(scenario: Scenario) -> dict[str, str]:
    """The files that this command line needs, with words for folders."""
    return {_CONFIG: model_config.text(scenario.models, "$MODELS"), **scenario.files}


def sweep() -> None:
    """Delete folders of runners that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _flag(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
