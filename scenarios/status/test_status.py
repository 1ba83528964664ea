"""GetModelStatus over gRPC [6.8, 3.5.4]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import Answer, Call, GrpcCase, Refused
from harness.client import GrpcClient
from harness.client.grpc import GET_MODEL_STATUS, model_spec
from harness.player import Player
from harness.terms import Code, Level, Protocol, State
from harness.verdict import Mismatch
from harness.wire import messages as wire
from scenarios.status.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)


def ask(
    model: str | None, *, version: int | None = None, label: str | None = None, signature: str = ""
) -> Call:
    """A call of GetModelStatus; a model of None leaves the ModelSpec out."""
    request = wire.GetModelStatusRequest()
    if model is not None:
        request.model_spec.CopyFrom(model_spec(model, version, label, signature))
    return Call(GET_MODEL_STATUS, request)


def available(*versions: int) -> Answer:
    """All of the reply: these versions, all of them available."""
    reply = wire.GetModelStatusResponse()
    for version in versions:
        reply.model_version_status.add(version=version, state=State.AVAILABLE, status=wire.StatusProto())
    return Answer(reply)


def missing(text: str) -> Refused:
    return Refused(Code.NOT_FOUND, text)


CASES = (
    GrpcCase(
        "no-spec",
        "The request needs a ModelSpec.",
        ask(None),
        Refused(Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        facts=("6.8.1", "STA-01"),
    ),
    *(
        GrpcCase(
            f"missing/{name}",
            "A model or version that was never there is not found; a status knows other words for it.",
            request,
            missing(text),
            facts=("6.8.1", "STA-01"),
        )
        for name, request, text in (
            ("model", ask("nobody"), "Could not find any versions of model nobody"),
            ("version", ask("m", version=9), "Could not find version 9 of model m"),
            ("version-0", ask("m", version=0), "Could not find version 0 of model m"),
            (
                "version-of-missing-model",
                ask("nobody", version=3),
                "Could not find version 3 of model nobody",
            ),
        )
    ),
    GrpcCase(
        "missing/no-name",
        "A ModelSpec without a name is looked for like any other.",
        ask(""),
        missing("Could not find any versions of model "),
        facts=("6.8.1", "STA-01"),
        level=Level.QUIRK,
    ),
    *(
        GrpcCase(
            f"all/{model}",
            "Without a version all are listed, the highest first, with state and error.",
            ask(model),
            available(*versions),
            facts=("6.8.1", "6.8.2", "STA-02"),
        )
        for model, versions in (("m", (3, 2, 1)), ("one", (1,)))
    ),
    GrpcCase(
        "one",
        "With a version that one is listed.",
        ask("m", version=2),
        available(2),
        facts=("6.8.1", "STA-02"),
    ),
    *(
        GrpcCase(
            f"ignored/{name}",
            "Labels and signature names do not matter to the status: all versions are listed.",
            request,
            available(3, 2, 1),
            facts=("6.8.1",),
            level=Level.QUIRK,
        )
        for name, request in (
            ("label", ask("m", label="stable")),
            ("unknown-label", ask("m", label="none")),
            ("signature", ask("m", signature="none")),
        )
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()


@pytest.mark.fact("3.5.4", "STA-03", protocol=Protocol.GRPC)
def test_numbers(player: Player) -> None:
    """On the wire, AVAILABLE is 30: states are numbered in tens."""
    client = player.client(Protocol.GRPC)
    assert isinstance(client, GrpcClient)
    reply = client.exchange(GET_MODEL_STATUS, ask("one").encode())
    # Entry 1: version (1) 1, state (2) 30, status (3) empty.
    expected = b"\x0a\x06\x08\x01\x10\x1e\x1a\x00"
    if reply != expected:
        raise Mismatch(repr(expected), repr(reply))


@pytest.mark.fact("0.5", "6.8.1", "4.7.1")
@pytest.mark.parametrize("model", [model.name for model in SCENARIO.models])
def test_same_over_both(player: Player, model: str) -> None:
    """REST and gRPC tell the same status."""
    rest, grpc = (player.client(protocol).status(model) for protocol in Protocol)
    if rest != grpc:
        raise Mismatch(f"gRPC: {grpc}", f"REST: {rest}")
