from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_impl.lifecycle.states import Phase, ServableId
from server_impl.lifecycle.transitions import (
    Action,
    AspiredChange,
    Kind,
    aspire,
    is_spent,
    model_action,
    must_postpone,
    next_action,
)


class V(NamedTuple):
    version: int
    phase: Phase = Phase.READY
    aspired: bool = True


def new(version: int) -> V:
    return V(version, Phase.NEW)


def old(version: int, phase: Phase = Phase.READY) -> V:
    return V(version, phase, aspired=False)


def failed(version: int) -> V:
    return V(version, Phase.ERROR)


@pytest.mark.parametrize(
    ("managed", "action"),
    [
        ([], None),
        ([V(1)], None),
        ([new(1), new(3), new(2)], ("LOAD", 3)),
        ([V(2), new(1)], ("LOAD", 1)),
        ([old(1), new(2)], ("LOAD", 2)),  # 1 serves until 2 does
        ([old(1), V(2, Phase.LOADING)], None),
        ([old(1), V(2)], ("UNLOAD", 1)),
        ([old(1), failed(2)], None),  # 1 goes on serving
        ([old(1), failed(2), new(3)], ("LOAD", 3)),
        ([old(1), old(2), new(3)], ("UNLOAD", 1)),  # 2 is enough to preserve availability
        ([old(1), old(2), failed(3)], ("UNLOAD", 1)),
        ([old(2), old(1)], ("UNLOAD", 1)),  # nothing aspired: all go, the lowest first
        ([old(1)], ("UNLOAD", 1)),
        ([old(1, Phase.LOADING)], None),
        ([old(1, Phase.QUIESCING), V(2), new(3)], ("LOAD", 3)),
        ([old(1), V(2), new(3)], ("UNLOAD", 1)),  # unload before load
        ([V(1, Phase.UNLOAD_REQUESTED), old(0)], None),  # not READY any more
    ],
)
def test_action_of_one_model(managed: list[V], action: tuple[str, int] | None) -> None:
    wanted = None if action is None else Action(Kind[action[0]], ServableId("m", action[1]))
    assert model_action("m", managed) == wanted


def test_over_all_models_an_unload_comes_first() -> None:
    load, unload = [new(1)], [old(1)]
    assert next_action({"a": load, "b": unload, "c": unload}) == Action(Kind.UNLOAD, ServableId("b", 1))
    assert next_action({"a": load, "b": [V(1)], "c": load}) == Action(Kind.LOAD, ServableId("a", 1))
    assert next_action({"a": [V(1)]}) is None
    assert next_action({}) is None


@pytest.mark.parametrize(
    ("managed", "wanted", "change"),
    [
        ([], {1, 2}, ({}, {1, 2})),
        ([V(1)], {1}, ({}, {})),
        ([V(1)], {2}, ({1}, {2})),
        ([V(1), V(2)], {}, ({1, 2}, {})),
        ([failed(2)], {2}, ({}, {})),  # failed stays failed
        ([failed(2)], {3}, ({2}, {3})),
        ([old(1), V(2)], {2}, ({}, {})),
    ],
)
def test_what_a_request_changes(
    managed: list[V], wanted: set[int], change: tuple[set[int], set[int]]
) -> None:
    assert aspire(managed, wanted) == AspiredChange(frozenset(change[0]), frozenset(change[1]))


@pytest.mark.parametrize(
    ("managed", "wanted", "postponed"),
    [
        ([V(1)], {1}, False),
        ([old(1), V(2)], {2}, False),
        ([old(1), V(2)], {1, 2}, True),
        ([old(1, Phase.ERROR)], {1}, True),
        ([failed(1)], {1}, False),
    ],
)
def test_wanting_back_what_is_going_waits(managed: list[V], wanted: set[int], postponed: bool) -> None:
    assert must_postpone(managed, wanted) == postponed


def test_what_is_forgotten() -> None:
    forgotten = {phase for phase in Phase if is_spent(old(1, phase))}
    assert forgotten == {Phase.NEW, Phase.DISABLED, Phase.ERROR}
    assert not any(is_spent(V(1, phase)) for phase in Phase)


versions = st.lists(
    st.builds(V, st.integers(1, 6), st.sampled_from(Phase), st.booleans()), unique_by=lambda v: v.version
)


@given(versions)
def test_a_model_that_serves_is_never_left_without_a_version(managed: list[V]) -> None:
    action = model_action("m", managed)
    serving = {v.version for v in managed if v.phase is Phase.READY}
    wanted = {v.version for v in managed if v.aspired}
    if action and action.kind is Kind.UNLOAD:
        assert action.id.version in serving - wanted
        assert not wanted or serving - {action.id.version}
    if action and action.kind is Kind.LOAD:
        assert new(action.id.version) in managed


@given(versions, st.sets(st.integers(1, 6)))
def test_a_request_makes_exactly_the_wanted_versions_aspired(managed: list[V], wanted: set[int]) -> None:
    if must_postpone(managed, wanted):
        return
    change = aspire(managed, wanted)
    aspired = {v.version for v in managed if v.aspired}
    assert (aspired - change.dropped) | change.added == wanted
    assert not change.added & {v.version for v in managed}
