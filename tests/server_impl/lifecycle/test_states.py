from __future__ import annotations

from server_impl.lifecycle.states import NEXT_PHASES, SHOWN_STATE, Phase, ServableId, State


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


def test_every_phase_is_reached_and_left_forwards() -> None:
    assert set(NEXT_PHASES) == set(SHOWN_STATE) == set(Phase)
    reached = {phase for following in NEXT_PHASES.values() for phase in following}
    assert reached == set(Phase) - {Phase.NEW}
    for phase, following in NEXT_PHASES.items():
        assert all(SHOWN_STATE[later] >= SHOWN_STATE[phase] for later in following)
        assert bool(following) == (SHOWN_STATE[phase] is not State.END)
