from __future__ import annotations

import platform
import sys
import threading

import pytest

from server_impl.servable import denormals


@pytest.fixture
def flushing():
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("no known way to flush denormals on this machine")
    denormals.start_flushing()
    yield
    denormals.stop_flushing()


def test_arithmetic_takes_and_gives_zero_for_denormals(flushing):
    tiny = sys.float_info.min
    assert tiny * 0.5 == 0.0
    assert tiny * 0.75 + tiny * 0.75 == 0.0


def test_flushing_ends_with_stop(flushing):
    denormals.stop_flushing()
    assert sys.float_info.min * 0.5 > 0.0


def test_flushing_is_a_matter_of_one_thread(flushing):
    begun, go = threading.Event(), threading.Event()
    results = []

    def halve() -> None:
        begun.set()
        go.wait(10)
        results.append(sys.float_info.min * 0.5 > 0.0)

    # A thread starts with the setting of the one that makes it.
    denormals.stop_flushing()
    thread = threading.Thread(target=halve)
    thread.start()
    assert begun.wait(10)
    denormals.start_flushing()
    go.set()
    thread.join(10)
    assert results == [True]
