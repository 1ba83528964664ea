import argparse

import pytest

from harness.loadgen import options
from harness.loadgen.options import BadOption
from harness.terms import Protocol


class Parser(argparse.ArgumentParser):
    """Locust's parser, as far as it matters here."""

    def add_argument(self, *names, include_in_web_ui=True, **more):
        return super().add_argument(*names, **more)


def given(*arguments, **locust):
    parser = Parser()
    options.add_arguments(parser)
    found = parser.parse_args(arguments)
    defaults = {"num_users": None, "run_time": None, "processes": None, "headless": True, "autostart": False}
    for name, value in (defaults | locust).items():
        setattr(found, name, value)
    return found


def test_the_defaults_are_poisson_load_over_both_protocols():
    settings = options.read(given())
    assert settings.scenario.id == "multi_model"
    assert settings.mix.protocols == tuple(Protocol)
    assert (settings.name, settings.users, settings.steps) == ("poisson", options.DEFAULT_USERS, True)
    assert settings.rates.rate(0) == 100


def test_the_names_of_mlperf_fix_users_and_rows():
    settings = options.read(given("--arrival", "multi-stream", num_users=10))
    assert (settings.users, settings.mix.batch) == (1, 8)
    assert options.read(given("--arrival", "offline", num_users=10)).users == 10


def test_the_run_time_is_the_length_of_the_load():
    assert options.read(given(run_time=12)).rates.length == 12
    assert options.read(given(headless=False)).rates.length == options.UNTIL_STOPPED
    assert options.read(given("--no-steps")).rates.length == options.DEFAULT_SECONDS
    # Room for every step, where nobody says otherwise.
    acting = sum(bool(step.actions) for step in options.read(given()).scenario.steps)
    assert options.read(given()).rates.length == (acting + 1) * options.STEP_SECONDS


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--rate", "0"], "rate '0'"),
        (["--scenario", "nope"], "there is no scenario 'nope'; there are"),
        (["--encoding", "morse"], "there is no encoding 'morse'"),
        (["--protocol", "grpc", "--encoding", "row"], "add content or typed"),
        (["--slo", "p99<20"], "needs a bound in"),
        (["--find-peak"], "add --slo"),
        (["--find-peak", "--slo", "errors<1%"], "add --slo"),
        (["--batch", "-1"], "--batch -1"),
        (["--patience", "0"], "--patience 0.0"),
        (["--answer-timeout", "-1"], "--answer-timeout -1.0"),
        (["--model", "nope"], "scenario multi_model has no model 'nope'; it has"),
        (["--requests", "f"], "name it by --target url:"),
        (["--model", "m", "--requests", "f"], "choose one"),
        (["--target", "url:http://h:1", "--model", "m@"], "does not parse"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_sentence(arguments, reason):
    with pytest.raises(BadOption) as error:
        options.read(given(*arguments))
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_the_traffic_of_a_scenario_can_be_narrowed():
    settings = options.read(given("--model", "dense, half_plus_two@123=3"))
    assert [(item.request.key, item.weight) for item in settings.scenario.traffic] == [
        ("dense", 1.0),
        ("half_plus_two@123", 3.0),
    ]
    assert options.read(given("--model", "any", "--target", "url:http://h:1")).scenario is None


def test_ramps_need_an_end():
    with pytest.raises(BadOption, match="need a run time"):
        options.read(given("--rate", "1..10", headless=False))
