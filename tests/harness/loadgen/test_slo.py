import pytest

from harness.loadgen import histograms, slo
from harness.loadgen.tally import Tally


def tally(*, fast=0, slow=0, wrong=0, failed=0, dropped=0):
    """``fast`` right answers in 1 ms, ``slow`` ones in 100 ms; whatever is bad comes in 1 ms."""
    found = Tally(
        done=fast + slow + wrong + failed,
        correct=fast + slow,
        good=fast,
        wrong=wrong,
        failed=failed,
        dropped=dropped,
    )
    for seconds, count in ((0.001, fast + wrong + failed), (0.1, slow), (10, dropped)):
        for _ in range(count):
            histograms.record(found.response, seconds)
    return found


def judged(text, seconds=1.0, gap=None, **endpoints):
    tallies = endpoints or {"rest predict m": tally(fast=99, slow=1)}
    return [judgement.ok for judgement in slo.parse(text).judge(tallies, seconds, gap)]


@pytest.mark.parametrize(
    ("text", "metric", "bound"),
    [
        ("p99<20ms", "p99", 0.02),
        ("p99.9 <= 0.5s", "p99.9", 0.5),
        ("max<300us", "max", 0.0003),
        ("errors<0.1%", "errors", 0.001),
        ("wrong<=0", "wrong", 0.0),
        ("goodput>900/s", "goodput", 900.0),
        ("throughput>=5", "throughput", 5.0),
        ("gap<500ms", "gap", 0.5),
    ],
)
def test_terms_are_read(text, metric, bound):
    (term,) = slo.parse(text).terms
    assert (term.metric, term.bound) == (metric, pytest.approx(bound))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("p99<20", "p99 needs a bound in us or ms or s"),
        ("p99<20%", "p99 needs a bound in us or ms or s"),
        ("errors<5ms", "errors needs a bound in %"),
        ("p0<20ms", "between 0 and 100"),
        ("p100<20ms", "between 0 and 100"),
        ("p99>20ms", "bounded from above"),
        ("goodput<5", "bounded from below"),
        ("fast please", "does not parse"),
        ("p99=20ms", "does not parse"),
    ],
)
def test_what_does_not_parse_is_told_with_what_would(text, part):
    with pytest.raises(ValueError, match="SLO") as error:
        slo.parse("p50<1s, " + text)
    assert part in str(error.value)


def test_nothing_asked_for_is_nothing_judged():
    assert slo.parse("").terms == ()
    assert slo.parse("").latency is None


def test_latencies_count_from_when_requests_were_due():
    assert judged("p99<20ms, p99.9<20ms, max<200ms, mean<5ms") == [True, False, True, True]


def test_errors_are_whatever_is_not_the_right_answer():
    tallies = {"rest predict m": tally(fast=97, wrong=1, failed=1, dropped=1)}
    assert judged("errors<3%", **tallies) == [False]
    assert judged("errors<=3%, wrong<=1%, wrong<1%", **tallies) == [True, True, False]


def test_a_term_can_be_about_one_model():
    tallies = {"rest predict a": tally(fast=100), "grpc predict b": tally(slow=100)}
    assert judged("a p99<20ms, b p99<20ms, grpc p99<20ms, p99<20ms", **tallies) == [True, False, False, False]
    with pytest.raises(ValueError, match="the traffic has no 'c'"):
        slo.parse("c p99<20ms").check_scopes(list(tallies))


def test_what_was_not_measured_does_not_pass():
    assert judged("p99<20ms, gap<1s", **{"rest predict m": Tally()}) == [False, False]


def test_goodput_and_gap():
    assert judged("goodput>=49/s, goodput>50/s, gap<1s", seconds=2.0, gap=0.4) == [True, False, True]


def test_requests_over_a_bound_count_once_each():
    term = slo.parse("p99<20ms").latency
    assert slo.over(term, tally(fast=90, slow=5, wrong=1, failed=2, dropped=2)) == 10
