"""What needs threads: loads side by side, requests that drain, and the end of it all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from server_impl.errors import Code, ServingError
from server_impl.lifecycle.manager import Manager
from server_impl.lifecycle.monitor import EventBus, Monitor
from server_impl.lifecycle.retry import RetryPolicy
from server_impl.lifecycle.snapshot import Serving
from tests.server_impl.lifecycle.waiting import DEADLINE_S, Loads, await_

NO_RETRY = RetryPolicy(0)
BROKEN = ServingError(Code.DATA_LOSS, "broken")


class Rig:
    """A manager whose rounds and loads, and with ``wake`` also the pauses between attempts, the test ends."""

    def __init__(self, *, load_threads: int = 4, retry: RetryPolicy = NO_RETRY, wake: bool = False) -> None:
        self.loads = Loads()
        self.serving: Serving[str] = Serving()
        self.monitor = Monitor()
        self.stop = threading.Event()
        self.sleeping = threading.Semaphore(0)
        self.awake = threading.Semaphore(0)
        bus = EventBus()
        bus.subscribe(self.monitor.handle)
        self.manager = Manager(
            self.loads,
            self.serving,
            bus,
            retry=retry,
            num_load_threads=load_threads,
            num_unload_threads=1,
            stop=self.stop,
            sleep=self._sleep if wake else None,
        )

    def close(self) -> None:
        self.stop.set()
        self.loads.end_all()
        self.manager.stop()

    def _sleep(self, seconds: float) -> bool:
        self.sleeping.release()
        assert self.awake.acquire(timeout=DEADLINE_S)
        return False

    def aspire(self, name: str, *versions: int) -> None:
        self.manager.aspire(name, [(version, "") for version in versions])

    def rounds(self, number: int = 1) -> None:
        for _ in range(number):
            self.manager.round()

    def status(self, name: str = "m") -> list[str]:
        return [
            f"{s.version} {s.state.name}" + (f" [{s.error}]" if s.error else "")
            for s in self.monitor.versions(name)
        ]

    def await_status(self, *status: str, name: str = "m") -> None:
        await_(lambda: self.status(name) == list(status))

    def serve(self, name: str, version: int) -> None:
        """Bring up one version."""
        self.aspire(name, version)
        self.rounds()
        self.loads.next().end()
        await_(lambda: self.monitor.is_available(name, version))


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def test_loads_go_on_side_by_side_as_far_as_there_are_threads() -> None:
    rig = Rig(load_threads=2)
    rig.aspire("m", 1, 2, 3)
    rig.rounds(3)
    first, second = rig.loads.next(), rig.loads.next()
    assert sorted([first.id.version, second.id.version]) == [2, 3]
    rig.await_status("3 LOADING", "2 LOADING", "1 START")
    assert rig.loads.none_begun()
    second.end()
    assert rig.loads.next().id.version == 1
    rig.close()


def test_a_load_that_nobody_wants_any_more_is_cancelled_when_it_succeeds(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rig.aspire("m", 1)
    rig.rounds()
    load = rig.loads.next()
    rig.aspire("m")
    rig.rounds()
    load.end()
    rig.await_status("1 END [CANCELLED: Loading of servable cancelled]")
    await_(lambda: "cannot be loaded" in caplog.messages[-1])
    assert rig.loads.unloaded == ["m/1"]
    assert caplog.messages[-4:] == [
        "Retrying of Loading servable: {name: m version: 1} exhausted max_num_retries: 0",
        "Unloading just-loaded servable version {name: m version: 1}",
        "Done unloading servable version {name: m version: 1}",
        "Servable {name: m version: 1} cannot be loaded: CANCELLED: Loading of servable cancelled",
    ]
    assert "Retrying of Loading servable: {name: m version: 1} was cancelled." in caplog.messages


def test_attempts_end_after_the_present_pause_once_nobody_wants_the_version() -> None:
    rig = Rig(retry=RetryPolicy(5), wake=True)
    rig.aspire("m", 1)
    rig.rounds()
    rig.loads.next().end(BROKEN)
    assert rig.sleeping.acquire(timeout=DEADLINE_S)
    rig.aspire("m")
    rig.rounds()
    rig.await_status("1 LOADING")
    rig.awake.release()
    rig.loads.next().end(ServingError(Code.NOT_FOUND, "gone"))
    rig.await_status("1 END [NOT_FOUND: gone]")
    assert rig.loads.none_begun()
    rig.close()


def test_a_newer_version_loads_while_the_broken_one_pauses() -> None:
    rig = Rig(retry=RetryPolicy(5), wake=True)
    rig.aspire("m", 2)
    rig.rounds()
    rig.loads.next().end(BROKEN)
    assert rig.sleeping.acquire(timeout=DEADLINE_S)
    rig.aspire("m", 3)
    rig.rounds()
    rig.loads.next().end()
    rig.await_status("3 AVAILABLE", "2 LOADING")
    rig.awake.release()
    rig.loads.next().end(BROKEN)
    rig.await_status("3 AVAILABLE", "2 END [DATA_LOSS: broken]")
    rig.close()


def test_an_unexpected_error_fails_the_load_and_not_the_server(rig: Rig) -> None:
    rig.aspire("m", 1)
    rig.rounds()
    rig.loads.next().end(KeyError("signature"))
    rig.await_status("1 END [INTERNAL: KeyError: 'signature']")
    rig.serve("m", 2)


def test_an_unload_that_fails_unexpectedly_is_over_all_the_same(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.serve("m", 1)
    rig.loads.unload_error = ZeroDivisionError()
    rig.aspire("m")
    rig.rounds()
    rig.await_status("1 END")
    assert "Unloading servable {name: m version: 1} failed unexpectedly" in caplog.messages
    rig.loads.unload_error = None
    rig.serve("m", 1)


class TestDraining:
    def test_a_request_to_any_model_holds_up_available(self, rig: Rig) -> None:
        rig.serve("n", 1)
        rig.serve("m", 1)
        busy = rig.serving.acquire("n")
        rig.aspire("m", 2)
        rig.rounds()
        rig.loads.next().end()
        await_(lambda: rig.serving.acquire("m").servable == "m/2")
        assert rig.status() == ["2 LOADING", "1 AVAILABLE"]
        assert rig.serving.acquire("m", version=1).servable == "m/1"
        busy.release()
        rig.await_status("2 AVAILABLE", "1 AVAILABLE")

    def test_a_running_request_finishes_before_its_version_is_unloaded(self, rig: Rig) -> None:
        rig.serve("m", 1)
        busy = rig.serving.acquire("m")
        rig.aspire("m")
        rig.rounds()
        rig.await_status("1 UNLOADING")
        await_(lambda: not answers(rig, "m"))
        assert rig.loads.unloaded == []
        busy.release()
        rig.await_status("1 END")
        assert rig.loads.unloaded == ["m/1"]

    def test_everything_else_queues_up_behind_it(self, rig: Rig) -> None:
        rig.serve("n", 1)
        rig.serve("m", 1)
        rig.aspire("o", 1)
        rig.rounds()
        load = rig.loads.next()
        busy = rig.serving.acquire("n")
        rig.aspire("m")
        rig.rounds()
        rig.await_status("1 UNLOADING")
        await_(lambda: not answers(rig, "m"))
        load.end()
        blocked = threading.Thread(target=rig.rounds, daemon=True)
        blocked.start()
        blocked.join(0.1)
        assert blocked.is_alive()
        assert not answers(rig, "o")
        busy.release()
        blocked.join(DEADLINE_S)
        rig.await_status("1 END")
        rig.await_status("1 AVAILABLE", name="o")


class TestInitialLoad:
    def test_the_end_waits_for_what_has_begun(self) -> None:
        rig = Rig(load_threads=0)
        left = threading.Event()

        def load_first() -> None:
            with rig.manager.initial_load(8):
                rig.aspire("m", 1, 2)
                rig.rounds(2)
                await_(lambda: rig.monitor.is_available("m", 2))
            left.set()

        thread = threading.Thread(target=load_first, daemon=True)
        thread.start()
        loads = {load.id.version: load for load in (rig.loads.next(), rig.loads.next())}
        loads[2].end()
        await_(lambda: rig.monitor.is_available("m", 2))
        assert not left.wait(0.1)
        loads[1].end()
        assert left.wait(DEADLINE_S)
        rig.await_status("2 AVAILABLE", "1 AVAILABLE")
        rig.close()

    def test_a_third_version_of_a_model_takes_its_time(self) -> None:
        rig = Rig(load_threads=0)
        with rig.manager.initial_load(8):
            rig.aspire("m", 1, 2, 3)
            rig.aspire("n", 1)
            rig.rounds(4)
            begun = {str(rig.loads.next().id) for _ in range(3)}
            assert begun == {"{name: m version: 3}", "{name: m version: 2}", "{name: n version: 1}"}
            assert rig.loads.none_begun()
            rig.loads.end_all()
        rig.close()

    def test_after_that_loads_are_inline_again(self) -> None:
        rig = Rig(load_threads=0)
        with rig.manager.initial_load(8):
            pass
        rig.aspire("m", 1)
        inline = threading.Thread(target=rig.rounds, daemon=True)
        inline.start()
        load = rig.loads.next()
        assert inline.is_alive()
        load.end()
        inline.join(DEADLINE_S)
        assert rig.status() == ["1 AVAILABLE"]
        rig.close()


class TestStop:
    def test_everything_is_unloaded(self, rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
        rig.serve("m", 1)
        rig.serve("n", 7)
        caplog.set_level(logging.INFO)
        rig.manager.stop()
        assert sorted(rig.loads.unloaded) == ["m/1", "n/7"]
        assert caplog.messages[0] == "Unload all remaining servables in the manager."
        assert not answers(rig, "m")

    def test_a_pause_between_attempts_ends(self) -> None:
        rig = Rig(retry=RetryPolicy(5, 3_600_000_000))
        rig.aspire("m", 1)
        rig.rounds()
        rig.loads.next().end(BROKEN)
        rig.await_status("1 LOADING")
        rig.manager.stop()
        rig.await_status("1 END [CANCELLED: The server is shutting down.]")

    def test_a_wait_for_requests_ends(self, rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
        rig.serve("m", 1)
        busy = rig.serving.acquire("m")
        rig.aspire("m")
        rig.rounds()
        await_(lambda: not answers(rig, "m"))
        rig.stop.set()
        await_(lambda: not rig.manager._lock.locked())
        assert rig.status() == ["1 UNLOADING"]
        assert rig.loads.unloaded == []
        busy.release()

    def test_it_runs_by_itself(self) -> None:
        rig = Rig()
        rig.manager.start()
        rig.aspire("m", 1)
        rig.loads.next().end()
        rig.await_status("1 AVAILABLE")
        rig.manager.stop()
        assert rig.loads.unloaded == ["m/1"]


def answers(rig: Rig, name: str) -> bool:
    try:
        rig.serving.acquire(name)
    except ServingError:
        return False
    return True
