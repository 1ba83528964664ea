import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.loadgen import histograms
from harness.loadgen.tally import Tally

latencies = st.lists(st.floats(0, 100), max_size=200)


def histogram_of(values):
    histogram = histograms.new()
    for value in values:
        histograms.record(histogram, value)
    return histogram


def counts(histogram):
    return {at: count for at, count in enumerate(histogram.counts) if count}


@given(latencies, latencies)
def test_a_sum_equals_the_histogram_of_all_samples(one, other):
    merged = histograms.merge([histogram_of(one), histogram_of(other)])
    assert counts(merged) == counts(histogram_of(one + other))


@given(latencies)
def test_a_histogram_survives_the_journey(values):
    histogram = histogram_of(values)
    assert counts(histograms.decode(histograms.encode(histogram))) == counts(histogram)


@given(st.lists(st.floats(1e-6, 50), min_size=1, max_size=100), st.floats(1e-6, 50))
def test_samples_above_a_bound_are_counted_to_three_digits(values, bound):
    found = histograms.count_above(histogram_of(values), bound * 1e6)
    assert sum(value > bound * 1.002 for value in values) <= found
    assert found <= sum(value > bound * 0.998 - 1e-6 for value in values)


def test_percentiles_are_in_microseconds():
    shown = histograms.percentiles(histogram_of([0.001] * 999 + [0.5]))
    assert shown["p50"] == pytest.approx(1000, rel=1e-3)
    assert shown["p99.9"] == pytest.approx(1000, rel=1e-3)
    assert histograms.percentiles(histograms.new()) == {}


@given(st.lists(st.floats(1e-6, 50), min_size=1, max_size=50), st.floats(0.01, 100))
def test_percentiles_are_those_of_the_library(values, p):
    histogram = histogram_of(values)
    assert histograms.percentile(histogram, p) == histogram.get_value_at_percentile(p)


def test_tallies_add_up_across_processes():
    one, other = Tally(sent=3, done=2, correct=2), Tally(sent=1, done=1, failed=1, dropped=2)
    one.versions["1"] += 2
    other.errors["NOT_FOUND"] += 1
    histograms.record(one.response, 0.001)
    total = Tally.sum([one, Tally.from_message(other.to_message())])
    assert (total.sent, total.done, total.asked, total.bad) == (4, 3, 5, 3)
    assert total.versions == {"1": 2}
    assert total.errors == {"NOT_FOUND": 1}
    assert total.response.get_total_count() == 1
    assert one.done == 2
