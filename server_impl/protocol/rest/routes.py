"""Which request a method and a target mean [4.1, 4.2]."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from server_impl.inference.model_spec import ModelSpec
from server_impl.protocol.http.target import split

_API = re.compile(rb"/v1/.*", re.IGNORECASE)
_MODEL = rb"/v1/models(?:/([^/:]+))%s(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_INFERENCE = re.compile(_MODEL % b"" + rb":(classify|regress|predict)", re.IGNORECASE)
_DOCUMENT = re.compile(_MODEL % b"?" + rb"(?:/(metadata))?", re.IGNORECASE)
_INT64_MAX = 2**63 - 1
_CACHED_TARGET_BYTES = 512


class Action(Enum):
    """What is to be done with a request."""

    #: libevent's page: the target holds characters that no URI may hold [4.8.1].
    REFUSE = auto()
    #: libevent's page: the path is none of ours [4.8.2].
    MISS = auto()
    #: OPTIONS on any API path [4.2.2].
    PREFLIGHT = auto()
    #: An API path that fits no request of this method [4.1.7].
    MALFORMED = auto()
    #: The version does not fit an int64; answered 400 with an empty body [4.1.7].
    VERSION_TOO_LARGE = auto()
    #: A status or metadata request without a model [4.1.7].
    MODEL_MISSING = auto()
    STATUS = auto()
    METADATA = auto()
    CLASSIFY = auto()
    REGRESS = auto()
    PREDICT = auto()


class Route(NamedTuple):
    """A request that was understood: ``path`` and ``resource`` as in ``target.Target``.

    ``api`` is the verb of an inference request as it was written, else empty. ``spec`` has an empty name
    where none was recognised. Names may hold bytes that are not UTF-8 as surrogate escapes.
    """

    action: Action
    path: bytes
    resource: bytes
    spec: ModelSpec = ModelSpec("")
    api: str = ""


def route(method: bytes, target: bytes) -> Route:
    """What ``method`` on ``target`` asks for. Never raises."""
    # The same few targets come again and again: a look-up instead of matching.
    return _route_cached(method, target) if len(target) <= _CACHED_TARGET_BYTES else _route(method, target)


def _route(method: bytes, target: bytes) -> Route:
    parts = split(target)
    if parts is None or not parts.conformant:
        return Route(Action.REFUSE, b"", b"")
    path, resource = parts.path, parts.resource
    if not _API.fullmatch(resource):
        return Route(Action.MISS, path, resource)
    if method == b"OPTIONS":
        return Route(Action.PREFLIGHT, path, resource)
    pattern = {b"POST": _INFERENCE, b"GET": _DOCUMENT}.get(method)
    match = pattern.fullmatch(resource) if pattern else None
    if match is None:
        return Route(Action.MALFORMED, path, resource)
    name, version, label, word = (match[i] for i in (1, 2, 3, 4))
    api = word.decode("ascii") if method == b"POST" else ""
    spec = ModelSpec(_decoded(name or b""), _number(version), None if label is None else _decoded(label))
    if spec.version is not None and spec.version > _INT64_MAX:
        return Route(Action.VERSION_TOO_LARGE, path, resource, spec, api)
    if method == b"GET" and not spec.name:
        return Route(Action.MODEL_MISSING, path, resource)
    # The pattern ignores case, the choice between its words does not [4.1.6].
    otherwise = Action.MALFORMED if method == b"POST" else Action.STATUS
    return Route(_WORDS.get(word, otherwise), path, resource, spec, api)


_route_cached = lru_cache(maxsize=1024)(_route)

_WORDS = {
    b"classify": Action.CLASSIFY,
    b"regress": Action.REGRESS,
    b"predict": Action.PREDICT,
    b"metadata": Action.METADATA,
}


def _decoded(text: bytes) -> str:
    """Percent escapes undone; ``+`` is no blank [4.1.5]."""
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _number(digits: bytes | None) -> int | None:
    """The value of a run of digits; of one that is far too long just some number beyond an int64."""
    if digits is None:
        return None
    significant = digits.lstrip(b"0")
    return int(significant or b"0") if len(significant) < 20 else _INT64_MAX + 1
