"""Servers that are wrong on purpose, one mistake each. The suite must notice every one of them."""

from __future__ import annotations

import time
from pathlib import Path

from harness.terms import State, Tensors
from harness.wire import messages as wire
from tests.miniatures.core import Miniature, Refused, Servable


class Right(Miniature):
    """No mistake: the scenarios pass."""

    #: gRPC errors are sent as errors.
    grpc_errors = True

    def http_status(self, status: int) -> int:
        """The HTTP status that is sent for an error."""
        return status

    def told_version(self, servable: Servable) -> int:
        """The version number in replies."""
        return servable.version


class AnswersFromLatest(Right):
    """A pinned version is looked up, then the latest answers."""

    def run(self, servable: Servable, inputs: Tensors, signature: str) -> Tensors:
        latest = self.serving[servable.model]
        return super().run(latest[max(latest)] if latest else servable, inputs, signature)


class TellsWrongVersion(Right):
    """The right numbers under a wrong version number."""

    def told_version(self, servable: Servable) -> int:
        return servable.version + 1


class OkForErrors(Right):
    """An error is sent as a success."""

    grpc_errors = False

    def http_status(self, status: int) -> int:
        return 200


class ServerErrorForAll(Right):
    """REST says 500 whatever went wrong."""

    def http_status(self, status: int) -> int:
        return 500


class NeverUnloads(Right):
    """A version that is no longer wanted goes on."""

    def unload(self, servable: Servable) -> None:
        pass


class NoHotPlug(Right):
    """Only what was there at the start is ever served."""

    def __init__(self, config: wire.ModelServerConfig) -> None:
        self.first: dict[str, dict[int, Path]] = {}
        super().__init__(config)

    def change(self, name: str, aspired: dict[int, Path]) -> None:
        super().change(name, self.first.setdefault(name, aspired))


class MixesModels(Right):
    """Requests to model2 are answered by model1."""

    def run(self, servable: Servable, inputs: Tensors, signature: str) -> Tensors:
        if servable.model == "model2":
            servable = self.find("model1", None, None)
        return super().run(servable, inputs, signature)


class ShowsAvailable(Right):
    """The status says AVAILABLE for whatever was loaded once."""

    def status(self, name: str, version: int | None) -> list[tuple[int, State]]:
        return [(number, State.AVAILABLE) for number, _ in super().status(name, version)]


class ForgetsEnd(Right):
    """Versions that have ended leave the status."""

    def status(self, name: str, version: int | None) -> list[tuple[int, State]]:
        return [entry for entry in super().status(name, version) if entry[1] is not State.END]


class LowestFirst(Right):
    """The status lists versions upwards."""

    def status(self, name: str, version: int | None) -> list[tuple[int, State]]:
        return super().status(name, version)[::-1]


class LeavesGap(Right):
    """The old version is unloaded before the new one is loaded."""

    def change(self, name: str, aspired: dict[int, Path]) -> None:
        for version in self.serving[name].keys() - aspired.keys():
            self.unload(self.serving[name][version])
            self.lock.release()
            time.sleep(0.3)
            self.lock.acquire()
        super().change(name, aspired)


class DropsRunning(Right):
    """Requests that run when their version is removed fail."""

    def unload(self, servable: Servable) -> None:
        servable.dropped.set()
        super().unload(servable)


class EndsEarly(Right):
    """END is told while requests still run."""

    def unload(self, servable: Servable) -> None:
        super().unload(servable)
        self.states[servable.model][servable.version] = State.END


class NoticesFiles(Right):
    """A version is read again when its files change."""

    def run(self, servable: Servable, inputs: Tensors, signature: str) -> Tensors:
        if servable.path.exists():
            super().load(servable.model, servable.version, servable.path)
            servable = self.serving[servable.model].get(servable.version, servable)
        return super().run(servable, inputs, signature)


class LabelsStay(Right):
    """A label keeps the version it was given first."""

    def set_labels(self, labels: dict[str, dict[str, int]]) -> None:
        super().set_labels({name: {**new, **self.labels.get(name, {})} for name, new in labels.items()})


class ReloadAdds(Right):
    """A reload adds models and drops none."""

    def reload(self, config: wire.ModelServerConfig) -> None:
        names = {model.name for model in config.model_config_list.config}
        config.model_config_list.config.extend(
            model for model in self.config.config if model.name not in names
        )
        super().reload(config)


class OtherText(Right):
    """Errors are worded differently."""

    def find(self, name: str, version: int | None, label: str | None) -> Servable:
        try:
            return super().find(name, version, label)
        except Refused as error:
            raise Refused(error.code, error.text.lower()) from None


FAULTS: dict[str, type[Right]] = {fault.__name__: fault for fault in (Right, *Right.__subclasses__())}
