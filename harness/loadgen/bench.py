"""The load generator's own speed against the null server: what it can make, and what it adds to a latency.

``python -m harness.loadgen.bench`` prints the table. :func:`rows` measures in a process of its own, since
this module imports Locust's side of the generator, which monkey-patches.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import gevent
import gevent.event
import numpy as np

from harness.client import json_form
from harness.client.grpc import PREDICT, predict_request
from harness.client.rest import model_path
from harness.loadgen import histograms, messages, rest_sender
from harness.loadgen.arrivals import Arrival, Stage
from harness.loadgen.calibration import NullServer
from harness.loadgen.checking import Expected
from harness.loadgen.collector import Endpoint
from harness.loadgen.generator import Generator
from harness.loadgen.plan import Phase, Plan, Prepared
from harness.loadgen.tally import Tally
from harness.terms import Protocol
from harness.wire import messages as wire
from harness.wire import tensors

#: Seconds of each measurement.
_SECONDS = 2.0
#: Rate at which the latency that the generator adds is measured.
_RATE = 500.0


class Row(NamedTuple):
    """A figure with the bound that it should keep: at least ``bound`` if ``more`` is better, else at most."""

    name: str
    value: float
    unit: str
    bound: float | None
    more: bool

    @property
    def ok(self) -> bool:
        """Whether the bound is kept."""
        return self.bound is None or (self.value >= self.bound if self.more else self.value <= self.bound)


def rows() -> list[Row]:
    """Measure, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.loadgen.bench", "--json"], capture_output=True, text=True, check=True
    )
    return [Row(*row) for row in json.loads(done.stdout)]


def half_plus_two(addresses: Mapping[str, str], protocol: Protocol) -> Plan:
    """A plan of one request with three floats, and its answer."""
    inputs = {"x": np.array([1.0, 2.0, 5.0], np.float32)}
    outputs = {"y": np.array([2.5, 3.0, 4.5], np.float32)}
    expected = Expected({1: [outputs]}, 1e-6)
    if protocol is Protocol.REST:
        path, body = model_path("half_plus_two") + ":predict", json_form.predict_body(inputs)
        sample = b'{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
    else:
        path, body = PREDICT, predict_request("half_plus_two", inputs).SerializeToString()
        reply = wire.PredictResponse()
        reply.model_spec.name, reply.model_spec.version.value = "half_plus_two", 1
        reply.outputs["y"].CopyFrom(tensors.to_proto(outputs["y"]))
        sample = reply.SerializeToString()
    endpoint = Endpoint(protocol, "half_plus_two", f"{protocol} predict half_plus_two")
    request = Prepared(protocol, endpoint, path, body, 1.0, expected, sample)
    return Plan(addresses, [request], timeout=5, patience=5, bound=None, seed=1)


class _Bench:
    """One generator with users, as Locust would run it."""

    def __init__(self, plan: Plan, users: int) -> None:
        # Imported here: Locust patches the standard library.
        from harness.loadgen.locust_glue import null_hook, on_request

        told = on_request(null_hook().fire)
        self._tallies: list[Tally] = []
        self._done = gevent.event.Event()
        self._cpu = 0.0
        self._generator = Generator("bench", self._hear, told, told)
        self._generator.plan(plan.to_message())
        self._users = [gevent.spawn(self._generator.work) for _ in range(users)]

    def _hear(self, message: str, data: dict[str, Any]) -> None:
        if message == messages.WINDOWS:
            self._tallies += [tally for _, _, tally in data["windows"]]
        elif message == messages.DONE:
            self._cpu = data["cpu"]
            self._done.set()

    def run(self, arrival: Arrival, rate: float) -> tuple[Tally, float]:
        """The tally of a phase, and the part of a core that it took."""
        phase = Phase(
            1, "bench", time.time() + 0.2, arrival, (Stage(_SECONDS, rate, rate),), workers=("bench",)
        )
        self._generator.phase(phase.to_message())
        self._done.wait(_SECONDS + 10)
        gevent.killall(self._users)
        return Tally.sum(self._tallies), self._cpu


def _bare_round_trip(address: str, request: bytes) -> float:
    """Median seconds of a round trip with a blocking socket and nothing else."""
    host, _, port = address.rpartition(":")
    times = []
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(1000):
            begin = time.perf_counter()
            connection.sendall(request)
            connection.recv(65536)
            times.append(time.perf_counter() - begin)
            time.sleep(1 / _RATE)  # the same pauses as under load: a busy server answers faster
    return float(np.median(times))


def measure() -> list[Row]:
    """All figures. Call it in a process that may be monkey-patched."""
    found = []
    for protocol, bound in ((Protocol.REST, 9000.0), (Protocol.GRPC, 7000.0)):
        plan = half_plus_two({}, protocol)
        with NullServer([plan.requests[0].sample]) as server:
            plan = half_plus_two(server.addresses, protocol)
            tally, cpu = _Bench(plan, 16).run(Arrival.CLOSED, 0.0)
            per_s = tally.correct / _SECONDS
            found.append(Row(f"{protocol} checked requests/s, one process", per_s, "/s", bound, True))
            found.append(Row(f"{protocol} CPU per request", cpu / per_s * 1e6, "us", 1e6 / bound, False))
            tally, _ = _Bench(plan, 8).run(Arrival.CONSTANT, _RATE)
            p50 = histograms.percentile(tally.response, 50)
            found.append(Row(f"{protocol} p50 at {_RATE:g}/s", p50, "us", None, False))
            if protocol is Protocol.REST:
                request = plan.requests[0]
                wire_bytes = rest_sender.prepare(plan.addresses[protocol], request.path, request.body)
                bare = _bare_round_trip(plan.addresses[protocol], wire_bytes) * 1e6
                found.append(Row(f"{protocol} p50 of a bare socket", bare, "us", None, False))
            found.append(Row(f"{protocol} p50 overhead", p50 - bare, "us", 150.0, False))
    return found


def main() -> None:
    """Print the figures, as a table or as JSON."""
    measured = measure()
    if "--json" in sys.argv[1:]:
        print(json.dumps(measured))
        return
    for row in measured:
        sign = "" if row.bound is None else f"  (wanted {'>=' if row.more else '<='} {row.bound:,.0f})"
        print(f"{row.name:40} {row.value:12,.1f} {row.unit:3}{sign}{'' if row.ok else '  MISSED'}")


if __name__ == "__main__":
    main()
