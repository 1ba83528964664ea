"""Do two servers answer alike? Exchanges are compared by structure and number, not letter by letter.

Both servers were sent the same bytes in the same state. Compared are the status, the headers that mean
something, the members of a document or message in any order, numbers within a tolerance, and error texts as
they are. Texts that belong to one side alone (folders, addresses) are replaced by words first; not compared
are texts that gRPC itself makes, and the values on the metrics page.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from harness.cases import TOLERANCE
from harness.client import BadReply, Exchange, json_form
from harness.matching import fields, value_problem
from harness.terms import Code, Protocol
from harness.wire.methods import METHODS

#: Texts of one side and the words that stand for them.
Words = Collection[tuple[str, str]]

#: Headers that say when and how, not what.
_INCIDENTAL = ("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "via")
#: Codes whose texts gRPC makes itself, on either end of the wire.
_TRANSPORT = (Code.CANCELLED.name, Code.DEADLINE_EXCEEDED.name, Code.UNAVAILABLE.name)
#: Which of several nodes that fail together TensorFlow names is chance.
_CHANCE = re.compile(r"\{\{\w+ [^}]*\}\}|(?<=Could not find variable )\S+|(?<=localhost/)\w+")
#: What :mod:`harness.matching` says of two values.
_SENTENCE = re.compile(r"(.*?) (is|has members|has) (.*) instead of (.*)", re.DOTALL)


class Difference(NamedTuple):
    """How two replies differ: ``cause`` in words that are the same for equal differences, and where."""

    cause: str
    path: str


class Outcome(NamedTuple):
    """How a check ended on one side: ``passed``, ``failed`` ..., what was wrong, and what was exchanged.

    Of a check that watches what happens over time (``watched``) only the verdict can be compared.
    """

    outcome: str
    actual: str | None
    exchanges: Sequence[Exchange]
    words: Words
    watched: bool = False


def differences(here: Outcome, there: Outcome) -> list[Difference]:
    """Where two servers differ in one check, each difference once."""
    pairs = [] if here.watched else _pairs(here.exchanges, there.exchanges)
    found = [
        difference
        for left, right in pairs
        if (difference := compare(left, right, here.words, there.words)) is not None
    ]
    if not found and here.outcome != there.outcome:
        wrong = there.actual if here.outcome == "passed" else here.actual
        found.append(Difference(f"{here.outcome} here, {there.outcome} there: {_line(wrong)}", "outcome"))
    if not found and not here.exchanges and not here.watched and here.outcome == "failed":
        left, right = _own(here.actual or "", here.words), _own(there.actual or "", there.words)
        if left != right:
            found.append(Difference(f"{_line(left)} here, {_line(right)} there", "outcome"))
    return list(dict.fromkeys(found))


def compare(here: Exchange, there: Exchange, own: Words = (), others: Words = ()) -> Difference | None:
    """How two replies to one request differ."""
    if here.status != there.status:
        what = "status" if here.protocol is Protocol.REST else "code"
        return Difference(f"{what} {here.status} here, {there.status} there", what)
    if here.protocol is Protocol.GRPC:
        return _grpc_difference(here, there, own, others)
    left, right = _headers(here), _headers(there)
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            return Difference(
                f"header {name}: {left.get(name, 'none')} here, {right.get(name, 'none')} there",
                f"header {name}",
            )
    return _body_difference(_own_bytes(here.reply, own), _own_bytes(there.reply, others))


def summary(found: Iterable[tuple[str, str | None]]) -> list[tuple[str, list[str]]]:
    """Causes with the ids of the checks that show them, the most frequent first; None is no difference."""
    causes: defaultdict[str, list[str]] = defaultdict(list)
    for check, cause in found:
        if cause is not None:
            causes[cause].append(check)
    return sorted(causes.items(), key=lambda entry: (-len(entry[1]), entry[0]))


def _pairs(here: Sequence[Exchange], there: Sequence[Exchange]) -> Iterable[tuple[Exchange, Exchange]]:
    """Exchanges with the same request, in order; what only one side was asked has nothing to stand beside."""
    waiting: defaultdict[tuple[str, bytes], list[Exchange]] = defaultdict(list)
    for exchange in there:
        waiting[exchange.method, exchange.request].append(exchange)
    for exchange in here:
        others = waiting[exchange.method, exchange.request]
        if others:
            yield exchange, others.pop(0)


def _headers(exchange: Exchange) -> dict[str, str]:
    return {name.lower(): value for name, value in exchange.reply_headers if name.lower() not in _INCIDENTAL}


def _body_difference(here: bytes, there: bytes) -> Difference | None:
    if here == there:
        return None
    try:
        left, right = json_form.document(here), json_form.document(there)
    except BadReply:
        return _text_difference(here.decode("utf-8", "replace"), there.decode("utf-8", "replace"))
    if _is_error(left) and _is_error(right) and left != right:
        return Difference(f"error text {left['error']!r} here, {right['error']!r} there", "$.error")
    return _located(value_problem(left, right, TOLERANCE))


def _text_difference(here: str, there: str) -> Difference | None:
    """Of a metrics page only the families are compared; any other text as it is."""
    families = [{line for line in text.splitlines() if line.startswith("# TYPE ")} for text in (here, there)]
    if all(families):
        only = sorted(families[0] ^ families[1])
        return Difference(f"metric {only[0][7:]} on one side only", "metrics") if only else None
    return Difference("text of the reply", "body") if here != there else None


def _grpc_difference(here: Exchange, there: Exchange, own: Words, others: Words) -> Difference | None:
    told, tells = _own(here.text, own), _own(there.text, others)
    if told != tells and here.status not in _TRANSPORT:
        return Difference(f"error text {told!r} here, {tells!r} there", "details")
    if here.reply == there.reply:
        return None
    if here.method not in METHODS:
        return Difference("bytes of the reply", "message")
    kind = METHODS[here.method].reply
    try:
        messages = [kind.FromString(exchange.reply) for exchange in (here, there)]
    except DecodeError:
        return Difference("bytes of the reply", "message")
    left, right = (
        {kind.DESCRIPTOR.name: _own_texts(fields(message), words)}
        for message, words in zip(messages, (own, others), strict=True)
    )
    return _located(value_problem(left, right, TOLERANCE))


def _located(problem: str | None) -> Difference | None:
    """A difference from the sentence that tells it: the cause has no indices, so that equal ones meet.

    The sentence calls what is expected, which is the reply of this side, by "instead of".
    """
    if problem is None:
        return None
    told = _SENTENCE.fullmatch(problem)
    if told is None:
        return Difference(problem, "message")
    path, verb, came, wanted = told.groups()
    anywhere = re.sub(r"\[\d+\]", "[*]", path)
    return Difference(f"{anywhere} {verb} {wanted} here, {came} there", path)


def _is_error(document: Any) -> bool:
    return isinstance(document, dict) and list(document) == ["error"]


def _own(text: str, words: Words) -> str:
    """``text`` without what belongs to one side or is due to chance; longer texts first."""
    for own, word in sorted(words, key=lambda pair: -len(pair[0])):
        text = text.replace(own, word)
    return _CHANCE.sub("...", text)


def _own_texts(value: Any, words: Words) -> Any:
    """The same for every text in a message."""
    match value:
        case str():
            return _own(value, words)
        case dict():
            return {key: _own_texts(item, words) for key, item in value.items()}
        case list():
            return [_own_texts(item, words) for item in value]
    return value


def _own_bytes(body: bytes, words: Words) -> bytes:
    return _own(body.decode("utf-8", "surrogateescape"), words).encode("utf-8", "surrogateescape")


def _line(text: str | None) -> str:
    return (text or "").partition("\n")[0]
