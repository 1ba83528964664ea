"""What can be seen of the server from outside while it is under load: its process and its own counters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psutil  # type: ignore[import-untyped]

from harness.client import RestClient, Unreachable

#: Where TensorFlow Serving shows its metrics, if it was told to [4.10].
_PAGE = "/monitoring/prometheus/metrics"
#: Metrics by the name that records give them; values of all label sets are added up.
_METRICS = {
    "request_count": ":tensorflow:serving:request_count",
    "request_latency_sum_us": ":tensorflow:serving:request_latency_sum",
    "request_latency_count": ":tensorflow:serving:request_latency_count",
    "runtime_latency_sum_us": ":tensorflow:serving:runtime_latency_sum",
    "runtime_latency_count": ":tensorflow:serving:runtime_latency_count",
}
_SAMPLE = re.compile(r"^([^\s{#]+)(?:\{.*\})? (\S+)$", re.MULTILINE)


def parse_metrics(page: str) -> dict[str, float]:
    """The sums that records keep, from a Prometheus text page; empty if it has none of them."""
    names = {metric: name for name, metric in _METRICS.items()}
    sums: dict[str, float] = {}
    for metric, value in _SAMPLE.findall(page):
        if metric in names:
            sums[names[metric]] = sums.get(names[metric], 0.0) + float(value)
    return sums


class Processes:
    """CPU and memory of the server, if it runs here, and of the generator's own process."""

    def __init__(self, server: int | None) -> None:
        self._watched = {"generator": psutil.Process()}
        if server is not None:
            self._watched["server"] = psutil.Process(server)
        for process in self._watched.values():
            process.cpu_percent()  # the first call only begins to measure

    def look(self) -> Iterator[dict[str, Any]]:
        """Use since the last look, one line for each process; 100 % is one core."""
        for who, process in self._watched.items():
            try:
                with process.oneshot():
                    yield {
                        "who": who,
                        "cpu_percent": process.cpu_percent(),
                        "rss_bytes": process.memory_info().rss,
                    }
            except psutil.NoSuchProcess:
                continue


class Metrics:
    """The server's counters, as differences since the last look."""

    def __init__(self, rest: str | None) -> None:
        self._client = None if rest is None else RestClient(rest, timeout=2)
        self._last = self._read()

    def look(self) -> dict[str, float] | None:
        """What was counted since the last look; None if the server shows no metrics."""
        if self._client is None:
            return None
        found = self._read()
        difference = {name: max(0.0, value - self._last.get(name, 0.0)) for name, value in found.items()}
        self._last = found
        return difference or None

    def _read(self) -> dict[str, float]:
        if self._client is None:
            return {}
        try:
            reply = self._client.exchange("GET", _PAGE)
        except Unreachable:
            return {}
        found = parse_metrics(reply.body.decode("utf-8", "replace")) if reply.status == 200 else {}
        if not found:
            # It is not there, and will not be later: asking again would only disturb.
            self._client.close()
            self._client = None
        return found
