"""Judging replies: whether one is right, and which version gave it.

Most replies are byte for byte one that was checked before, so the bytes are looked up first, and parsed
and compared with the oracle only when they are new. A reply counts by the version that answered: gRPC
says which; over REST it is the one whose oracle agrees, since versions answer tellably.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from google.protobuf.message import DecodeError

from harness.client import BadReply, Prediction, json_form
from harness.client.grpc import prediction as grpc_prediction
from harness.client.outcome import UNNAMED
from harness.terms import Array, Protocol, Tensors
from harness.wire import messages as wire
from harness.wire import tensors

#: The version in figures where nobody can tell it.
UNKNOWN = "?"
#: How many different right replies are remembered for a request.
_REMEMBERED = 64
#: Without an oracle, the first reply is the measure; floats may differ from it by this much.
FIRST_REPLY_TOLERANCE = 1e-5


class WrongReply(Exception):  # noqa: N818 - the server's error, not ours
    """The reply is not the right answer. The text says how it differs."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What answers a request rightly.

    ``by_version``: right outputs (any one of several) of each version that may answer; the key None
    stands for "whoever it was". ``learns``: a version not listed is right if all its replies agree.
    ``tolerance`` is relative to the largest expected value. ``exact``: the first reply is right, byte for
    byte, whatever it means.
    """

    by_version: Mapping[int | None, Sequence[Tensors]]
    tolerance: float
    learns: bool = False
    exact: bool = False

    def to_message(self) -> dict[str, Any]:
        """Plain data, for another process."""
        versions = [
            [version, [_packed(outputs) for outputs in several]]
            for version, several in self.by_version.items()
        ]
        flags = {"learns": self.learns, "exact": self.exact}
        return {"versions": versions, "tolerance": self.tolerance, **flags}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_message`."""
        versions = {
            version: [_unpacked(outputs) for outputs in several] for version, several in message["versions"]
        }
        return cls(versions, message["tolerance"], message["learns"], message["exact"])


def _packed(outputs: Tensors) -> dict[str, bytes]:
    return {alias: tensors.to_proto(array).SerializeToString() for alias, array in outputs.items()}


def _unpacked(outputs: Mapping[str, bytes]) -> Tensors:
    return {alias: tensors.from_proto(wire.TensorProto.FromString(data)) for alias, data in outputs.items()}


class Check:
    """Judges the replies to one request. Call it with a reply's bytes."""

    def __init__(self, protocol: Protocol, expected: Expected) -> None:
        self._parse = _from_json if protocol is Protocol.REST else _from_message
        self._expected = expected
        self._by_version = {version: list(several) for version, several in expected.by_version.items()}
        self._known: dict[bytes, str] = {}

    def __call__(self, reply: bytes) -> str:
        """The version that gave ``reply``. Raises WrongReply."""
        version = self._known.get(reply)
        if version is None:
            version = self._judge(reply)
            if len(self._known) < _REMEMBERED:
                self._known[reply] = version
        return version

    def _judge(self, reply: bytes) -> str:
        if self._expected.exact:
            if self._known:
                raise WrongReply(f"{reply[:200]!r} instead of {next(iter(self._known))[:200]!r}")
            return UNKNOWN
        try:
            outputs, version = self._parse(reply)
        except BadReply as error:
            raise WrongReply(str(error)) from error
        if version not in self._by_version and self._expected.learns:
            self._by_version[version] = [outputs]
        if version is None:
            return self._by_oracle(outputs)
        wanted = self._by_version.get(version, self._by_version.get(None))
        if wanted is None:
            right = ", ".join(str(known) for known in self._by_version)
            raise WrongReply(f"version {version} answered, where only version {right} may")
        self._compare(outputs, {version: wanted})
        return str(version)

    def _by_oracle(self, outputs: Tensors) -> str:
        """The version whose oracle agrees, newest first."""
        version = self._compare(outputs, self._by_version)
        return UNKNOWN if version is None else str(version)

    def _compare(self, outputs: Tensors, wanted: Mapping[int | None, Sequence[Tensors]]) -> int | None:
        difference = "no version may answer"
        for version, several in sorted(wanted.items(), key=lambda item: -(item[0] or 0)):
            for expected in several:
                found = differs(outputs, expected, self._expected.tolerance)
                if found is None:
                    return version
                difference = f"not the answer of version {version}: {found}" if version else found
        raise WrongReply(difference)


def _from_json(reply: bytes) -> Prediction:
    return json_form.prediction(reply)


def _from_message(reply: bytes) -> Prediction:
    try:
        return grpc_prediction(wire.PredictResponse.FromString(reply))
    except DecodeError as error:
        raise BadReply(f"not a PredictResponse: {reply[:100]!r}") from error


def differs(outputs: Tensors, expected: Tensors, tolerance: float) -> str | None:
    """How ``outputs`` differ from ``expected``, None if they do not; JSON's numbers stand for any dtype."""
    if outputs.keys() == {UNNAMED} and len(expected) == 1:
        expected = {UNNAMED: next(iter(expected.values()))}
    if outputs.keys() != expected.keys():
        return f"outputs {sorted(outputs)} instead of {sorted(expected)}"
    for alias, wanted in expected.items():
        got = outputs[alias]
        if got.shape != wanted.shape:
            return f"output {alias or 'of the model'} has shape {list(got.shape)}, not {list(wanted.shape)}"
        if not _equal(got, wanted, tolerance):
            return f"output {alias or 'of the model'} is {_short(got)}, not {_short(wanted)}"
    return None


def _equal(got: Array, wanted: Array, tolerance: float) -> bool:
    if wanted.dtype.kind not in "fcV":  # V: bfloat16
        return bool((got == wanted).all())
    if got.dtype.kind not in "fciuV":
        return False
    kind = np.complex128 if wanted.dtype.kind == "c" else np.float64
    exact = wanted.astype(kind)
    finite = np.abs(exact[np.isfinite(exact)])
    room = tolerance * float(finite.max(initial=0.0))
    return bool(np.isclose(got.astype(kind), exact, rtol=0, atol=room, equal_nan=True).all())


def _short(array: Array) -> str:
    flat = array.ravel()
    return f"{flat[:4].tolist()}{' ...' if flat.size > 4 else ''}"
