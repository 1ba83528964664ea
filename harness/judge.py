"""Looks once whether a server answers as a check says."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Mapping

from harness import models
from harness.checks import Failed, Fails, Refuses, Shows
from harness.client import Client, Refusal, VersionStatus
from harness.matching import text_fits
from harness.models import Builder
from harness.scenario import Scenario
from harness.terms import Call, Request, State
from harness.verdict import Mismatch, answering, difference

#: First numbers of inputs, by which subjects differ.
_SUBJECTS = 1000


class Judge:
    """Sends the requests of a scenario's checks, each with other inputs, and judges what comes back.

    ``candidates`` are builders and contents that a wrong answer may come from, ``past`` the versions by model
    that ended before the scenario began, which a listing may have or not. Every method raises Mismatch
    where the server is wrong, and what the client raises.
    """

    def __init__(
        self, scenario: Scenario, candidates: frozenset[tuple[str, int]], past: Mapping[str, frozenset[int]]
    ) -> None:
        self.scenario = scenario
        self._candidates = candidates
        self._past = past
        self._numbers = itertools.count()

    def begin(self, subject: str) -> None:
        """Go on with the inputs that belong to a subject, so that a repeated look sends the same bytes."""
        self._numbers = itertools.count(zlib.crc32(subject.encode()) % _SUBJECTS)

    def ask(self, client: Client, request: Request, right: Mapping[int, int]) -> int:
        """Send ``request`` and give the version that answered it.

        ``right`` maps each version that may answer to its contents: the answer must be one of theirs, and
        name no other version.
        """
        builder = self._builder(request.model)
        inputs = request.inputs or builder.signature(request.signature).sample(next(self._numbers))
        answer = client.predict(
            request.model, inputs, version=request.version, label=request.label, signature=request.signature
        )
        for version, contents in right.items():
            wrong = difference(builder, request.signature, contents, inputs, answer)
            if wrong is None and answer.version in (None, version):
                return version
        known = sorted(contents for name, contents in self._candidates if name == builder.name)
        actual = answering(builder, request.signature, inputs, answer, known)
        seen = f"a wrong answer: {wrong}" if actual is None else f"the answer of contents {actual}"
        named = "" if answer.version is None else f", said to come from version {answer.version}"
        expected = (f"version {version} (contents {contents})" for version, contents in right.items())
        raise Mismatch(f"the answer of {' or '.join(expected)}", seen + named)

    def refusal(self, client: Client, check: Refuses) -> None:
        """The request is refused as the check says."""
        request = check.request
        try:
            match check.call:
                case Call.PREDICT:
                    sample = self._builder(request.model).signature(None).sample(next(self._numbers))
                    came: object = client.predict(
                        request.model,
                        request.inputs or sample,
                        version=request.version,
                        label=request.label,
                        signature=request.signature,
                    )
                case Call.STATUS:
                    came = [str(entry) for entry in client.status(request.model, version=request.version)]
                case Call.METADATA:
                    came = client.metadata(request.model, version=request.version, label=request.label)
        except Refusal as refusal:
            if refusal.agrees(check.code, check.text):
                return
            came = refusal
        text = check.text if isinstance(check.text, str) else f"/{check.text.pattern}/"
        raise Mismatch(f"{check.code.name}: {text}", str(came))

    def listing(self, client: Client, check: Shows) -> None:
        """The model's status lists what the check says, in this order."""
        expected = sorted(check.states.items(), reverse=True)
        past = self._past.get(check.model, frozenset()) - check.states.keys()
        actual = [
            entry
            for entry in client.status(check.model)
            if entry.version not in past or entry.state is not State.END
        ]
        fit = len(actual) == len(expected) and all(
            entry.version == version and _fits(entry, state)
            for entry, (version, state) in zip(actual, expected, strict=True)
        )
        if not fit:
            raise Mismatch(
                ", ".join(check.listing) or "no versions", ", ".join(map(str, actual)) or "no versions"
            )

    def failure(self, client: Client, check: Fails) -> None:
        """The version ENDed with the check's error."""
        entry = next((entry for entry in client.status(check.model) if entry.version == check.version), None)
        if entry is None or not _fits(entry, Failed(check.code, check.text)):
            raise Mismatch(str(check), "no such version" if entry is None else str(entry))

    def metadata(self, client: Client, request: Request, by: int) -> None:
        """The model's metadata come from version ``by`` and tell what its builder has."""
        metadata = client.metadata(request.model, version=request.version, label=request.label)
        if metadata.version != by:
            raise Mismatch(f"metadata of version {by}", f"metadata of version {metadata.version}")
        for name, signature in self._builder(request.model).signatures.items():
            actual = metadata.signatures.get(name)
            if actual is None:
                raise Mismatch(f"signature {name!r}", f"signatures {sorted(metadata.signatures)}")
            if (actual.inputs, actual.outputs) != (signature.inputs, signature.outputs):
                raise Mismatch(
                    f"{name}: {signature.inputs} -> {signature.outputs}",
                    f"{name}: {actual.inputs} -> {actual.outputs}",
                )

    def _builder(self, model: str) -> Builder:
        """The builder of a model; of any one where nobody has such a model."""
        configured = self.scenario.configured()
        found = configured.get(model) or next(iter(configured.values()), None)
        return models.BUILDERS[found.builder if found else "half_plus_two"]


def _fits(entry: VersionStatus, wanted: State | Failed) -> bool:
    if isinstance(wanted, State):
        return (entry.state, entry.code, entry.text) == (wanted, 0, "")
    return (entry.state, entry.code) == (State.END, wanted.code) and text_fits(wanted.text, entry.text)
