"""Histograms, intervals and the words for changes, against references and known values."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import samples
from hdrh.histogram import HdrHistogram
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reports import bootstrap, histogram, proportion, units
from reports.comparison import Direction, judged
from reports.proportion import Interval

LATENCIES = st.lists(st.integers(1, 60_000_000), min_size=1, max_size=200)


@given(values=LATENCIES, percent=st.floats(0.001, 100))
def test_quantiles_are_those_of_hdrhistogram(values: list[int], percent: float) -> None:
    # At a tie of ranks, rounding of the product decides.
    assume(abs(percent / 100 * len(values) % 1 - 0.5) > 1e-6)
    text = samples.encoded(values)
    ours, theirs = histogram.decode(text), HdrHistogram.decode(text)
    assert ours.quantile(percent / 100) == theirs.get_value_at_percentile(percent)
    assert ours.total == len(values)


@given(parts=st.lists(LATENCIES, min_size=1, max_size=4))
def test_merging_parts_gives_the_histogram_of_all(parts: list[list[int]]) -> None:
    merged = histogram.merge([histogram.decode(samples.encoded(part)) for part in parts])
    whole = histogram.decode(samples.encoded([value for part in parts for value in part]))
    assert merged.values.tolist() == whole.values.tolist()
    assert merged.counts.tolist() == whole.counts.tolist()


def test_the_mean_and_the_values_above_a_limit() -> None:
    some = histogram.decode(samples.encoded([100, 200, 300, 1000]))
    assert some.mean == 400
    assert some.above(200) == 2
    assert (histogram.EMPTY.mean, histogram.EMPTY.quantile(0.5), histogram.EMPTY.highest) == (0, 0, 0)


@pytest.mark.parametrize("text", ["", "AAAA", "HISTFAAAABl42pNpmSzMwMDAx", "%%%", "A" * 1_000_001])
def test_what_is_no_histogram_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is (not an HdrHistogram|a histogram of)"):
        histogram.decode(text)


@given(text=st.binary(max_size=200), cut=st.integers(0, 80))
def test_damaged_histograms_never_do_more_than_be_refused(text: bytes, cut: int) -> None:
    damaged = samples.encoded([5, 7, 900])[:cut] + text.decode("latin-1")
    with contextlib.suppress(ValueError):
        assert histogram.decode(damaged).total >= 0


# Clopper-Pearson intervals at 95 % as R's binom.test prints them.
KNOWN_INTERVALS = [
    (0, 10, 0.0, 0.30849711),
    (3, 10, 0.06673951, 0.65245285),
    (10, 10, 0.69150289, 1.0),
    (5, 459, 0.00354621, 0.02523698),
    (0, 0, 0.0, 1.0),
]


@pytest.mark.parametrize(("successes", "total", "low", "high"), KNOWN_INTERVALS)
def test_binomial_intervals(successes: int, total: int, low: float, high: float) -> None:
    assert proportion.binomial_interval(successes, total) == pytest.approx((low, high), abs=1e-7)


def test_binomial_intervals_of_large_counts_agree_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy gives the reference")
    for successes, total in ((999_990, 1_000_000), (1, 50_000), (12, 168_032), (40_000, 90_000)):
        exact = stats.binomtest(successes, total).proportion_ci()
        assert proportion.binomial_interval(successes, total) == pytest.approx(
            (exact.low, exact.high), abs=1e-9
        )
        tail = stats.binom.cdf(successes, total, successes / total)
        assert proportion.binomial_cdf(successes, total, successes / total) == pytest.approx(tail, rel=1e-6)


def test_an_impossible_proportion_is_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4 is no proportion"):
        proportion.binomial_interval(5, 4)


def test_early_stopping_takes_as_many_replies_as_in_loadgen() -> None:
    # With no reply above the limit: 459 for 99 % confidence in p99, 4,603 in p99.9.
    assert (
        proportion.percentile_confidence(0, 459, 0.99)
        >= 0.99
        > proportion.percentile_confidence(0, 458, 0.99)
    )
    assert proportion.percentile_confidence(0, 4603, 0.999) >= 0.99
    assert proportion.percentile_confidence(0, 4602, 0.999) < 0.99


def blocks(seed: int, median: float, count: int = 20) -> list[histogram.Histogram]:
    rng = np.random.default_rng(seed)
    return [
        histogram.decode(samples.encoded(np.clip(rng.lognormal(np.log(median), 0.5, 300), 1, 6e7).tolist()))
        for _ in range(count)
    ]


def test_bootstrap_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(40):
        draws = bootstrap.quantile_draws(blocks(seed, 1000.0), [0.5])
        assert draws is not None
        low, high = bootstrap.interval(draws[:, 0])
        covered += low <= 1000 <= high
    assert 33 <= covered <= 40  # 38 expected; fewer than 33 of 40 at 95 % has a chance below 1 in 1,000


def test_bootstrap_draws_equal_the_quantiles_of_resampled_histograms() -> None:
    some = blocks(3, 800.0, count=9)
    draws = bootstrap.quantile_draws(some, [0.5, 0.99])
    assert draws is not None
    weights = bootstrap._weights(9, 1)
    for row in range(0, 1000, 250):
        resampled = [
            block for block, times in zip(some, weights[row], strict=True) for _ in range(int(times))
        ]
        merged = histogram.merge(resampled)
        assert draws[row].tolist() == [merged.quantile(0.5), merged.quantile(0.99)]


def test_bootstrap_is_the_same_each_time() -> None:
    first, second = (bootstrap.quantile_draws(blocks(1, 500.0), [0.99]) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.tobytes() == second.tobytes()


def test_too_few_blocks_give_no_interval() -> None:
    assert bootstrap.quantile_draws(blocks(1, 500.0, count=7), [0.5]) is None
    assert bootstrap.mean_draws([1.0] * 7) is None


@given(count=st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_blocks_keep_every_value(count: int) -> None:
    made = bootstrap.blocks_of([histogram.decode(samples.encoded([number + 1])) for number in range(count)])
    assert len(made) <= 40
    assert sum(block.total for block in made) == count


WORDS = [
    (Interval(-0.05, 0.03), Direction.NONE, "no change detected"),
    (Interval(0.0, 0.3), Direction.NONE, "no change detected"),
    (Interval(0.004, 0.015), Direction.NONE, "within noise (under 2%)"),
    (Interval(-0.12, -0.08), Direction.BETTER, "faster by 8..12 %"),
    (Interval(0.021, 0.4), Direction.WORSE, "slower by 2.1..40 %"),
    (None, Direction.UNKNOWN, "too few windows to tell (fewer than 8)"),
]


@pytest.mark.parametrize(("interval", "direction", "words"), WORDS)
def test_changes_in_words(interval: Interval | None, direction: Direction, words: str) -> None:
    assert judged(interval, more_is=Direction.WORSE, noun=("slower", "faster")) == (direction, words)


QUANTITIES = [
    (units.duration_us(0), "0 µs"),
    (units.duration_us(412), "412 µs"),
    (units.duration_us(999.7), "1 ms"),
    (units.duration_us(1234), "1.23 ms"),
    (units.duration_us(2_050_000), "2.05 s"),
    (units.span_us(435, 524), "435–524 µs"),
    (units.span_us(764, 1210), "764 µs–1.21 ms"),
    (units.duration_s(0.35), "350 ms"),
    (units.duration_s(200), "3 min 20 s"),
    (units.duration_s(7500), "2 h 05 min"),
    (units.share(99_999_999, 100_000_000), "> 99.99 %"),
    (units.share(1, 100_000_000), "< 0.01 %"),
    (units.share(100, 100), "100 %"),
    (units.share(0, 0), "–"),
    (units.digits(12_345.6), "12,346"),
    (units.digits(100), "100"),
    (units.digits(0.0125), "0.013"),
    (units.size(3.2 * 1024 * 1024), "3.2 MiB"),
    (units.plural(1, "check"), "1 check"),
]


@pytest.mark.parametrize(("shown", "wanted"), QUANTITIES)
def test_quantities_as_people_read_them(shown: str, wanted: str) -> None:
    assert shown.replace("\u202f", " ") == wanted
