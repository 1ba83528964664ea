from harness.actions import Publish, Reload, Rename, Replace, Withdraw
from harness.loadgen.course import Course
from harness.scenario import Scenario, Step
from harness.terms import All, Model, Request, Specific


def situations(models, *actions, **more):
    steps = tuple(Step(f"s{i}", "", actions=(action,)) for i, action in enumerate(actions))
    course = Course(Scenario("s", "s", tuple(models), steps, **more))
    return course, [dict(situation.served.get("m", {})) for situation in course.situations]


def test_versions_come_and_go_as_the_policy_says():
    _, served = situations(
        [Model("m", "dense", versions=(1, 2))], Publish("m", 3), Publish("m", 1), Withdraw("m", 3)
    )
    assert served == [{2: 2}, {3: 3}, {3: 3}, {2: 2}]


def test_every_version_and_chosen_ones():
    _, served = situations([Model("m", "dense", versions=(1, 2), policy=All())], Withdraw("m", 1))
    assert served == [{1: 1, 2: 2}, {2: 2}]
    _, served = situations([Model("m", "dense", policy=Specific((2,)))], Publish("m", 2))
    assert served == [{}, {2: 2}]


def test_a_damaged_version_is_not_counted_on():
    _, served = situations([Model("m", "dense")], Publish("m", 2, files={"saved_model.pb": None}))
    assert served == [{1: 1}, {1: 1}]


def test_a_loaded_version_stays_as_it_was_read():
    course, served = situations(
        [Model("m", "dense")],
        Replace("m", 1, 30),
        Withdraw("m", 1),
        Publish("m", 1, 31),
    )
    assert served == [{1: 1}, {1: 1}, {}, {1: 31}]
    assert course.answering(Request("m")) == {1: [1, 31]}


def test_names_that_are_no_numbers_are_no_versions():
    _, served = situations(
        [Model("m", "dense", versions=(1, 2))], Rename("m", "2", ".2"), Rename("m", ".2", "7")
    )
    assert served == [{2: 2}, {1: 1}, {7: 2}]


def test_a_reload_is_the_complete_list():
    m, other = Model("m", "dense", labels={"stable": 1}), Model("other", "dense")
    course, served = situations([m, other], Reload((other,)), Reload((m, other)))
    assert served == [{1: 1}, {}, {1: 1}]
    by_label = [bool(s.answering(Request("m", label="stable"))) for s in course.situations]
    assert by_label == [True, False, True]
    assert course.situations[0].answering(Request("m", version=9)) == {}
    assert course.situations[0].answering(Request("m", label="nothing")) == {}
