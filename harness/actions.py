"""More of the vocabulary: what deployments do that are not as careful as :class:`harness.scenario.Publish`.

``entry`` is a path below the model's base path; only names that are numbers are versions [3.1.1].
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from harness.scenario import Action, Capability, Files, Model, Request


@dataclass(frozen=True, slots=True)
class Put(Action):
    """A complete SavedModel appears under any name, with ``files`` that differ from the export."""

    model: str
    entry: str
    contents: int
    files: Files = field(default_factory=dict)
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"put contents {self.contents} at {self.model}/{self.entry}"


@dataclass(frozen=True, slots=True)
class Remove(Action):
    """An entry disappears at once; without ``entry`` the base path itself does."""

    model: str
    entry: str = ""
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"remove {self.model}/{self.entry}"


@dataclass(frozen=True, slots=True)
class Write(Action):
    """A plain file gets these bytes."""

    model: str
    entry: str
    content: bytes
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"write {len(self.content)} bytes to {self.model}/{self.entry}"


@dataclass(frozen=True, slots=True)
class Copy(Action):
    """Files and folders of a SavedModel are copied straight into the version's folder, in this order.

    What else the SavedModel has is not copied; ``files`` says which of the copies differ from the export.
    """

    model: str
    version: int
    paths: tuple[str, ...]
    _: KW_ONLY
    contents: int | None = None
    files: Files = field(default_factory=dict)
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"copy {', '.join(self.paths)} into {self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class Link(Action):
    """A symbolic link to another entry appears, or is turned from one target to another, at once."""

    model: str
    entry: str
    target: str
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"link {self.model}/{self.entry} to {self.target}"


@dataclass(frozen=True, slots=True)
class Touch(Action):
    """An entry and all that is in it get a time of modification ``seconds`` from now; negative is ago."""

    model: str
    entry: str
    seconds: float
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"set the times of {self.model}/{self.entry} to {self.seconds:+g} s"


@dataclass(frozen=True, slots=True)
class Configure(Action):
    """The configuration file gets another text at once: what ``models`` make, or ``text`` instead.

    ``$MODELS`` in the text is the repository as the server sees it. With ``gone`` there is no file any more.
    """

    models: tuple[Model, ...]
    _: KW_ONLY
    text: str | None = None
    gone: bool = False
    needs: ClassVar = Capability.CONFIGURE

    def __str__(self) -> str:
        names = ", ".join(model.name for model in self.models) or "no model"
        return "remove the configuration file" if self.gone else f"write a configuration of {names}"


@dataclass(frozen=True, slots=True)
class Send(Action):
    """A request to version ``by`` starts and runs on while the following steps happen.

    It goes over gRPC where the server speaks it. Its client gives up after ``deadline`` seconds.
    :class:`harness.checks.Answered` tells how it ends.
    """

    id: str
    request: Request
    by: int
    deadline: float = 60.0
    needs: ClassVar = Capability.WATCH

    def __str__(self) -> str:
        return f"send a request to {self.request} that takes a while ({self.id})"
