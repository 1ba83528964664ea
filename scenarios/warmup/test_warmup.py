"""Checks of warm-up."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from harness.client import RestClient
from harness.player import Player
from harness.startup import NO_RETRIES, ONE_MODEL, Serves, StartUp
from harness.terms import Model, Protocol
from harness.verdict import Mismatch
from scenarios.warmup.scenario import BAD, GOOD, NAME_IN_RECORD, SCENARIO, TWICE, add, bring

scenario = pytest.mark.scenario(SCENARIO)
twice = pytest.mark.scenario(TWICE)

#: Labels of version 1 of the model ``three``.
_THREE = r'model_path=".*/three/1",status="OK"'
_THREE_LOADED = r'model_path=".*/three/1",status="success"'

START_UPS = (
    StartUp(
        "log",
        "The log tells where warm-up begins, and how many records it has read.",
        ONE_MODEL,
        Serves(
            log=re.compile(
                r"Starting to read warmup data for model at "
                r"$MODELS/m/1/assets\.extra/tf_serving_warmup_requests [\s\S]*"
                r"Finished reading warmup data for model at "
                r"$MODELS/m/1/assets\.extra/tf_serving_warmup_requests\. "
                r"Number of warmup records read: 2\. Elapsed time \(microseconds\): \d+\."
            )
        ),
        models=(Model("m", "counter", offset=-1, files=bring([add(1), add(2)])),),
        facts=("9.7", "10.4", "WRM-01"),
    ),
    StartUp(
        "log-without-file",
        "The log tells where a warm-up file was looked for.",
        ONE_MODEL,
        Serves(log="No warmup data file found at $MODELS/m/1/assets.extra/tf_serving_warmup_requests"),
        facts=("9.1",),
    ),
    StartUp(
        "off",
        "With --enable_model_warmup=false the file is not looked at, broken as it may be.",
        (*ONE_MODEL, NO_RETRIES, "--enable_model_warmup=false"),
        Serves(),
        models=(Model("m", "counter", offset=-1, files=dict(BAD[-3][3])),),
        facts=("9.8", "WRM-08"),
    ),
)


@pytest.mark.start_ups(START_UPS)
def test_start_up(start_up: Callable[[], None]) -> None:
    """Starts a server and looks what becomes of it."""
    start_up()


@scenario
@pytest.mark.parametrize(
    ("model", "count"),
    [
        pytest.param(
            name, count, id=name, marks=pytest.mark.fact(*facts, level=level, protocol=Protocol.GRPC)
        )
        for name, _, count, _, facts, level in GOOD
    ],
)
def test_count(player: Player, model: str, count: int) -> None:
    """What the warm-up of a version adds up to is there before the first request."""
    expect_count(player, model, count)


@twice
@pytest.mark.fact("9.7", "WRM-09", protocol=Protocol.GRPC)
def test_twice(player: Player) -> None:
    """With --num_request_iterations_for_warmup=2 each record is run twice."""
    expect_count(player, "three", 14)


@twice
@pytest.mark.fact("9.7", "WRM-09", "MET-10", protocol=Protocol.REST)
def test_records_are_not_runs(player: Player) -> None:
    """However often a record is run, the metrics count it once."""
    read = metric(
        player, ":tensorflow:serving:model_warmup_records_read", r'model_path=".*/three/1",status="OK"'
    )
    if read != [2]:
        raise Mismatch("2 records read", str(read))


@scenario
@pytest.mark.parametrize("name", ["model_warmup_latency_count", "model_warmup_records_read"])
@pytest.mark.fact("7.2", "MET-10", protocol=Protocol.REST)
def test_metrics(player: Player, name: str) -> None:
    """The metrics tell by version folder that warm-up was done, and how many records it had."""
    found = metric(player, f":tensorflow:serving:{name}", _THREE)
    expected = [3] if name.endswith("read") else [1]
    if found != expected:
        raise Mismatch(f"{name} {expected}", str(found))


@scenario
@pytest.mark.fact("7.2.2", "X-55", level="QUIRK", protocol=Protocol.REST)
def test_bounds_of_latencies(player: Player) -> None:
    """Latencies are counted in 33 buckets, each 1.8 times as wide as the one before, and a last one."""
    page = metrics_page(player)
    name = ":tensorflow:serving:model_warmup_latency_bucket"
    found = re.findall(rf'(?m)^{name}{{{_THREE},le="(.*)"}} ', page)
    expected = [*(f"{10 * 1.8**place:.6g}" for place in range(33)), "+Inf"]
    if found != expected:
        raise Mismatch(str(expected), str(found))


@scenario
@pytest.mark.fact("7.2.3", "X-56", level="SHOULD", protocol=Protocol.REST)
def test_loads_are_counted(player: Player) -> None:
    """The metrics tell by version folder how often a SavedModel was loaded."""
    loads = metric(player, ":tensorflow:cc:saved_model:load_attempt_count", _THREE_LOADED)
    if loads != [1]:
        raise Mismatch("1 load", str(loads))


@scenario
@pytest.mark.fact("9.9", "7.2.1", "X-62", protocol=Protocol.REST)
def test_warmup_is_no_request(player: Player) -> None:
    """Warm-up is not counted as a request, but its runs are timed, under the name in the record."""
    label = f'model_name="{NAME_IN_RECORD}"'
    requests = metric(player, ":tensorflow:serving:request_count", rf"{label},.*")
    runs = metric(player, ":tensorflow:serving:runtime_latency_count", rf"{label},.*")
    if requests or runs != [1]:
        raise Mismatch("no request and 1 run", f"requests {requests}, runs {runs}")


@scenario
def test_step(check: Callable[[], None]) -> None:
    """Plays the scenario; each check of each step is a test of its own."""
    check()


def expect_count(player: Player, model: str, count: int) -> None:
    """Check how far a model has counted."""
    client = player.client(Protocol.GRPC)
    outputs = client.predict(model, {"any": np.array([0])}, signature="peek").outputs
    if outputs["count"].tolist() != [count]:
        raise Mismatch(f"count {count}", str(outputs["count"].tolist()))


def metric(player: Player, name: str, labels: str) -> list[float]:
    """The numbers of a metric's lines whose labels match; at most one is right."""
    page = metrics_page(player)
    return [float(value) for value in re.findall(rf"(?m)^{re.escape(name)}{{{labels}}} (\S+)$", page)]


def metrics_page(player: Player) -> str:
    """The page that a collector reads."""
    client = player.client(Protocol.REST)
    assert isinstance(client, RestClient)
    return client.exchange("GET", "/monitoring/prometheus/metrics").body.decode()
