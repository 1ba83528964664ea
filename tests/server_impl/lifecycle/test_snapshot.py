from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from server_impl.errors import ServingError
from server_impl.lifecycle.snapshot import Lease, Serving
from server_impl.lifecycle.states import ServableId
from tests.server_impl.lifecycle.waiting import DEADLINE_S, await_


def never() -> bool:
    return False


def serving(*versions: tuple[str, int]) -> Serving[str]:
    made: Serving[str] = Serving()
    publish(made, *versions)
    return made


def publish(to: Serving[str], *versions: tuple[str, int], give_up: Callable[[], bool] = never) -> bool:
    return to.publish([(ServableId(*v), f"{v[0]}/{v[1]}") for v in versions], give_up)


def test_which_version_answers() -> None:
    three = serving(("m", 2), ("m", 10), ("n", -1), ("m", 9))
    three.labels = {"m": {"old": 2, "gone": 5}}
    assert three.acquire("m").servable == "m/10"
    assert three.acquire("n").servable == "n/-1"
    assert three.acquire("m", version=9).servable == "m/9"
    assert three.acquire("m", label="old").servable == "m/2"


@pytest.mark.parametrize(
    ("name", "version", "label", "text"),
    [
        ("x", None, None, "NOT_FOUND: Servable not found for request: Latest(x)"),
        ("", None, None, "NOT_FOUND: Servable not found for request: Latest()"),
        ("m", 7, None, "NOT_FOUND: Servable not found for request: Specific(m, 7)"),
        ("m", 0, None, "NOT_FOUND: Servable not found for request: Specific(m, 0)"),
        ("m", None, "gone", "NOT_FOUND: Servable not found for request: Specific(m, 5)"),
        ("m", None, "other", "INVALID_ARGUMENT: Unrecognized servable version label: other"),
        ("x", None, "old", "INVALID_ARGUMENT: Unrecognized servable version label: old"),
    ],
)
def test_what_is_not_found(name: str, version: int | None, label: str | None, text: str) -> None:
    one = serving(("m", 2))
    one.labels = {"m": {"old": 2, "gone": 5}}
    with pytest.raises(ServingError) as caught:
        one.acquire(name, version=version, label=label)
    assert str(caught.value) == text


def test_before_the_first_config() -> None:
    with pytest.raises(ServingError, match=r"^UNAVAILABLE: Model labels does not init yet\.l$"):
        Serving[str]().acquire("m", label="l")
    with pytest.raises(ServingError, match="Latest"):
        Serving[str]().acquire("m")


def test_publishing_waits_for_every_lease_of_the_old_map() -> None:
    two = serving(("m", 1), ("n", 1))
    leases = [two.acquire("m"), two.acquire("n")]
    done = threading.Event()

    def replace() -> None:
        assert publish(two, ("m", 2))
        done.set()

    thread = threading.Thread(target=replace, daemon=True)
    thread.start()
    await_(lambda: two.acquire("m").servable == "m/2")  # the new map answers while the old one drains
    with pytest.raises(ServingError, match="Latest"):
        two.acquire("n")
    new = two.acquire("m")
    leases.pop().release()
    assert not done.wait(0.1)
    assert leases[0].servable == "m/1"
    leases.pop().release()
    assert done.wait(DEADLINE_S)
    thread.join(DEADLINE_S)
    new.release()


def test_publishing_can_be_given_up() -> None:
    one = serving(("m", 1))
    with one.acquire("m"):
        assert not publish(one, ("m", 2), give_up=lambda: True)
    assert one.acquire("m").servable == "m/2"


@pytest.mark.parametrize("end", ["with", "error", "release", "forget"])
def test_every_end_of_a_lease_counts(end: str) -> None:
    one = serving(("m", 1))
    lease: Lease[str] | None = one.acquire("m")
    assert lease is not None
    if end == "with":
        with lease:
            pass
    elif end == "error":
        with pytest.raises(ZeroDivisionError), lease:
            raise ZeroDivisionError
    elif end == "release":
        lease.release()
        lease.release()
    else:
        lease = None
    assert publish(one, ("m", 2))


def test_an_error_that_is_kept_does_not_keep_the_map() -> None:
    one = serving(("m", 1))
    with pytest.raises(ServingError) as caught:
        one.acquire("x")
    assert caught.value.__traceback__ is not None
    assert publish(one)


def test_leases_from_many_threads() -> None:
    one = serving(("m", 0))
    stop = threading.Event()
    wrong: list[str] = []

    def use() -> None:
        latest = -1
        while not stop.is_set():
            with one.acquire("m") as lease:
                number = int(lease.servable.partition("/")[2])
                if number < latest:
                    wrong.append(f"{number} after {latest}")
                latest = number

    threads = [threading.Thread(target=use, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 30):
            assert publish(one, ("m", number))
    finally:
        stop.set()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert not wrong
