"""Checks of requests that share batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.cases import Answer, Call, GrpcCase, RestCase, error, post
from harness.client import Refusal
from harness.client.grpc import PREDICT, model_spec
from harness.player import Player
from harness.terms import Code, Protocol
from harness.verdict import Mismatch
from harness.wire import messages as wire
from harness.wire.tensors import to_proto
from scenarios.batching.scenario import ROWS, SCENARIO, WAIT, WIDE, rows
from scenarios.batching.together import Ask, Reply, metric, together, until

pytestmark = pytest.mark.scenario(SCENARIO)

_RUNS = ":tensorflow:serving:batching_session:wrapped_run_count"
_BATCH = ":tensorflow:serving:batching_session:"


def right(value: float) -> float:
    """What version 1 of ``half`` answers."""
    return value / 2 + 2


def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()


_ROWS_ALONE = wire.PredictRequest(model_spec=model_spec("shapes", signature="uneven"), output_filter=["same"])
_ROWS_ALONE.inputs["x"].CopyFrom(to_proto(WIDE["x"]))

CASES = (
    GrpcCase(
        "chosen-outputs",
        "Requests for other outputs have a queue of their own: what nobody asks for cannot fail them.",
        Call(PREDICT, _ROWS_ALONE),
        Answer(
            wire.PredictResponse(outputs={"same": to_proto(WIDE["x"] + np.float32(1), content=False)}),
            whole=False,
        ),
        facts=("8.4", "8.10"),
    ),
    RestCase(
        "scalar",
        "An input without rows cannot be batched.",
        post("/v1/models/half:predict", '{"inputs": 1.0}'),
        error(400, "Batching Run() input tensors must have at least one dimension"),
        facts=("8.5", "BAT-08"),
    ),
    RestCase(
        "columns-of-different-length",
        "Every input must have equally many rows.",
        post("/v1/models/two:predict", '{"inputs": {"a": [1.5, 2], "b": [2]}}'),
        error(400, "Batching Run() input tensors must have equal 0th-dimension size"),
        facts=("8.5", "BAT-08"),
    ),
    RestCase(
        "output-without-rows",
        "Every output must have rows.",
        post("/v1/models/shapes:predict", '{"signature_name": "total", "inputs": [[1, 2]]}'),
        error(400, "Batched output tensor has 0 dimensions"),
        facts=("8.10", "BAT-08"),
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """Plays a case."""
    case()


@pytest.mark.fact("8.8", "BAT-01")
def test_everybody_gets_his_own_answer(player: Player, protocol: Protocol) -> None:
    """Requests that come together each get the answer to what they asked."""
    asked = [float(3 * place) for place in range(4 * ROWS)]
    replies = together(player, protocol, [Ask("half", rows(value)) for value in asked])
    for value, reply in zip(asked, replies, strict=True):
        if reply.lone_output is None or reply.lone_output.tolist() != [right(value)]:
            raise Mismatch(f"[{right(value)}] for {value}", str(reply))


@pytest.mark.fact("8.15", "7.2", "BAT-02")
def test_requests_share_runs(player: Player, protocol: Protocol) -> None:
    """Requests that come together are run together: the model runs less often than it is asked."""
    asks = [Ask("half", rows(value)) for value in range(4 * ROWS)]

    def runs() -> float:
        before = metric(player, _RUNS)
        together(player, protocol, asks)
        return metric(player, _RUNS) - before

    count = until(runs, lambda count: count < len(asks))
    if not 0 < count < len(asks):
        raise Mismatch(f"fewer than {len(asks)} runs", f"{count:g} runs")


@pytest.mark.fact("8.15", "BAT-03")
def test_lone_request_waits(player: Player, protocol: Protocol) -> None:
    """A request that does not fill its batch waits for others, for as long as the parameters say."""
    (reply,) = together(player, protocol, [Ask("half", rows(1))])
    if isinstance(reply.outcome, Refusal) or reply.seconds < 0.9 * WAIT:
        raise Mismatch(f"an answer after {WAIT} s or a little more", str(reply))


@pytest.mark.fact("8.15", "BAT-03")
def test_full_batch_does_not_wait(player: Player, protocol: Protocol) -> None:
    """A batch that is full runs at once."""
    asks = [Ask("half", rows(*range(ROWS // 2))) for _ in range(2)]

    def slowest() -> Reply:
        return max(together(player, protocol, asks), key=lambda reply: reply.seconds)

    reply = until(slowest, lambda reply: reply.seconds < 0.9 * WAIT)
    if isinstance(reply.outcome, Refusal) or reply.seconds >= 0.9 * WAIT:
        raise Mismatch(f"answers within {WAIT} s", str(reply))


@pytest.mark.fact("8.9", "8.11", "BAT-09", "BAT-10", protocol=Protocol.GRPC)
def test_rows_of_different_length_fail_together(player: Player) -> None:
    """Without padding, requests whose rows differ in length fail together, whoever came first."""
    asks = [Ask("shapes", {"x": np.ones((1, width), np.float32)}) for width in (2, 3)]
    expect_common_failure(
        player, asks, Code.FAILED_PRECONDITION, "different shapes and padding is turned off"
    )


@pytest.mark.fact("8.11", "BAT-10", protocol=Protocol.GRPC)
def test_wrong_dtype_fails_its_batch(player: Player) -> None:
    """A request of another dtype fails everybody in its batch."""
    asks = [Ask("half", rows(1)), Ask("half", {"x": np.array([1], np.int32)})]
    expect_common_failure(player, asks, Code.INTERNAL, "Cannot concatenate tensors")


def expect_common_failure(player: Player, asks: list[Ask], code: Code, words: str) -> None:
    """Check that requests which share a batch all fail in the same way."""

    def failures() -> list[Refusal]:
        replies = together(player, Protocol.GRPC, asks, apart=0.01)
        return [reply.outcome for reply in replies if isinstance(reply.outcome, Refusal)]

    def common(found: list[Refusal]) -> bool:
        return [failure.code for failure in found if words in failure.text] == [code] * len(asks)

    found = until(failures, common)
    if not common(found):
        raise Mismatch(
            f"{len(asks)} times {code.name}: ... {words} ...", "; ".join(map(str, found)) or "answers"
        )


@pytest.mark.fact("8.14", "X-60", level="QUIRK", protocol=Protocol.GRPC)
def test_request_without_rows(player: Player) -> None:
    """A request without rows is answered with none, at the latest with the next request that has some."""
    asks = [Ask("half", rows()), Ask("half", rows(1, 2))]
    nothing, two = together(player, Protocol.GRPC, asks, apart=2 * WAIT)
    for reply, expected in ((nothing, []), (two, [right(1), right(2)])):
        if reply.lone_output is None or reply.lone_output.tolist() != expected:
            raise Mismatch(str(expected), str(reply))


@pytest.mark.parametrize(
    "name", ["queuing_latency", "input_batch_size", "processed_batch_size", "padding_size"]
)
@pytest.mark.fact("7.2", "8.15", protocol=Protocol.REST)
def test_metrics(player: Player, name: str) -> None:
    """The metrics page counts what waits, comes in, is run and is padded."""
    before = metric(player, f"{_BATCH}{name}_count")
    together(player, Protocol.REST, [Ask("half", rows(1))])
    after = metric(player, f"{_BATCH}{name}_count")
    if after <= before:
        raise Mismatch(f"{_BATCH}{name}_count above {before:g}", f"{after:g}")
