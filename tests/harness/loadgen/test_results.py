import pytest

from harness.loadgen import histograms
from harness.loadgen.arrivals import Arrival, Stage
from harness.loadgen.collector import Collector, Endpoint, Seen
from harness.loadgen.plan import Phase
from harness.loadgen.results import Results
from harness.loadgen.swap import Change, swaps

M = Endpoint("rest", "m", "rest predict m")


def results_of(*collectors, end=10.0):
    """What the coordinator makes of collectors that started at 100."""
    workers = tuple(f"w{i}" for i in range(len(collectors)))
    phase = Phase(1, "run", 0.0, Arrival.CONSTANT, (Stage(end, 10, 10),), workers)
    results = Results(phase, 1.0)
    for worker, collector in zip(workers, collectors, strict=True):
        windows = [
            [index, list(endpoint), tally.to_message()]
            for index, endpoint, tally in collector.take(float("inf"))
        ]
        results.add_windows({"windows": windows})
        results.add_done(
            {
                "worker": worker,
                "length": end,
                "seen": [[*who, *seen] for who, seen in collector.seen().items()],
                "silences": {"m": collector.silences("m", 100 + end)},
                "lag_us": histograms.encode(histograms.new()),
                "cpu": 0.1,
                "cut_short": False,
            }
        )
    return results


def answers(collector, *times, version="1"):
    for t in times:
        collector.sent(M, 100 + t, late=False)
        collector.right(M, 100 + t, 100 + t, 100 + t + 0.001, version)


def test_windows_count_by_when_things_happened():
    collector = Collector(100.0, 1.0, bound=0.01)
    collector.sent(M, 100.9, late=True)
    collector.right(M, 100.0, 100.9, 101.1, "2")
    collector.sent(M, 101.5, late=False)
    collector.failed(M, 101.5, 101.5, 101.6, "NOT_FOUND")
    collector.dropped(M, 101.0, 111.0)
    first, second, last = (tally for _, _, tally in collector.take(float("inf")))
    assert (first.sent, first.late, first.done) == (1, 1, 0)
    assert (second.sent, second.done, second.correct, second.good, second.failed) == (1, 2, 1, 0, 1)
    assert second.response.get_max_value() == pytest.approx(1_100_000, rel=1e-3)
    assert second.service.get_max_value() == pytest.approx(200_000, rel=1e-3)
    assert (last.dropped, last.asked, last.bad) == (1, 1, 1)
    assert last.response.get_max_value() == pytest.approx(10_000_000, rel=1e-3)


def test_closed_windows_are_given_once():
    collector = Collector(100.0, 1.0, None)
    answers(collector, 0.5, 1.5)
    assert [index for index, _, _ in collector.take(101.2)] == [0]
    assert [index for index, _, _ in collector.take(float("inf"))] == [1]


def test_several_processes_add_up_to_one():
    alone, left, right = (Collector(100.0, 1.0, None) for _ in range(3))
    answers(alone, *(i / 10 for i in range(100)))
    answers(left, *(i / 10 for i in range(0, 100, 2)))
    answers(right, *(i / 10 for i in range(1, 100, 2)))
    one, two = results_of(alone), results_of(left, right)
    assert one.complete
    assert two.complete
    assert [window.tally.done for window in one.windows()] == [window.tally.done for window in two.windows()]
    assert list(one.total().response.counts) == list(two.total().response.counts)
    assert one.seen == two.seen


def test_a_gap_is_when_nobody_got_a_right_answer():
    left, right = Collector(100.0, 1.0, None), Collector(100.0, 1.0, None)
    answers(left, 1.0, 2.0, 5.0, 9.99)
    answers(right, 1.5, 3.0, 4.0, 9.0)
    begin, end = results_of(left, right).gaps()["m"]
    # Between 5.001 and 9.001 nobody answered; each process alone was silent for longer.
    assert (begin, end) == (pytest.approx(5.001), pytest.approx(9.001))


def test_a_model_without_traffic_is_not_silent():
    collector = Collector(100.0, 1.0, None)
    answers(collector, *(i / 100 for i in range(200)))
    collector.pause(frozenset({"m"}), 102.0)
    collector.pause(frozenset(), 108.0)
    answers(collector, *(8 + i / 100 for i in range(200)))
    assert results_of(collector).gaps() == {}


def test_windows_are_written_in_order_and_once():
    collector = Collector(100.0, 1.0, None)
    answers(collector, 0.5, 1.5, 2.5)
    results = results_of(collector)
    assert [window.number for window in results.fresh(2)] == [0, 1]
    assert [window.number for window in results.fresh()] == [2]
    assert results.fresh() == []


def test_a_swap_tells_when_the_new_version_first_answered():
    collector = Collector(100.0, 1.0, None)
    answers(collector, *(i / 100 for i in range(480)), version="1")
    for i in range(480, 1000):
        collector.sent(M, 100 + i / 100, late=False)
        slow = 0.2 if i < 500 else 0.001
        collector.right(M, 100 + i / 100, 100 + i / 100, 100 + i / 100 + slow, "2")
    change = Change(4.0, 1, "publish", "m", 2, "publish m/2")
    (swap,) = swaps(results_of(collector), [change])
    assert swap.first_answer == pytest.approx(1.0)
    assert swap.bad == 0
    assert swap.p99_before_us == pytest.approx(1000, rel=0.01)
    assert swap.p99_during_us == pytest.approx(200_000, rel=0.01)
    assert "first answer after 1.00 s" in swap.text


def test_a_worker_that_is_lost_is_missed():
    results = results_of(Collector(100.0, 1.0, None))
    lost = Results(results.phase, 1.0)
    assert lost.missing == {"w0"}


def test_who_answered_is_joined():
    assert Seen(1.0, 2.0, 3).join(Seen(0.5, 1.5, 4)) == Seen(0.5, 2.0, 7)
