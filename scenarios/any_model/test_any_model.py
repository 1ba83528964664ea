"""One question, asked in every way that there is, has one answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.client import GrpcClient, Prediction, RestClient
from harness.client.outcome import SignatureInfo
from harness.player import Player
from harness.terms import Protocol, State, Tensors
from harness.verdict import Mismatch
from scenarios.any_model.asking import Ask, Asked, Outcome, expect_same, outcome, signatures
from scenarios.any_model.inputs import IN_JSON, has_rows, within
from scenarios.any_model.scenario import SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)


def in_json(signature: SignatureInfo) -> bool:
    """Tell whether JSON can carry all inputs and outputs."""
    return within(signature, IN_JSON)


def rest(player: Player) -> RestClient:
    client = player.client(Protocol.REST)
    assert isinstance(client, RestClient)
    return client


def grpc(player: Player) -> GrpcClient:
    client = player.client(Protocol.GRPC)
    assert isinstance(client, GrpcClient)
    return client


def asking(predict: Callable[..., Prediction], model: str, signature: str, **ways: object) -> Ask:
    """Asks one signature in one way."""
    return lambda inputs: outcome(lambda: predict(model, inputs, signature=signature, **ways))


@pytest.mark.fact("3.5", "6.8.1")
def test_a_version_is_available(player: Player, any_model: str, protocol: Protocol) -> None:
    """A model that is served has a version that is AVAILABLE."""
    status = player.client(protocol).status(any_model)
    if not any(entry.state is State.AVAILABLE for entry in status):
        raise Mismatch("a version that is AVAILABLE", ", ".join(map(str, status)))


@pytest.mark.fact("3.5", "META-04")
def test_status_is_alike(player: Player, any_model: str) -> None:
    """Both protocols tell the same states of the same versions."""
    over_grpc, over_rest = grpc(player).status(any_model), rest(player).status(any_model)
    if over_grpc != over_rest:
        raise Mismatch(", ".join(map(str, over_grpc)), ", ".join(map(str, over_rest)))


@pytest.mark.fact("6.7.2", "META-04")
def test_metadata_are_alike(player: Player, any_model: str) -> None:
    """Both protocols tell the same version and the same signatures."""
    over_grpc, over_rest = grpc(player).metadata(any_model), rest(player).metadata(any_model)
    if over_grpc != over_rest:
        raise Mismatch(str(over_grpc), str(over_rest))


@pytest.mark.fact("0.5", "META-04")
def test_rest_answers_as_grpc_does(player: Player, any_model: str) -> None:
    """REST and gRPC give the same outputs, or the same error, for the same inputs."""
    for name, info in signatures(player, any_model, in_json):
        one = asking(grpc(player).predict, any_model, name)
        other = asking(rest(player).predict, any_model, name, form="column")
        expect_same(player, Asked(name, info), one, other)


@pytest.mark.fact("5.3.1", "5.4.1")
def test_rows_are_answered_as_columns_are(player: Player, any_model: str) -> None:
    """The row and the column format of JSON lead to the same outputs."""
    for name, info in signatures(player, any_model, lambda info: in_json(info) and has_rows(info)):
        one = asking(rest(player).predict, any_model, name, form="row")
        other = asking(rest(player).predict, any_model, name, form="column")
        expect_same(player, Asked(name, info), one, other)


@pytest.mark.fact("6.4.7")
def test_typed_fields_are_read_as_content_is(player: Player, any_model: str) -> None:
    """A tensor's numbers may travel in tensor_content or in the field of their dtype."""
    for name, info in signatures(player, any_model, within):
        one = asking(grpc(player).predict, any_model, name, content=True)
        other = asking(grpc(player).predict, any_model, name, content=False)
        expect_same(player, Asked(name, info), one, other)


@pytest.mark.fact("6.3.2", "6.4.12")
def test_the_default_is_the_version_that_it_says(player: Player, any_model: str, protocol: Protocol) -> None:
    """Without a pin the version answers that metadata name; pinned, it answers the same."""
    client = player.client(protocol)
    version = client.metadata(any_model).version
    suits = in_json if protocol is Protocol.REST else within
    # JSON's row format would ask for rows.
    way: dict[str, object] = {"form": "column"} if protocol is Protocol.REST else {}
    for name, info in signatures(player, any_model, suits):
        one = asking(client.predict, any_model, name, **way)
        other = asking(client.predict, any_model, name, version=version, **way)
        expect_same(player, Asked(name, info), one, other)


@pytest.mark.fact("6.4.8")
def test_a_filter_leaves_outputs_as_they_are(player: Player, any_model: str) -> None:
    """An output that is asked for alone is what it is among the others."""

    def picked(whole: Ask, alias: str) -> Ask:
        def ask(inputs: Tensors) -> Outcome:
            came = whole(inputs)
            return (
                came if isinstance(came, Exception) else came._replace(outputs={alias: came.outputs[alias]})
            )

        return ask

    for name, info in signatures(player, any_model, within):
        whole = asking(grpc(player).predict, any_model, name)
        for alias in sorted(info.outputs):
            alone = asking(grpc(player).predict, any_model, name, output_filter=[alias])
            expect_same(player, Asked(name, info), picked(whole, alias), alone)
