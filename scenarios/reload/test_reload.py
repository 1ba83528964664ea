"""Checks of new configurations for a running server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness import model_config
from harness.client import GrpcClient
from harness.client.grpc import RELOAD_CONFIG
from harness.player import Player
from harness.terms import Protocol
from harness.verdict import Mismatch
from harness.wire import messages as wire
from scenarios.reload.file import FILE
from scenarios.reload.models import A, B
from scenarios.reload.scenario import BUSY, SCENARIO
from scenarios.reload.waiting import BLANK, WAITING


@pytest.mark.scenario(SCENARIO)
@pytest.mark.fact("6.9.2", "6.9.4", "REL-12", "REL-13", level="SHOULD", protocol=Protocol.GRPC)
def test_metric_increases(player: Player) -> None:
    """A reload tells how metrics grew meanwhile, each name once; of a metric that nobody has it says 0."""
    client = player.client(Protocol.GRPC)
    assert isinstance(client, GrpcClient)
    names = ["/no/such", "/tensorflow/serving/request_count", "/no/such"]
    config = model_config.message((A, BUSY, B), player.server.models_root)
    request = wire.ReloadConfigRequest(config=config, metric_names=names)
    reply = wire.ReloadConfigResponse.FromString(client.exchange(RELOAD_CONFIG, request.SerializeToString()))
    told = sorted((metric.name, metric.int64_value_increase) for metric in reply.metric)
    wanted = sorted((name, 0) for name in set(names))
    if reply.status.error_code or told != wanted:
        raise Mismatch(f"OK, {wanted}", f"{reply.status.error_code}, {told}")


@pytest.mark.scenario(SCENARIO)
def test_reload(check: Callable[[], None]) -> None:
    """Plays reloads over gRPC."""
    check()


@pytest.mark.scenario(WAITING)
def test_reload_that_waits(check: Callable[[], None]) -> None:
    """Plays reloads that wait for a folder."""
    check()


@pytest.mark.scenario(BLANK)
def test_blank(check: Callable[[], None]) -> None:
    """Plays a server whose configuration says nothing."""
    check()


@pytest.mark.scenario(FILE)
def test_file(check: Callable[[], None]) -> None:
    """Plays a configuration file that is read again."""
    check()
