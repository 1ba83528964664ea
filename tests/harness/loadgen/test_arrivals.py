import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.loadgen.arrivals import (
    WHOLE,
    Arrival,
    RateProfile,
    Share,
    Stage,
    constant,
    open_loop,
    parse_rate,
    poisson,
)

rates = st.floats(0.5, 5000)
stages = st.builds(Stage, st.floats(0.1, 60), rates, rates)
profiles = st.lists(stages, min_size=1, max_size=4).map(lambda found: RateProfile(tuple(found)))


@given(profiles, st.floats(0, 1))
def test_the_time_of_an_arrival_is_when_as_many_are_due(profile, part):
    n = part * profile.due(profile.length)
    assert profile.due(profile.time_of(n)) == pytest.approx(n, rel=1e-6, abs=1e-6)


@given(profiles)
def test_arrivals_never_go_back_in_time(profile):
    times = list(itertools.islice(constant(profile), 300))
    assert times == sorted(times)


@given(profiles, st.integers(1, 5))
def test_the_processes_together_make_the_arrivals_of_one(profile, processes):
    alone = list(itertools.islice(constant(profile), 60))
    shared = [itertools.islice(constant(profile, Share(place, processes)), 60) for place in range(processes)]
    assert sorted(itertools.chain.from_iterable(shared))[:60] == alone


def test_a_profile_ends_with_its_last_rate():
    profile = RateProfile((Stage(10, 100, 100),))
    assert profile.time_of(2000) == 20
    assert profile.rate(5) == 100


def test_a_ramp_asks_for_the_rates_between():
    profile = RateProfile((Stage(10, 0, 100),))
    assert profile.due(10) == 500
    assert profile.rate(5) == 50
    assert profile.time_of(125) == pytest.approx(5)


@pytest.mark.parametrize("processes", [1, 3])
def test_poisson_arrivals_have_the_mean_and_the_spread_of_a_poisson_process(processes):
    profile = RateProfile((Stage(200, 50, 50),))
    arrivals = sorted(
        itertools.chain.from_iterable(
            itertools.takewhile(lambda t: t < 200, poisson(profile, Share(place, processes), seed=7))
            for place in range(processes)
        )
    )
    counts = [0] * 200
    for arrival in arrivals:
        counts[int(arrival)] += 1
    mean = sum(counts) / 200
    variance = sum((count - mean) ** 2 for count in counts) / 199
    assert mean == pytest.approx(50, abs=4 * math.sqrt(50 / 200))
    # The variance of a sample variance of n normal-ish counts is 2 sigma^4 / n: four standard errors.
    assert variance == pytest.approx(50, abs=4 * 50 * math.sqrt(2 / 200))
    short = sum(b - a < 1 / 50 for a, b in itertools.pairwise(arrivals)) / len(arrivals)
    assert short == pytest.approx(1 - math.exp(-1), abs=0.02)


def test_the_same_seed_gives_the_same_arrivals():
    profile = RateProfile((Stage(10, 100, 100),))
    first, again = (list(itertools.islice(poisson(profile, WHOLE, 3), 50)) for _ in range(2))
    other = list(itertools.islice(poisson(profile, WHOLE, 4), 50))
    assert first == again
    assert first != other


@pytest.mark.parametrize("arrival", [Arrival.CONSTANT, Arrival.POISSON])
def test_length_and_minimum_are_both_kept(arrival):
    profile = RateProfile((Stage(2, 10, 10),))
    by_length = list(open_loop(arrival, profile, WHOLE, seed=1))
    assert by_length[-1] < 2
    assert len(list(open_loop(arrival, profile, WHOLE, seed=1, minimum=50))) == 50
    assert by_length == list(open_loop(arrival, profile, WHOLE, seed=1, minimum=3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100", (Stage(12, 100, 100),)),
        ("10..500", (Stage(12, 10, 500),)),
        ("100, 200,400", (Stage(4, 100, 100), Stage(4, 200, 200), Stage(4, 400, 400))),
    ],
)
def test_rates_are_read(text, expected):
    assert parse_rate(text, 12).stages == expected


@pytest.mark.parametrize("text", ["0", "-5", "x", "", "10..", "1..x", "nan", "inf", "10,0"])
def test_a_rate_that_makes_no_sense_is_refused_by_name(text):
    with pytest.raises(ValueError, match="rate") as error:
        parse_rate(text, 10)
    assert repr(text) in str(error.value)
