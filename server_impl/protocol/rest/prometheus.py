"""The metrics page, in the text that TensorFlow Serving writes for Prometheus [7.1]."""

from __future__ import annotations

import re
from collections.abc import Iterator

from server_impl.metrics import Histogram, LabelValues, Metric, ServingMetrics

#: Where the page is when the monitoring configuration names no path [4.10.1].
DEFAULT_PATH = "/monitoring/prometheus/metrics"


def page(metrics: ServingMetrics) -> bytes:
    """The whole page: for each metric its TYPE line, even without samples, then its samples [7.1.1]."""
    lines = [line for metric in metrics.all() for line in _lines(metric)]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _lines(metric: Metric) -> Iterator[str]:
    name = re.sub(r"[^a-zA-Z0-9_]", ":", metric.name)
    yield f"# TYPE {name} {metric.kind}"
    if isinstance(metric, Histogram):
        bounds = [*(f"{bound:g}" for bound in metric.bounds), "+Inf"]
        for values, distribution in metric.collect():
            labels = _labels(metric.labels, values)
            prefix = f"{name}_bucket{{{labels}{',' if labels else ''}le="
            total = 0
            for bound, count in zip(bounds, distribution.counts, strict=True):
                total += count
                yield f'{prefix}"{bound}"}} {total}'
            yield f"{name}_sum{{{labels}}} {distribution.sum:g}"
            yield f"{name}_count{{{labels}}} {total}"
    else:
        for values, number in metric.collect():
            yield f"{name}{{{_labels(metric.labels, values)}}} {number}"


def _labels(names: tuple[str, ...], values: LabelValues) -> str:
    """Label names and values inside the braces; a line break in a value stays one [7.1.2]."""
    return ",".join(
        f'{name}="{value}"'
        for name, value in zip(
            names, (v.replace("\\", r"\\").replace('"', r"\"") for v in values), strict=True
        )
    )
