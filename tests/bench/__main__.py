"""``python -m tests.bench``: what requests cost, beside a yardstick measured in the same run.

Every figure of a server is its own processor time per request, read from the operating system while an
external load generator keeps it busy. Bounds are printed beside the figures; nothing fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness import models
from harness.client import json_form
from harness.client.grpc import predict_request
from harness.loadgen import bench as generator
from harness.models import cache
from harness.terms import Tensors
from tests.bench.drivers import IN_FLIGHT, Load, drive_grpc, drive_rest
from tests.bench.processes import Running, reference, running

_THREE_FLOATS: Tensors = {"x": np.array([1.0, 2.0, 5.0], np.float32)}
_FEW_CLIENTS = 8
_ECHO = [sys.executable, "-m", "tests.bench.echo"]


class Row(NamedTuple):
    """One line of the table; ``bound`` is what the figure should not exceed (or reach, if ``more``)."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    more: bool = False
    note: str = ""


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests: noisy, but soon done")
    parser.add_argument("--only", choices=["server", "generator"], help="one half of the table")
    chosen = parser.parse_args(arguments)
    scale = 0.1 if chosen.quick else 1.0
    rows: list[Row] = []
    if chosen.only != "generator":
        rows += _server_rows(scale)
    if chosen.only != "server":
        rows += [Row(row.name, row.value, row.unit, row.bound, row.more) for row in generator.rows()]
    print(_table(rows))
    return 0


def _server_rows(scale: float) -> list[Row]:
    names = ("half_plus_two", "dense", "image_mean")
    builders = {name: models.BUILDERS[name] for name in names}
    cache.prepare([(builder, 1) for builder in builders.values()], progress=print)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, builder in builders.items():
            base = Path(folder, name)
            base.mkdir()
            (base / "1").symlink_to(cache.saved_model(builder, 1))
        half = predict_request("half_plus_two", {"x": np.array([1.0, 2.0, 5.0], np.float32)})
        with running(_ECHO, rest=False) as server:
            echo, _ = _cost(
                server, lambda: drive_grpc(server.grpc, half.SerializeToString(), int(20_000 * scale))
            )
        rows.append(Row("yardstick: bare grpc.aio echo", echo, "us/request"))
        rows += _half_plus_two(Path(folder, "half_plus_two"), half.SerializeToString(), echo, scale)
        rows += _dense(Path(folder, "dense"), scale)
        rows += _image(Path(folder, "image_mean"), scale)
    return rows


def _half_plus_two(base: Path, message: bytes, echo: float, scale: float) -> list[Row]:
    rows = []
    with running(reference(base, "half_plus_two")) as server:
        rows.append(Row("start to both ports open", server.ready_s, "s", 1.5))
        rows.append(Row("resident memory when ready", server.resident_mb(), "MB", 420))
        body = json_form.predict_body(_THREE_FLOATS)
        path = "/v1/models/half_plus_two:predict"
        grpc, rate = _cost(server, lambda: drive_grpc(server.grpc, message, int(100_000 * scale)))
        name = f"gRPC Predict, 3 floats, {IN_FLIGHT} in flight"
        rows.append(Row(name, grpc, "us/request", 45, note=_less(echo, grpc)))
        rows.append(Row(name, rate, "requests/s"))
        for clients in (_FEW_CLIENTS, IN_FLIGHT):
            name = f"REST predict, 3 floats, {clients} clients"
            rest, rate = _cost(server, partial(drive_rest, server.rest, path, body, 10 * scale + 1, clients))
            rows.append(Row(name, rest, "us/request", 50, note=_less(echo, rest)))
            rows.append(Row(name, rate, "requests/s"))
        rows.append(Row("resident memory after the load", server.resident_mb(), "MB", 420))
    return rows


def _less(yardstick: float, value: float) -> str:
    return f"{yardstick / value:.1f}x less than the yardstick"


def _dense(base: Path, scale: float) -> list[Row]:
    """A batch of 32 vectors of 784 floats, against the same run without a server."""
    inputs: Tensors = {"pixels": np.random.default_rng(0).random((32, 784)).astype(np.float32)}
    command = [sys.executable, "-m", "tests.bench.bare", str(base / "1"), "pixels", "32", "784"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bare, brief = map(float, printed.split())
    with running(reference(base, "dense")) as server:
        message = predict_request("dense", inputs).SerializeToString()
        served, _ = _cost(server, lambda: drive_grpc(server.grpc, message, int(10_000 * scale)))
    ratio = f"{served / bare:.2f}x the run alone"
    return [
        Row("dense, batch of 32: the session run alone", bare, "us"),
        Row("  the same on the calling thread", brief, "us"),
        Row("dense, batch of 32 over gRPC", served, "us/request", 2 * bare, note=ratio),
    ]


def _image(base: Path, scale: float) -> list[Row]:
    inputs = models.BUILDERS["image_mean"].signature(None).sample(1)
    # All digits of a double, as clients send them that know no float32.
    body = json_form.predict_body({alias: array.astype(np.float64) for alias, array in inputs.items()})
    with running(reference(base, "image_mean")) as server:
        path = "/v1/models/image_mean:predict"
        costs = [
            _cost(server, partial(drive_rest, server.rest, path, body, 10 * scale + 1, clients))
            for clients in (1, _FEW_CLIENTS)
        ]
    (alone, _), (cost, rate) = costs
    return [
        Row(f"JSON image, {len(body) / 1e6:.1f} MB over REST, 1 client", alone / 1e3, "ms/request", 7),
        Row(f"  {_FEW_CLIENTS} clients", cost / 1e3, "ms/request", 7, note=f"{rate:.0f} requests/s"),
    ]


def _cost(server: Running, drive: Callable[[], Load]) -> tuple[float, float]:
    """Processor time of the server per request in microseconds, and requests per second."""
    drive()  # what is slow only once is not counted
    before = server.cpu_s()
    load = drive()
    return (server.cpu_s() - before) / load.requests * 1e6, load.rate


def _table(rows: Sequence[Row]) -> str:
    lines = [f"{'':<46} {'measured':>10}  {'unit':<12} {'bound':>9}"]
    for row in rows:
        bound = "" if row.bound is None else f"{'>=' if row.more else '<='} {row.bound:,.4g}"
        kept = row.bound is None or (row.value >= row.bound if row.more else row.value <= row.bound)
        note = row.note if kept else f"MISSED {row.note}"
        lines.append(f"{row.name:<46} {row.value:>10,.4g}  {row.unit:<12} {bound:>9}  {note}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
