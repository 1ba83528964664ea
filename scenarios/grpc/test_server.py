"""What the gRPC server serves and what not, deadlines, and messages of any size [6.1, 6.4.11, 6.10]."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import numpy as np
import pytest

from harness.cases import Call, GrpcCase, Refused
from harness.client import GrpcClient, Refusal, RestClient
from harness.client.grpc import PREDICT, predict_request
from harness.player import Player
from harness.terms import Array, Code, Level, Protocol
from harness.verdict import Mismatch
from harness.wire import messages as wire
from scenarios.grpc.scenario import SCENARIO, answer, floats, predict

pytestmark = pytest.mark.scenario(SCENARIO)

#: Elements of a message of 32 MB.
MANY = 8_000_000

#: Methods that an API of this kind might have, and does not.
ABSENT = {
    "streamed": "/tensorflow.serving.PredictionService/PredictStreamed",
    "session-run": "/tensorflow.serving.SessionService/SessionRun",
    "list-models": "/tensorflow.serving.ModelService/ListModels",
    "other-case": "/tensorflow.serving.PredictionService/predict",
    "other-service": "/tensorflow.serving.Prediction/Predict",
    "health": "/grpc.health.v1.Health/Check",
}

CASES = (
    *(
        GrpcCase(
            f"absent/{name}",
            "A method that is not served is not implemented.",
            Call(method, b""),
            Refused(Code.UNIMPLEMENTED),
            facts=("6.1.2", "GRP-19") if name != "health" else ("6.10.5", "GRP-24"),
        )
        for name, method in ABSENT.items()
    ),
    *(
        GrpcCase(
            f"garbage/{name}",
            "Bytes that are no request are an internal error, as the gRPC library has it.",
            Call(PREDICT, data),
            Refused(Code.INTERNAL),
            facts=("6.1.1",),
            level=Level.SHOULD,
        )
        for name, data in {
            "bytes": b"\xff\xff\xff",
            "cut": predict("m", {"x": floats(1)}).encode()[:-3],
            "name-not-utf8": b"\x0a\x04\x0a\x02\xff\xfe",
        }.items()
    ),
    GrpcCase(
        "deadline/within",
        "A call that is done before its deadline is answered.",
        predict("slow", {"ms": floats(5)}, timeout=20),
        answer("slow", {"version": np.array([1], np.int64)}),
        facts=("6.4.11", "GRP-17"),
    ),
    GrpcCase(
        "deadline/beyond",
        "A call beyond its client's deadline is given up.",
        predict("slow", {"ms": floats(2000)}, timeout=0.2),
        Refused(Code.DEADLINE_EXCEEDED),
        facts=("6.4.11", "GRP-17"),
    ),
    GrpcCase(
        "deadline/after",
        "After a call that was given up the server answers others.",
        predict("slow", {"ms": floats(5)}, timeout=20),
        answer("slow", {"version": np.array([1], np.int64)}),
        facts=("6.4.11", "GRP-17"),
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()


@pytest.mark.fact("6.10.1", "GRP-23", protocol=Protocol.GRPC)
def test_large_floats(player: Player) -> None:
    """32 MB of numbers are taken, as bytes, and 32 MB are answered."""
    array = np.arange(MANY, dtype=np.float32)
    _expect_echo(player, array)


@pytest.mark.fact("6.10.1", "GRP-23", protocol=Protocol.GRPC)
def test_large_string(player: Player) -> None:
    """A string of 32 MB is taken and answered."""
    _expect_echo(player, np.array([b"0123456789abcdef" * (MANY // 4)], object), "string")


@pytest.mark.fact("6.10.1", "GRP-23", level=Level.SHOULD, protocol=Protocol.GRPC)
def test_many_strings(player: Player) -> None:
    """A hundred thousand strings, empty ones among them, are taken and answered in order."""
    _expect_echo(player, np.array([b"%d" % i if i % 7 else b"" for i in range(100_000)], object), "string")


@pytest.mark.fact("6.10.1", protocol=Protocol.REST)
def test_large_text(player: Player) -> None:
    """A body of 32 MB is taken over REST, and 32 MB are answered."""
    text = "0123456789abcdef" * (MANY // 4)
    client = player.client(Protocol.REST)
    assert isinstance(client, RestClient)
    body = f'{{"signature_name": "string", "instances": ["{text}"]}}'.encode()
    reply = client.exchange("POST", "/v1/models/echo:predict", body)
    expected = f'{{\n    "predictions": ["{text}"\n    ]\n}}'.encode()
    if (reply.status, reply.body) != (200, expected):
        raise Mismatch(f"200 with {len(expected)} bytes", f"{reply.status} {reply.body[:200]!r}")


@pytest.mark.fact("6.2.2", level=Level.SHOULD, protocol=Protocol.GRPC)
def test_no_error_details(player: Player) -> None:
    """An error has a code and a text, and no details in its trailers."""
    with grpc.insecure_channel(player.address(Protocol.GRPC)) as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PREDICT)
        with pytest.raises(grpc.RpcError) as failure:
            ask(predict("nobody", {}).encode(), timeout=10)
    trailers = {entry.key for entry in failure.value.trailing_metadata() or ()}
    if "grpc-status-details-bin" in trailers:
        raise Mismatch("no grpc-status-details-bin", ", ".join(sorted(trailers)))


@pytest.mark.fact("6.1.3", "X-53", level=Level.UNVERIFIED, protocol=Protocol.GRPC)
def test_reflection(player: Player) -> None:
    """Server reflection lists both services, where the server offers it."""
    list_services = b"\x3a\x00"
    with grpc.insecure_channel(player.address(Protocol.GRPC)) as channel:
        method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        ask: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(method)
        try:
            reply = next(iter(ask(iter([list_services]), timeout=10)))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise Mismatch("the list, or UNIMPLEMENTED", str(error)) from error
            return
    for service in (b"tensorflow.serving.PredictionService", b"tensorflow.serving.ModelService"):
        if service not in reply:
            raise Mismatch(service.decode(), repr(reply))


def _expect_echo(player: Player, array: Array, signature: str = "float") -> None:
    client = player.client(Protocol.GRPC)
    assert isinstance(client, GrpcClient)
    request = predict_request("echo", {"x": array}, signature=signature)
    try:
        reply = client.exchange(PREDICT, request.SerializeToString())
    except Refusal as refusal:
        raise Mismatch(f"{array.size} elements", str(refusal)) from refusal
    output = wire.PredictResponse.FromString(reply).outputs["y"]
    values = output.string_val if array.dtype == object else output.float_val
    if list(values) != array.tolist():
        raise Mismatch(f"the same {array.size} elements", f"{len(values)} elements, or others")
