"""What no model takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.client import Prediction, Refusal
from harness.player import Player
from harness.terms import Code, Protocol
from harness.verdict import Mismatch
from scenarios.any_model.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)

_NUMBER = {"no such input": np.zeros(1, np.float32)}


def expect_refusal(ask: Callable[[], Prediction], code: Code, text: str | None = None) -> None:
    """Raises Mismatch where the server answers, or refuses in another way."""
    wanted = code.name if text is None else f"{code.name}: {text}"
    try:
        came = ask()
    except Refusal as refusal:
        if not refusal.agrees(code, refusal.text if text is None else text):
            raise Mismatch(wanted, str(refusal)) from refusal
    else:
        raise Mismatch(wanted, f"outputs {', '.join(came.outputs)}")


@pytest.mark.fact("4.6.2", "6.3.1")
def test_unknown_version(player: Player, any_model: str, protocol: Protocol) -> None:
    """A version that does not exist is not found."""
    client = player.client(protocol)
    version = 1 + max(entry.version for entry in client.status(any_model))
    expect_refusal(
        lambda: client.predict(any_model, _NUMBER, version=version),
        Code.NOT_FOUND,
        f"Servable not found for request: Specific({any_model}, {version})",
    )


@pytest.mark.fact("2.6.5")
def test_unknown_label(player: Player, any_model: str, protocol: Protocol) -> None:
    """A label that nobody has given is refused."""
    label = "no-such-label"
    expect_refusal(
        lambda: player.client(protocol).predict(any_model, _NUMBER, label=label),
        Code.INVALID_ARGUMENT,
        f"Unrecognized servable version label: {label}",
    )


@pytest.mark.fact("6.4.2", protocol="grpc")
def test_unknown_signature(player: Player, any_model: str) -> None:
    """A signature that the model does not have is refused."""
    expect_refusal(
        lambda: player.client(Protocol.GRPC).predict(any_model, _NUMBER, signature="no such signature"),
        Code.FAILED_PRECONDITION,
        'Serving signature key "no such signature" not found.',
    )


@pytest.mark.fact("6.4.4", "6.4.5", protocol="grpc")
def test_unknown_input(player: Player, any_model: str) -> None:
    """An input that the signature does not have is refused."""
    client = player.client(Protocol.GRPC)
    for name, info in client.metadata(any_model).signatures.items():
        if info.inputs:
            expect_refusal(
                lambda name=name: client.predict(any_model, _NUMBER, signature=name),  # type: ignore[misc]
                Code.INVALID_ARGUMENT,
            )
