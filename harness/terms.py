"""The words that scenarios are made of: models, versions and policies, requests, states, codes.

Three numbers are kept apart. The *version* is the number of a folder, which is all that the server
sees. Its *contents* is the number that the model inside was built from: every answer tells it (see
:mod:`harness.models`). Both are the same unless a scenario says otherwise, which is how "the same
number again with other contents" and "two models of one kind" become visible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import numpy as np

#: A tensor as clients handle it; strings are object arrays of ``bytes``.
Array = np.ndarray[Any, np.dtype[Any]]
#: Tensors by alias.
Tensors = Mapping[str, Array]


class TensorSpec(NamedTuple):
    """Dtype (TensorFlow's name, ``DT_FLOAT``) and shape of an input or output.

    In ``shape`` -1 means any size; None is a tensor of any rank.
    """

    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Cut:
    """A file of the export, cut to its first ``size`` bytes."""

    size: int


#: How a version folder differs from what its builder exports, by path within it: these bytes, a file
#: cut short, or (None) nothing at all where there was a file or folder.
Files = Mapping[str, bytes | Cut | None]

#: Seconds between two looks at the disk where the flags do not say otherwise [1.2].
DEFAULT_POLL_SECONDS = 1


class Protocol(StrEnum):
    """How a client talks to the server."""

    REST = "rest"
    GRPC = "grpc"


class Level(StrEnum):
    """How binding a rule is."""

    MUST = "MUST"  # documented, or every client leans on it
    SHOULD = "SHOULD"  # documented, clients seldom notice
    QUIRK = "QUIRK"  # undocumented but observable, and some clients lean on it
    EXT = "EXT"  # offered by our own server only; never counts for conformance
    UNVERIFIED = "UNVERIFIED"  # derived from the source, never seen on a real server


class Capability(StrEnum):
    """What a target may offer to a scenario. The value completes "the target cannot ..."."""

    START = "start a server with chosen models and flags"
    REPOSITORY = "edit the model repository"
    RELOAD = "reload the configuration over gRPC"
    LAUNCH = "start a server with any command line"
    CONFIGURE = "edit the server's configuration file"
    LOG = "read the server's log"
    WATCH = "be watched while something happens"
    CONNECT = "be connected to by clients that are not the harness's own"
    LOAD = "take load: the generator speaks neither TLS nor headers of its own"


class State(IntEnum):
    """States of a version, numbered as on the wire [3.5.4]."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class Code(IntEnum):
    """Canonical status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Call(StrEnum):
    """What a request asks for."""

    PREDICT = "predict"
    STATUS = "status"
    METADATA = "metadata"


# --------------------------------------------------------------------------- models


@dataclass(frozen=True, slots=True)
class Latest:
    """Serve the ``count`` highest versions [2.4.1]."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class All:
    """Serve every version [2.4.1]."""


@dataclass(frozen=True, slots=True)
class Specific:
    """Serve exactly these versions, as far as they are on disk [2.4.2]."""

    versions: tuple[int, ...]


Policy = Latest | All | Specific


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the server's configuration, and what lies in its base path at the start.

    ``name`` is the configured name, ``folder`` the base path below the repository (the name where
    left out), ``builder`` one of :data:`harness.models.BUILDERS`. Version ``v`` holds contents
    ``v + offset``, so that two models of one kind can be told apart. Without ``policy`` the
    configuration names none, and the highest version is served. ``files`` is how each version folder
    differs from the export at the start.
    """

    name: str
    builder: str
    _: KW_ONLY
    versions: tuple[int, ...] = (1,)
    policy: Policy | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    folder: str = ""
    offset: int = 0
    files: Files = field(default_factory=dict)

    @property
    def base_folder(self) -> str:
        """The base path, relative to the repository."""
        return self.folder or self.name

    def contents(self, version: int) -> int:
        """The contents that ``version`` holds at the start."""
        return version + self.offset

    def served(self) -> tuple[int, ...]:
        """The versions that are served at the start, highest first [2.4.1]."""
        highest_first = sorted(self.versions, reverse=True)
        match self.policy:
            case All():
                return tuple(highest_first)
            case Specific(versions):
                return tuple(version for version in highest_first if version in versions)
            case Latest(count):
                return tuple(highest_first[: max(count, 1)])
            case None:
                return tuple(highest_first[:1])


@dataclass(frozen=True, slots=True)
class Request:
    """A request that either protocol can carry.

    ``version`` or ``label`` pin it, never both. Without ``inputs`` the model's builder gives them,
    different ones from request to request.
    """

    model: str
    _: KW_ONLY
    version: int | None = None
    label: str | None = None
    signature: str | None = None
    inputs: Tensors | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise ValueError(f"request to {self.model}: a version or a label, not both")

    @property
    def key(self) -> str:
        """Short form for ids: ``m``, ``m@2``, ``m@stable``, ``m@2:signature``."""
        pin = self.label if self.version is None else self.version
        return (
            self.model + ("" if pin is None else f"@{pin}") + (f":{self.signature}" if self.signature else "")
        )

    def __str__(self) -> str:
        words = f"model {self.model}"
        if self.version is not None:
            words += f" version {self.version}"
        if self.label is not None:
            words += f" label {self.label!r}"
        return words + (f" signature {self.signature!r}" if self.signature else "")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests that run all the time while the load generator plays the scenario."""

    request: Request
    weight: float = 1.0
