"""Version policies: which of the names in a model's folder are versions, and which of them are wanted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from harness.wire import messages as wire

# The white space is ASCII only; int() alone would take more, and underscores too.
_VERSION = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*\Z")
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Latest:
    """The ``count`` highest versions; 0 means 1 [2.4.1]."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class All:
    """Every version that is there."""


@dataclass(frozen=True, slots=True)
class Specific:
    """Those of ``versions`` that are there, in the order asked for."""

    versions: tuple[int, ...]


VersionPolicy = Latest | All | Specific


def version_policy(config: wire.FileSystemStoragePathSourceConfig.ServableVersionPolicy) -> VersionPolicy:
    """The policy that a model config asks for; without a choice it is ``Latest``."""
    match config.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(tuple(config.specific.versions))
        case _:
            return Latest(config.latest.num_versions)


class Candidate(NamedTuple):
    """A version to serve and the name of its folder."""

    version: int
    folder: str


class Choice(NamedTuple):
    """What a policy chooses; ``warnings`` are log lines, and ``found`` is false if no version suits."""

    candidates: tuple[Candidate, ...]
    warnings: tuple[str, ...]
    found: bool


def parse_version(folder: str) -> int | None:
    """The version that a folder name stands for, or None [3.1.1].

    Blanks around it, a sign and leading zeros are allowed; anything else, and what does not fit into
    64 bits, is no version.
    """
    match = _VERSION.match(folder)
    if match is None:
        return None
    version = int(match[1])
    return version if version in _INT64 else None


def canonical_folders(policy: Specific) -> list[str]:
    """The folder names that need no look at the others: if all are there, they are what is served."""
    return [str(version) for version in policy.versions]


def choose(model: str, policy: VersionPolicy, names: Collection[str]) -> Choice:
    """What ``policy`` wants of the children ``names`` of the base path of ``model`` [2.4].

    Folders of one number: the last one in byte order is served under ``Latest``, the canonical one
    under ``Specific``; under ``All`` each is a candidate, of which the first will be taken [2.4.3].
    """
    if isinstance(policy, Specific):
        if not policy.versions:
            return Choice((), (f"No specific versions requested for servable {model}.",), found=True)
        folders = canonical_folders(policy)
        if all(folder in names for folder in folders):
            return Choice(tuple(map(Candidate, policy.versions, folders)), (), found=True)

    versions = [
        Candidate(version, name) for name in sorted(names) if (version := parse_version(name)) is not None
    ]
    folder_of, warnings = _index(versions)
    match policy:
        case Latest(count):
            newest = sorted(folder_of.items(), reverse=True)[: max(count, 1)]
            chosen = tuple(Candidate(version, folder) for version, folder in newest)
        case All():
            chosen = tuple(versions)
        case Specific(wanted):
            chosen = tuple(Candidate(v, folder_of[v]) for v in sorted(set(wanted)) if v in folder_of)
            warnings += [
                f"Version {version} of servable {model}, which was requested to be served as a 'specific' "
                "version in the servable's version policy, was not found in the file system"
                for version in dict.fromkeys(wanted)
                if version not in folder_of
            ]
    return Choice(chosen, tuple(warnings), found=bool(chosen))


def _index(versions: Iterable[Candidate]) -> tuple[dict[int, str], list[str]]:
    folder_of: dict[int, str] = {}
    warnings = []
    for version, folder in versions:
        if version in folder_of:
            warnings.append(
                f"Duplicate version directories detected. Version {version} will be loaded from {folder}, "
                f"{folder_of[version]} will be ignored."
            )
        folder_of[version] = folder
    return folder_of, warnings
