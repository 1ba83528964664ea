"""A model server in miniature, right as far as the scenarios look: its models are the numpy oracles.

Faulty servers override one method each, see ``faults``.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness import models
from harness.models.cache import ORIGIN
from harness.terms import Code, State, Tensors
from harness.wire import messages as wire

#: Seconds between two looks at the disk, whatever the flag says: tests wait less.
POLL = 0.1


class Refused(Exception):  # noqa: N818 - an answer
    """An error to be sent: code and text."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


@dataclass
class Servable:
    """One loaded version."""

    model: str
    version: int
    path: Path
    builder: models.Builder
    contents: int
    running: int = 0
    dropped: threading.Event = field(default_factory=threading.Event)


class Miniature:
    """Loads what the disk and the configuration ask for, and answers."""

    def __init__(self, config: wire.ModelServerConfig) -> None:
        self.lock = threading.RLock()
        self.config = config.model_config_list
        self.labels: dict[str, dict[str, int]] = {}
        self.serving: dict[str, dict[int, Servable]] = defaultdict(dict)
        self.states: dict[str, dict[int, State]] = defaultdict(dict)
        while not all(self.serving[model.name] for model in self.config.config):
            self.poll()
        threading.Thread(target=self._poll_always, daemon=True).start()

    # ------------------------------------------------------------------ life cycle

    def reload(self, config: wire.ModelServerConfig) -> None:
        """Put another configuration in force; return when its new models answer."""
        with self.lock:
            for model in config.model_config_list.config:
                for version in model.version_labels.values():
                    if self.states[model.name].get(version) is not State.AVAILABLE:
                        raise Refused(
                            Code.FAILED_PRECONDITION,
                            f"Request to assign label to version {version} of model {model.name}, "
                            "which is not currently available for inference",
                        )
            self.set_labels(
                {model.name: dict(model.version_labels) for model in config.model_config_list.config}
            )
            self.config = config.model_config_list
            self.poll()

    def set_labels(self, labels: dict[str, dict[str, int]]) -> None:
        self.labels = labels

    def poll(self) -> None:
        """Look at the disk, then load and unload."""
        with self.lock:
            configured = {model.name: self.aspired(model) for model in self.config.config}
            for name in configured.keys() | self.serving.keys():
                aspired = configured.get(name, {})
                self.change(name, aspired)

    def change(self, name: str, aspired: dict[int, Path]) -> None:
        """Load first, then unload, so that there is no gap."""
        for version in aspired.keys() - self.serving[name].keys():
            self.load(name, version, aspired[version])
        for version in self.serving[name].keys() - aspired.keys():
            self.unload(self.serving[name][version])

    def aspired(self, model: wire.ModelConfig) -> dict[int, Path]:
        """The folders of the versions that should be served."""
        found = {int(path.name): path for path in Path(model.base_path).iterdir() if path.name.isdigit()}
        policy = model.model_version_policy
        if policy.HasField("all"):
            return found
        if policy.HasField("specific"):
            return {version: found[version] for version in policy.specific.versions if version in found}
        highest = sorted(found)[-max(policy.latest.num_versions, 1) :]
        return {version: found[version] for version in highest}

    def load(self, name: str, version: int, path: Path) -> None:
        try:
            origin = json.loads((path / ORIGIN).read_text())
        except FileNotFoundError:
            return  # it went away since the poll
        self.serving[name][version] = Servable(
            name, version, path, models.BUILDERS[origin["builder"]], origin["contents"]
        )
        self.states[name][version] = State.AVAILABLE

    def unload(self, servable: Servable) -> None:
        """Take a version out of service; it ends when its last request is answered."""
        del self.serving[servable.model][servable.version]
        self.states[servable.model][servable.version] = State.UNLOADING
        self.end_if_idle(servable)

    def end_if_idle(self, servable: Servable) -> None:
        state = self.states[servable.model].get(servable.version)
        if servable.running == 0 and state is State.UNLOADING:
            self.states[servable.model][servable.version] = State.END

    def _poll_always(self) -> None:
        while True:
            time.sleep(POLL)
            self.poll()

    # ------------------------------------------------------------------ requests

    def find(self, name: str, version: int | None, label: str | None) -> Servable:
        """The version that answers."""
        if label is not None:
            if label not in self.labels.get(name, {}):
                raise Refused(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
            version = self.labels[name][label]
        loaded = self.serving.get(name, {})
        if version is None and loaded:
            return loaded[max(loaded)]
        if version is None or version not in loaded:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused(Code.NOT_FOUND, f"Servable not found for request: {wanted}")
        return loaded[version]

    @contextmanager
    def lease(self, name: str, version: int | None, label: str | None) -> Iterator[Servable]:
        """The version that answers, kept until the answer is made."""
        with self.lock:
            servable = self.find(name, version, label)
            servable.running += 1
        try:
            yield servable
        finally:
            with self.lock:
                servable.running -= 1
                self.end_if_idle(servable)

    def run(self, servable: Servable, inputs: Tensors, signature: str) -> Tensors:
        """Compute."""
        if servable.builder.name == "slow" and servable.dropped.wait(float(inputs["ms"].max()) / 1000):
            raise Refused(Code.CANCELLED, "dropped")
        return servable.builder.signature(signature).expected(servable.contents, inputs)

    def status(self, name: str, version: int | None) -> list[tuple[int, State]]:
        """Versions and states, highest first."""
        with self.lock:
            states = dict(self.states.get(name, {}))
        if version is not None:
            states = {number: state for number, state in states.items() if number == version}
        if not states:
            what = "any versions" if version is None else f"version {version}"
            raise Refused(Code.NOT_FOUND, f"Could not find {what} of model {name}")
        return sorted(states.items(), reverse=True)
