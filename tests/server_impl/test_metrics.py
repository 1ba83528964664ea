from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from server_impl.metrics import (
    LATENCY_BOUNDS,
    QUEUING_BOUNDS,
    Distribution,
    Histogram,
    Scalar,
    ServingMetrics,
    exponential_bounds,
)
from server_impl.protocol.rest.app import prometheus


def test_bounds() -> None:
    assert exponential_bounds(1, 2, 4) == (1, 2, 4, 8)
    assert (len(LATENCY_BOUNDS), f"{LATENCY_BOUNDS[-1]:g}") == (33, "1.47476e+09")
    assert (len(QUEUING_BOUNDS), f"{QUEUING_BOUNDS[-1]:g}") == (52, f"{100 * 1.2**51:g}")


def test_a_value_on_a_bound_counts_above_it() -> None:
    histogram = Histogram("h", bounds=(1, 2))
    for value in (0.5, 1, 1.5, 2, 1e9):
        histogram.record(value)
    assert histogram.collect() == [((), Distribution((1, 2, 2), 1_000_000_005.0))]


def test_cells_are_sorted_by_label_values() -> None:
    counter = Scalar("c", "a", "b")
    for labels in (("x", "2"), ("x", "1"), ("w", "3"), ("x", "1")):
        counter.increment(*labels)
    assert counter.collect() == [(("w", "3"), 1), (("x", "1"), 2), (("x", "2"), 1)]


def test_no_update_is_lost() -> None:
    counter, histogram = Scalar("c"), Histogram("h", bounds=(1, 2))

    def update(_: int) -> None:
        for _ in range(2000):
            counter.increment()
            histogram.record(1.5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(update, range(4)))
    assert counter.collect() == [((), 8000)]
    assert histogram.collect() == [((), Distribution((0, 8000, 0), 12000.0))]


def test_value_of_the_first_cell() -> None:
    metrics = ServingMetrics()
    name = "/tensorflow/serving/request_count"
    assert metrics.value(name) == 0
    metrics.request_count.increment("m", "OK", by=3)
    metrics.request_count.increment("a", "OK", by=2)
    metrics.request_latency.record(1, "m", "", "REST")
    assert metrics.value(name) == 2
    assert metrics.value("/tensorflow/serving/request_latency") == 0
    assert metrics.value("/no/such/metric") == 0


def test_page_without_traffic_has_a_type_line_for_each_metric() -> None:
    lines = prometheus.page(ServingMetrics()).decode().splitlines()
    assert lines == sorted(lines)
    assert "# TYPE :tensorflow:serving:request_count counter" in lines
    assert "# TYPE :tensorflow:serving:request_log_count counter" in lines
    assert "# TYPE :tensorflow:serving:mlmd_map gauge" in lines
    assert "# TYPE :tensorflow:serving:batching_session:queuing_latency histogram" in lines
    assert not any("batch_size" in line or "padding_size" in line for line in lines)


def test_metrics_that_appear_with_their_first_value() -> None:
    metrics = ServingMetrics()
    metrics.padding_size.record(3, "8")
    page = prometheus.page(metrics).decode()
    assert (
        '\n:tensorflow:serving:batching_session:padding_size_bucket{execution_batch_size="8",le="4"} 1\n'
        in page
    )


def test_samples() -> None:
    metrics = ServingMetrics()
    metrics.graph_runs.increment(by=3)
    metrics.request_count.increment('q"\\\n\udcff', "OK")
    metrics.model_warmup_latency.record(18, "/m/1", "OK")
    metrics.model_warmup_latency.record(1e12, "/m/1", "OK")
    metrics.input_batch_size.record(2)
    page = prometheus.page(metrics)
    assert page.endswith(b"\n")
    assert b"\n:tensorflow:core:graph_runs{} 3\n" in page
    assert b'\n:tensorflow:serving:request_count{model_name="q\\"\\\\\n\xff",status="OK"} 1\n' in page
    warmup = [line for line in page.decode("utf-8", "replace").splitlines() if "model_warmup_latency" in line]
    labels = 'model_path="/m/1",status="OK"'
    name = ":tensorflow:serving:model_warmup_latency"
    assert warmup[:4] == [
        f"# TYPE {name} histogram",
        f'{name}_bucket{{{labels},le="10"}} 0',
        f'{name}_bucket{{{labels},le="18"}} 0',
        f'{name}_bucket{{{labels},le="32.4"}} 1',
    ]
    assert warmup[-3:] == [
        f'{name}_bucket{{{labels},le="+Inf"}} 2',
        f"{name}_sum{{{labels}}} 1e+12",
        f"{name}_count{{{labels}}} 2",
    ]
    assert b'\n:tensorflow:serving:batching_session:input_batch_size_bucket{le="1"} 0\n' in page
    assert b"\n:tensorflow:serving:batching_session:input_batch_size_sum{} 2\n" in page


@pytest.mark.parametrize(
    "bound", ["58.32", "104.976", "188.957", "612.22", "20823", "1.27482e+06", "8.19309e+08"]
)
def test_bounds_have_six_digits(bound: str) -> None:
    metrics = ServingMetrics()
    metrics.runtime_latency.record(1, "m", "Predict", "TF1")
    line = f'API="Predict",runtime="TF1",le="{bound}"}} 1\n'
    assert line in prometheus.page(metrics).decode()
