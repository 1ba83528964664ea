"""What a run is asked to do: command line and web form, read into settings that make sense."""

from __future__ import annotations

import importlib
import importlib.util
import math
import pkgutil
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.loadgen import slo, traffic
from harness.loadgen.arrivals import RateProfile, Stage, parse_rate
from harness.loadgen.profiles import PROFILES, Profile
from harness.loadgen.slo import Slo
from harness.loadgen.traffic import ENCODINGS, Mix, TrafficError
from harness.loadgen.user_traffic import parse_models
from harness.scenario import Scenario
from harness.terms import Protocol, Request, Traffic

#: Users where the command line names none: the bound of the pool of an open loop.
DEFAULT_USERS = 64
#: Seconds of load where no run time is given and nobody is there to press Stop.
DEFAULT_SECONDS = 30.0
#: Seconds of load in the web UI without a run time: until Stop is pressed.
UNTIL_STOPPED = 24 * 3600.0
#: Seconds between two steps where no run time says how to spread them.
STEP_SECONDS = 5.0


class BadOption(Exception):  # noqa: N818 - named for the user's view of it
    """An option makes no sense; the text is one sentence for users."""


def add_arguments(parser: Any) -> None:
    """Add the load generator's options to Locust's parser; they also become fields of the web form."""
    parser.add_argument(
        "--target",
        default="reference",
        help="server to load: reference (started here), command:CMD, url:http://host:8501,host:8500",
    )
    parser.add_argument(
        "--scenario", default="multi_model", help="scenario whose models, traffic and steps are used"
    )
    parser.add_argument(
        "--model",
        default="",
        help="only these models of the scenario, or, on a url: target, any models by their own metadata: "
        "name, name@version, name@label, name:signature, each with =weight if wanted, separated by commas",
    )
    parser.add_argument(
        "--requests", default="", help="instead of a scenario: file of requests for a url: target, JSON lines"
    )
    parser.add_argument(
        "--protocol", choices=["both", "rest", "grpc"], default="both", help="protocols, in equal parts"
    )
    parser.add_argument(
        "--arrival",
        choices=list(PROFILES),
        default="poisson",
        help="; ".join(f"{name}: {profile.meaning}" for name, profile in PROFILES.items()),
    )
    parser.add_argument(
        "--rate",
        default="100",
        help="requests/s in all: 100, a ramp over the run time 10..500, or steps of equal length 100,200,400",
    )
    parser.add_argument(
        "--encoding",
        default="row,content",
        help="how inputs travel: REST row, column, base64; gRPC content (tensor_content), typed (fields)",
    )
    parser.add_argument("--batch", type=int, default=0, help="rows in each request; 0 = as the traffic says")
    parser.add_argument(
        "--min-queries", type=int, default=0, help="send at least so many requests, even past the run time"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of arrivals and of the order of requests")
    parser.add_argument(
        "--patience",
        type=float,
        default=10.0,
        help="seconds after which an arrival that no user was free for is dropped",
    )
    parser.add_argument(
        "--answer-timeout", type=float, default=10.0, help="seconds after which a request has failed"
    )
    parser.add_argument(
        "--slo", default="", help="objectives such as p99<20ms, errors<0.1%%; exit code 3 if missed"
    )
    parser.add_argument(
        "--find-peak",
        action="store_true",
        default=False,
        help="search for the largest rate at which the latency objective of --slo holds",
    )
    parser.add_argument("--trial", type=float, default=5.0, help="seconds of each trial of --find-peak")
    parser.add_argument(
        "--no-steps", action="store_true", default=False, help="leave out the scenario's steps"
    )
    parser.add_argument(
        "--step-every", type=float, default=0.0, help="seconds between steps; 0 = spread over the run time"
    )
    parser.add_argument(
        "--no-calibration",
        action="store_true",
        default=False,
        help="do not measure the generator's own ceiling before the run",
    )
    parser.add_argument(
        "--record",
        default="",
        help="where the run's record is written; default reports/out/<stamp>/run.jsonl",
        include_in_web_ui=False,
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """A run as it was asked for. ``scenario`` is None if models or a file of requests stand for it."""

    target: str
    scenario: Scenario | None
    models: list[tuple[Request, float]]
    requests: Path | None
    mix: Mix
    name: str
    profile: Profile
    rates: RateProfile
    users: int
    minimum: int
    seed: int
    patience: float
    timeout: float
    slo: Slo
    find_peak: bool
    trial: float
    steps: bool
    step_every: float
    calibrate: bool
    record: Path | None
    asked: Mapping[str, Any]


def scenarios() -> dict[str, str]:
    """Where each scenario is defined, by its name."""
    package = importlib.import_module("scenarios")
    return {
        found.name: f"scenarios.{found.name}.scenario"
        for found in pkgutil.iter_modules(package.__path__)
        if found.ispkg and importlib.util.find_spec(f"scenarios.{found.name}.scenario")
    }


def read(options: Namespace) -> Settings:
    """Settings from Locust's options. Raises BadOption."""
    try:
        return _read(options)
    except (ValueError, TrafficError) as error:
        raise BadOption(str(error)) from error


def _read(options: Namespace) -> Settings:
    profile = PROFILES[options.arrival]
    objectives = slo.parse(options.slo)
    if options.find_peak and objectives.latency is None:
        raise BadOption("--find-peak needs an objective to hold: add --slo with one such as p99<20ms")
    for name in ("trial", "patience", "answer_timeout"):
        _positive(name, getattr(options, name))
    for name in ("batch", "min_queries", "step_every"):
        if getattr(options, name) < 0:
            raise BadOption(f"--{name.replace('_', '-')} {getattr(options, name)}: give 0 or more")
    if options.model and options.requests:
        raise BadOption("--model and --requests: choose one of them")
    elsewhere = options.target.startswith("url:")
    if options.requests and not elsewhere:
        raise BadOption("--requests is about a server of your own: name it by --target url:...")
    own = bool(options.requests or (options.model and elsewhere))
    models = parse_models(options.model)
    scenario = None if own else _scenario(options.scenario, models)
    return Settings(
        target=options.target,
        scenario=scenario,
        models=models,
        requests=Path(options.requests) if options.requests else None,
        mix=_mix(options, profile),
        name=options.arrival,
        profile=profile,
        rates=_rates(options, scenario),
        users=profile.users or int(options.num_users or DEFAULT_USERS),
        minimum=options.min_queries,
        seed=options.seed,
        patience=options.patience,
        timeout=options.answer_timeout,
        slo=objectives,
        find_peak=options.find_peak,
        trial=options.trial,
        steps=not (options.no_steps or options.find_peak or own),
        step_every=options.step_every,
        calibrate=not options.no_calibration,
        record=Path(options.record) if options.record else None,
        asked={key: getattr(options, key) for key in _ASKED},
    )


#: The options that the record's header repeats.
_ASKED = (
    *("target", "scenario", "model", "requests", "protocol", "arrival", "rate", "encoding", "batch"),
    *("min_queries", "seed", "patience", "answer_timeout", "slo", "find_peak", "trial", "no_steps"),
    *("step_every", "no_calibration", "num_users", "run_time", "processes"),
)


def _positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise BadOption(f"--{name.replace('_', '-')} {value}: give seconds above 0")


def _scenario(name: str, models: list[tuple[Request, float]]) -> Scenario:
    """The scenario called ``name``, with traffic to ``models`` alone if there are any."""
    known = scenarios()
    if name not in known:
        raise BadOption(f"there is no scenario {name!r}; there are {', '.join(sorted(known))}")
    scenario: Scenario = importlib.import_module(known[name]).SCENARIO
    if not models:
        return scenario
    for request, _ in models:
        if request.model not in scenario.configured():
            there = ", ".join(scenario.configured())
            raise BadOption(f"scenario {name} has no model {request.model!r}; it has {there}")
    return replace(scenario, traffic=tuple(Traffic(request, weight) for request, weight in models))


def _mix(options: Namespace, profile: Profile) -> Mix:
    protocols = tuple(Protocol) if options.protocol == "both" else (Protocol(options.protocol),)
    encodings = tuple(part.strip() for part in options.encoding.split(",") if part.strip())
    for encoding in encodings:
        if encoding not in ENCODINGS:
            raise BadOption(f"there is no encoding {encoding!r}; there are {', '.join(ENCODINGS)}")
    mix = traffic.Mix(protocols, encodings, options.batch or profile.batch or 0)
    mix.ways()
    return mix


def _rates(options: Namespace, scenario: Scenario | None) -> RateProfile:
    """The rates of the run; in a closed loop only the length counts."""
    length = float(options.run_time or 0)
    if not length:
        acting = sum(bool(step.actions) for step in scenario.steps) if scenario else 0
        spread = (
            (acting + 1) * (options.step_every or STEP_SECONDS) if acting and not options.no_steps else 0.0
        )
        length = (spread or DEFAULT_SECONDS) if options.headless or options.autostart else UNTIL_STOPPED
    if length == UNTIL_STOPPED and ("," in options.rate or ".." in options.rate):
        raise BadOption(f"rate {options.rate}: ramps and steps need a run time")
    if PROFILES[options.arrival].arrival == "closed":
        return RateProfile((Stage(length, 0.0, 0.0),))
    return parse_rate(options.rate, length)
