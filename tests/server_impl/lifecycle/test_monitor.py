from __future__ import annotations

import threading

import pytest

from server_impl.errors import Code, ServingError
from server_impl.lifecycle.monitor import Decisions, EventBus, Monitor, VersionStatus, unavailable_error
from server_impl.lifecycle.states import Event, ServableId, State

BROKEN = ServingError(Code.DATA_LOSS, "broken")


def event(name: str, version: int, state: State, error: ServingError | None = None) -> Event:
    return Event(ServableId(name, version), state, error)


def monitor(*events: Event) -> Monitor:
    made = Monitor()
    for one in events:
        made.handle(one)
    return made


def stopped() -> threading.Event:
    made = threading.Event()
    made.set()
    return made


def decide(after: Monitor, *names: str) -> Decisions | None:
    """What a wait gives at once, or None if it has to go on."""
    try:
        return after.wait_until_decided(names, stopped())
    except ServingError:
        return None


def test_versions_are_listed_from_the_highest_down_and_stay() -> None:
    seen = monitor(
        event("m", 2, State.AVAILABLE),
        event("m", 10, State.LOADING),
        event("m", 1, State.AVAILABLE),
        event("m", 1, State.END),
        event("m", 3, State.END, BROKEN),
        event("n", 1, State.START),
    )
    assert [(s.version, s.state.name, s.error and str(s.error)) for s in seen.versions("m")] == [
        (10, "LOADING", None),
        (3, "END", "DATA_LOSS: broken"),
        (2, "AVAILABLE", None),
        (1, "END", None),
    ]
    assert seen.versions("x") == []
    assert [v for v in range(12) if seen.is_available("m", v)] == [2]
    seen.handle(event("m", 3, State.START))
    assert seen.versions("m")[1] == VersionStatus(3, State.START, None)


@pytest.mark.parametrize(
    ("events", "decided"),
    [
        ([], None),
        ([event("m", 1, State.LOADING)], None),
        ([event("m", 1, State.AVAILABLE)], (1, State.AVAILABLE)),
        ([event("m", 1, State.END, BROKEN)], (1, State.END)),
        # What is still under way does not count, the highest that is decided does.
        ([event("m", 1, State.END, BROKEN), event("m", 2, State.LOADING)], (1, State.END)),
        ([event("m", 1, State.END, BROKEN), event("m", 2, State.AVAILABLE)], (2, State.AVAILABLE)),
        ([event("m", 1, State.AVAILABLE), event("m", 2, State.END, BROKEN)], (2, State.END)),
        ([event("m", 1, State.AVAILABLE), event("m", 1, State.UNLOADING)], None),
    ],
)
def test_what_decides_for_a_model(events: list[Event], decided: tuple[int, State] | None) -> None:
    decisions = decide(monitor(*events), "m")
    assert (decisions and [(s.version, s.state) for s in decisions.values()]) == (decided and [decided])


def test_an_error_is_kept_without_the_frames_it_came_from() -> None:
    try:
        raise ServingError(Code.DATA_LOSS, "broken")
    except ServingError as error:
        seen = monitor(event("m", 1, State.END, error))
    (status,) = seen.versions("m")
    assert status.error is not None
    assert status.error.__traceback__ is None


def test_the_end_of_the_server_ends_a_wait() -> None:
    with pytest.raises(ServingError, match="CANCELLED"):
        monitor().wait_until_decided({"m"}, stopped())


def test_all_models_must_be_decided() -> None:
    one = monitor(event("m", 1, State.AVAILABLE))
    assert decide(one, "m", "n") is None
    one.handle(event("n", 4, State.END, BROKEN))
    decisions = decide(one, "n", "m")
    assert decisions is not None
    assert list(decisions) == [("m", 1), ("n", 4)]
    assert decide(one) == {}


def test_a_wait_ends_with_the_event_that_decides() -> None:
    one = monitor()
    results: list[Decisions] = []
    waiting = threading.Thread(
        target=lambda: results.append(one.wait_until_decided({"m"}, threading.Event())), daemon=True
    )
    waiting.start()
    while not one._waiters:
        threading.Event().wait(0.001)
    one.handle(event("m", 1, State.LOADING))
    one.handle(event("m", 1, State.AVAILABLE))
    one.handle(event("m", 1, State.END, BROKEN))  # too late to change the result
    waiting.join(10)
    assert results == [{("m", 1): VersionStatus(1, State.AVAILABLE, None)}]


def test_error_text() -> None:
    decisions = {
        ServableId("a", 2): VersionStatus(2, State.END, BROKEN),
        ServableId("b", 1): VersionStatus(1, State.AVAILABLE, None),
        ServableId("c", 3): VersionStatus(3, State.END, None),
    }
    assert str(unavailable_error(decisions, "model")) == (
        "UNKNOWN: 2 model(s) did not become available: "
        "{{{name: a version: 2} due to error: DATA_LOSS: broken}, {{name: c version: 3}}, }"
    )
    del decisions[ServableId("a", 2)], decisions[ServableId("c", 3)]
    assert unavailable_error(decisions, "servable") is None


def test_subscriptions_see_the_same_order_and_end() -> None:
    bus, first, second = EventBus(), list[Event](), list[Event]()
    bus.subscribe(first.append)
    events = [event("m", 1, state) for state in State]
    bus.publish(events[0])
    with bus.subscription(second.append):
        bus.publish(events[1])
        bus.publish(events[2])
    bus.publish(events[3])
    assert first == events[:4]
    assert second == events[1:3]
