import time

import gevent
import pytest

from harness.loadgen.clock import Alarm, now
from harness.loadgen.pacer import ClosedLoop, OpenLoop


@pytest.fixture
def alarm():
    made = Alarm()
    yield made
    made.close()


def test_the_alarm_does_not_ring_early(alarm):
    for pause in (0.0, 0.0001, 0.003, 0.02):
        moment = now() + pause
        alarm.sleep_until(moment)
        assert now() >= moment


def test_other_greenlets_run_while_the_alarm_is_set(alarm):
    turns = []
    other = gevent.spawn(lambda: [turns.append(gevent.sleep(0.001)) for _ in range(5)])
    alarm.sleep_until(now() + 0.1)
    other.join(1)
    assert len(turns) == 5
    assert alarm.spun < 0.05


def take_all(pacer, hold=0.0):
    taken = []
    while (slot := pacer.next()) is not None:
        taken.append((slot, now()))
        if hold:
            gevent.sleep(hold)
    return taken


def test_arrivals_are_sent_when_they_are_due_and_never_before(alarm):
    start = now() + 0.01
    pacer = OpenLoop(iter([0.0, 0.005, 0.03]), start, 5, alarm, lambda *_: None)
    taken = take_all(pacer)
    assert [slot.due - start for slot, _ in taken] == pytest.approx([0.0, 0.005, 0.03])
    assert all(moment >= slot.due for slot, moment in taken)
    assert pacer.lag.get_total_count() == 3


def test_what_no_user_is_free_for_is_late_but_keeps_its_time(alarm):
    start = now()
    pacer = OpenLoop(iter([0.0, 0.001, 0.002]), start, 5, alarm, lambda *_: None)
    taken = take_all(pacer, hold=0.02)
    assert [slot.late for slot, _ in taken[1:]] == [True, True]
    assert [slot.due - start for slot, _ in taken] == pytest.approx([0.0, 0.001, 0.002])


def test_what_waited_longer_than_the_patience_is_dropped(alarm):
    dropped = []
    start = now() - 1.0
    pacer = OpenLoop(
        iter([0.0, 0.1, 0.9]), start, 0.5, alarm, lambda due, moment: dropped.append(due - start)
    )
    assert [slot.due - start for slot, _ in take_all(pacer)] == pytest.approx([0.9])
    assert dropped == pytest.approx([0.0, 0.1])


def test_users_share_the_arrivals(alarm):
    pacer = OpenLoop((i / 1000 for i in range(50)), now() + 0.01, 5, alarm, lambda *_: None)
    users = [gevent.spawn(take_all, pacer, 0.005) for _ in range(10)]
    gevent.joinall(users, timeout=5)
    taken = [slot.due for user in users for slot, _ in user.value]
    assert len(taken) == len(set(taken)) == 50


def test_a_closed_loop_keeps_length_and_minimum():
    begin = time.perf_counter()
    assert len(take_all(ClosedLoop(now() + 0.02), hold=0.001)) >= 5
    assert time.perf_counter() - begin >= 0.02
    assert len(take_all(ClosedLoop(now() - 1, minimum=7))) == 7


def test_stopping_wakes_who_waits_for_a_far_arrival(alarm):
    pacer = OpenLoop(iter([600.0, 601.0]), now(), 5, alarm, lambda *_: None)
    users = [gevent.spawn(pacer.next) for _ in range(3)]
    gevent.sleep(0.01)
    pacer.stop()
    gevent.joinall(users, timeout=5)
    assert [user.value for user in users] == [None] * 3
    assert all(user.successful() for user in users)


def test_a_stopped_pacer_gives_nothing_more(alarm):
    for pacer in (ClosedLoop(now() + 60, 100), OpenLoop(iter([0.0, 0.0]), now(), 5, alarm, lambda *_: None)):
        assert pacer.next() is not None
        pacer.stop()
        assert pacer.next() is None
