"""What is done to a repository, a server and its configuration, as deployments do it: carefully or not.

``entry`` is a path below the model's base path; only names that are numbers are versions [3.1.1].
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from harness.terms import Capability, Files, Model, Request


class Action:
    """Something that is done to the repository, the server or its configuration.

    ``needs`` is what the target must be able to do for it.
    """

    __slots__ = ()
    needs: ClassVar[Capability | None] = None


@dataclass(frozen=True, slots=True)
class Publish(Action):
    """A version folder appears, complete from the first moment; ``files`` differ from the export."""

    model: str
    version: int
    contents: int | None = None
    files: Files = field(default_factory=dict)
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        other = "" if self.contents is None else f" (contents {self.contents})"
        changed = f" with another {', '.join(sorted(self.files))}" if self.files else ""
        return f"publish {self.model}/{self.version}{other}{changed}"


@dataclass(frozen=True, slots=True)
class Withdraw(Action):
    """A version folder disappears at once."""

    model: str
    version: int
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"withdraw {self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class Replace(Action):
    """The files of a version folder are exchanged at once; its number stays."""

    model: str
    version: int
    contents: int
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"replace the files of {self.model}/{self.version} by contents {self.contents}"


@dataclass(frozen=True, slots=True)
class Rename(Action):
    """An entry of the base path gets another name; only names that are numbers are versions [3.1.1]."""

    model: str
    source: str
    target: str
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"rename {self.model}/{self.source} to {self.model}/{self.target}"


@dataclass(frozen=True, slots=True)
class Reload(Action):
    """A new configuration is sent: the complete list, not a difference [2.5].

    A model that was not configured before must already lie in the repository (``Publish`` it). ``text`` is
    sent instead of what ``models`` make; ``$MODELS`` in it is the repository as the server sees it.

    Without ``id`` the server must accept it. One with an ``id`` runs in the background, its client gives up
    after ``deadline`` seconds, and checks tell what becomes of it (:class:`harness.checks.Returned`).
    """

    models: tuple[Model, ...]
    _: KW_ONLY
    text: str | None = None
    id: str = ""
    deadline: float = 60.0
    needs: ClassVar = Capability.RELOAD

    def __str__(self) -> str:
        names = ", ".join(model.name for model in self.models) or "no model"
        return f"reload a configuration of {names}" + (f" ({self.id})" if self.id else "")


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
class Bring(Action):
    """A base path of somebody's own is copied, with all its version folders and whatever else is there.

    ``source`` is that base path, or one SavedModel, which becomes version 1.
    """

    model: str
    source: str
    needs: ClassVar = Capability.REPOSITORY

    def __str__(self) -> str:
        return f"bring {self.source} as {self.model}"


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
