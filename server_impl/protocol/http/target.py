"""Request targets, taken apart as libevent does: ``scheme://authority/path?query#fragment``."""

from __future__ import annotations

import re
from typing import NamedTuple

_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:")
# Possessive repetition throughout: the time is linear in the length of whatever a client sends.
_AUTHORITY = re.compile(
    rb"(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=:]++|%[0-9A-Fa-f]{2})*+@)?"
    rb"(?:\[[0-9A-Fa-fv:.]++\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]++|%[0-9A-Fa-f]{2})*+)"
    rb"(?::0*+(\d{0,5}))?"
)
_CONFORMANT = re.compile(
    rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]++|%[0-9A-Fa-f]{2})*+"
    rb"(?:[?](?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]++|%[0-9A-Fa-f]{2})*+)?"
    rb"(?:#(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]++|%[0-9A-Fa-f]{2})*+)?"
)
_END_OF_PATH = re.compile(rb"[?#]")
_END_OF_AUTHORITY = re.compile(rb"[/?#]")


class Target(NamedTuple):
    """The parts that matter to a server; nothing is percent-decoded."""

    #: The target named a host over http(s): libevent takes the request for one to a proxy.
    absolute: bool
    #: The path alone.
    path: bytes
    #: Path, query and fragment: what REST URLs are matched against [4.1.4].
    resource: bytes
    #: All characters are such as a URI may hold (``^``, blanks and bytes above 0x7F are not).
    conformant: bool


def authority_of(text: bytes) -> bytes | None:
    """The authority with which ``text`` begins, which may be empty; None where it is none."""
    end = _END_OF_AUTHORITY.search(text)
    authority = text[: end.start()] if end else text
    parts = _AUTHORITY.fullmatch(authority)
    return None if parts is None or int(parts[1] or b"0") > 0xFFFF else authority


def split(target: bytes) -> Target | None:
    """``target`` taken apart, or None when it is no URI reference even under the laxest reading."""
    scheme = _SCHEME.match(target)
    rest = target[scheme.end() :] if scheme else target
    has_authority = rest.startswith(b"//")
    if has_authority:
        authority = authority_of(rest[2:])
        if authority is None:
            return None
        rest = rest[2 + len(authority) :]
    path = _END_OF_PATH.split(rest, maxsplit=1)[0]
    if not scheme and b":" in path.split(b"/", 1)[0]:
        return None  # without a scheme the first segment may hold no colon
    absolute = has_authority and scheme is not None and scheme[0].lower() in (b"http:", b"https:")
    return Target(absolute, path, rest, _CONFORMANT.fullmatch(rest) is not None)
