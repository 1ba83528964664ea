from __future__ import annotations

from server_impl.lifecycle.states import NEXT_PHASES, Phase, ServableId, State


def test_numbers_of_the_wire() -> None:
    assert {state.name: int(state) for state in State} == {
        "START": 10,
        "LOADING": 20,
        "AVAILABLE": 30,
        "UNLOADING": 40,
        "END": 50,
    }


def test_ids_read_as_in_the_log() -> None:
    assert str(ServableId("m", -3)) == "{name: m version: -3}"


def test_every_phase_is_reached_and_none_twice() -> None:
    assert set(NEXT_PHASES) == set(Phase)
    assert {phase for following in NEXT_PHASES.values() for phase in following} == set(Phase) - {Phase.NEW}
    order = list(Phase)
    for phase, following in NEXT_PHASES.items():
        assert all(order.index(later) > order.index(phase) for later in following)
        assert bool(following) == (phase not in (Phase.DISABLED, Phase.ERROR))
