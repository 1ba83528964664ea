from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from server_impl.lifecycle.threads import Periodic, Pool

DEADLINE_S = 10


def test_periodic_runs_at_once_and_again_until_stopped() -> None:
    third, count = threading.Event(), [0]

    def work() -> None:
        count[0] += 1
        if count[0] == 3:
            third.set()

    periodic = Periodic("p", work, 0.001)
    assert third.wait(DEADLINE_S)
    periodic.stop()
    stopped_at = count[0]
    assert not threading.Event().wait(0.02)
    assert count[0] == stopped_at


def test_periodic_without_interval_runs_once() -> None:
    ran = threading.Event()
    periodic = Periodic("p", ran.set, None)
    assert ran.wait(DEADLINE_S)
    periodic.stop()
    assert not periodic._thread.is_alive()


def test_a_new_interval_counts_at_once() -> None:
    runs = threading.Semaphore(0)
    periodic = Periodic("p", runs.release, 3600)
    assert runs.acquire(timeout=DEADLINE_S)
    periodic.change_interval(0.001)
    assert all(runs.acquire(timeout=DEADLINE_S) for _ in range(3))
    periodic.stop()


def test_periodic_survives_an_error(caplog: pytest.LogCaptureFixture) -> None:
    runs = threading.Semaphore(0)

    def work() -> None:
        runs.release()
        raise ZeroDivisionError

    periodic = Periodic("p", work, 0.001)
    assert all(runs.acquire(timeout=DEADLINE_S) for _ in range(2))
    periodic.stop()
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.messages[0] == "p failed unexpectedly"


def test_a_pool_of_size_zero_runs_inline() -> None:
    ran_on: list[threading.Thread] = []
    pool = Pool("p", 0)
    pool.run(lambda: ran_on.append(threading.current_thread()))
    assert ran_on == [threading.current_thread()]
    pool.finish(threading.Event())


@pytest.mark.parametrize("size", [1, 3])
def test_a_pool_runs_that_many_jobs_at_once_in_order(size: int) -> None:
    pool, go = Pool("p", size), threading.Event()
    running, lock, begun, peak = [0], threading.Lock(), list[int](), [0]
    full = threading.Event()

    def job(number: int) -> Callable[[], None]:
        def run() -> None:
            with lock:
                begun.append(number)
                running[0] += 1
                peak[0] = max(peak[0], running[0])
                if running[0] == size:
                    full.set()
            assert go.wait(DEADLINE_S)
            with lock:
                running[0] -= 1

        return run

    for number in range(7):
        pool.run(job(number))
    assert full.wait(DEADLINE_S)
    assert sorted(begun) == list(range(size))
    go.set()
    pool.finish(threading.Event())
    assert peak == [size]
    assert running == [0]
    assert sorted(begun) == list(range(7))
    if size == 1:
        assert begun == list(range(7))


def test_finishing_ends_with_the_server_and_drops_what_has_not_begun() -> None:
    pool, go, begun = Pool("p", 1), threading.Event(), threading.Event()
    dropped = threading.Event()
    stop = threading.Event()
    stop.set()
    pool.run(lambda: (begun.set(), go.wait(DEADLINE_S), None)[-1])
    pool.run(dropped.set)
    assert begun.wait(DEADLINE_S)
    pool.finish(stop)
    go.set()
    pool.finish(threading.Event())
    assert not dropped.is_set()
