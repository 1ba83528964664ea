import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.loadgen import peak


def exact_cdf(k, n, p):
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@given(st.integers(1, 60), st.floats(0.001, 0.999), st.data())
def test_the_binomial_tail_is_exact(n, p, data):
    k = data.draw(st.integers(0, n))
    assert peak.binomial_cdf(k, n, p) == pytest.approx(exact_cdf(k, n, p), rel=1e-9, abs=1e-12)


def test_a_large_tail_stays_finite():
    assert peak.binomial_cdf(10_000, 1_000_000, 0.01) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("share", "queries"), [(0.9, 44), (0.99, 459), (0.999, 4603)])
def test_as_many_requests_are_needed_as_mlperf_says(share, queries):
    assert peak.minimum_queries(share) == queries
    assert peak.decide(0, queries, share) is True
    assert peak.decide(0, queries - 1, share) is None


def test_enough_requests_leave_room_for_some_that_break_the_bound():
    n = peak.enough_queries(0.99)
    assert 500 < n < 2000
    assert peak.decide(int(n * 0.0025), n, 0.99) is True


def test_hopeless_and_undecided_trials_are_told_apart():
    assert peak.decide(50, 500, 0.99) is False
    assert peak.decide(5, 500, 0.99) is None


@given(st.integers(1, 5000), st.data())
def test_the_share_that_is_sure_lies_below_the_share_that_was_seen(n, data):
    over = data.draw(st.integers(0, n - 1))
    assert 0 <= peak.share_at_least(over, n) < (n - over) / n


class SimulatedServer:
    """Keeps the bound for all requests but a share that grows steeply beyond ``capacity``."""

    def __init__(self, capacity, seconds=5.0):
        self.capacity = capacity
        self.rates = []
        self._seconds = seconds
        self._random = np.random.default_rng(5)

    def __call__(self, rate):
        self.rates.append(rate)
        n = max(int(rate * self._seconds), peak.enough_queries(0.99))
        slow = 0.0003 if rate <= self.capacity else min(1.0, 0.05 + (rate / self.capacity - 1))
        over = int(self._random.binomial(n, slow))
        return peak.Trial(rate, n, over, peak.decide(over, n, 0.99) is True)


@pytest.mark.parametrize("capacity", [130.0, 1000.0, 7777.0])
@pytest.mark.parametrize("start", [100.0, 20_000.0])
def test_the_peak_of_a_simulated_server_is_found(capacity, start):
    server = SimulatedServer(capacity)
    found = peak.find(server, share=0.99, start=start)
    assert capacity / 1.06 <= found.best.rate <= capacity
    assert found.broke.rate <= found.best.rate * 1.051
    assert len(server.rates) < 25
    assert "99% confidence" in found.text


def test_no_rate_above_the_generators_own_is_tried():
    server = SimulatedServer(10_000)
    found = peak.find(server, share=0.99, start=100, highest=1500)
    assert max(server.rates) == 1500
    assert found.best.rate == 1500
    assert "limit of the search" in found.text


def test_a_server_that_never_holds_ends_the_search():
    found = peak.find(lambda rate: peak.Trial(rate, 100, 100, False), share=0.99, start=100, lowest=10)
    assert found.best is None
    assert found.text.startswith("no rate held; the lowest tried was 10/s")
