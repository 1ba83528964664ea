"""The pytest plugin: plays scenarios, gives failures their rule and recipe, writes the record.

A test module names its scenario with ``pytestmark = pytest.mark.scenario(SCENARIO)``. A test that takes
``check`` runs once for each check of that scenario and protocol; one that takes ``case`` and has the mark
``@pytest.mark.cases(CASES)`` runs once for each of these (:mod:`harness.cases`), on the server as it is
after the first step; one that takes ``player`` gets that server, and says with ``@pytest.mark.fact(...)``
what it verifies. Modules without the mark see nothing of this plugin.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from harness import exchange, recipe, recording, targets
from harness.cases import Case
from harness.models import cache
from harness.models.cache import BuildError
from harness.player import PATIENCE, Event, Player, contents_needed
from harness.scenario import Check, Level, Protocol, Scenario, Step
from harness.verdict import Mismatch

_ROW = re.compile(r"[A-Z]+-\d+")
_SESSION = pytest.StashKey["ConformanceSession"]()
_LINE = "_conformance_check"
#: Lines of the server's log that a failure shows.
_LOG_LINES = 12


@dataclass(frozen=True, slots=True)
class StepCheck:
    """One check of one step over one protocol."""

    scenario: Scenario
    index: int
    check: Check
    protocol: Protocol

    @property
    def step(self) -> Step:
        """The step that the check belongs to."""
        return self.scenario.steps[self.index]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a conformance run."""
    group = parser.getgroup("conformance", "conformance of a TensorFlow Serving server")
    group.addoption(
        "--target",
        default="reference",
        help="server under test: reference (default), command:CMD, url:http://host:8501,host:8500",
    )
    group.addoption("--protocol", default="both", choices=("rest", "grpc", "both"), help="protocols to test")
    group.addoption(
        "--record", metavar="PATH", help="record of the run; default reports/out/<stamp>/run.jsonl"
    )
    group.addoption(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help="how long after a poll of the disk its effect may take to show (default %(default)g)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register marks; make sure that the target string can be read before anything runs."""
    config.addinivalue_line("markers", "scenario(scenario): the scenario that the module's tests belong to")
    config.addinivalue_line(
        "markers", "fact(*ids, level='MUST', protocol=None): what the test verifies, by catalogue id"
    )
    config.addinivalue_line("markers", "cases(cases): the cases that the test plays, one test for each")
    try:
        target = targets.parse(config.getoption("target"))
    except targets.UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_SESSION] = session = ConformanceSession(config, target)
    config.pluginmanager.register(session, "conformance-session")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each check of the module's scenario, and one for each protocol."""
    mark = metafunc.definition.get_closest_marker("scenario")
    if mark is None:
        return
    scenario: Scenario = mark.args[0]
    protocols = _protocols(metafunc.config)
    if "check" in metafunc.fixturenames:
        checks = [
            StepCheck(scenario, index, check, protocol)
            for index, step in enumerate(scenario.steps)
            for check in step.checks
            for protocol in check.protocols
            if protocol in protocols
        ]
        metafunc.parametrize("check", [_param(check) for check in checks], indirect=True)
    elif "case" in metafunc.fixturenames:
        cases = [
            pytest.param(case, id=case.id, marks=pytest.mark.fact(*case.facts, level=case.level))
            for marked in metafunc.definition.iter_markers("cases")
            for case in marked.args[0]
            if case.protocol in protocols
        ]
        metafunc.parametrize("case", cases, indirect=True)
    elif "protocol" in metafunc.fixturenames:
        metafunc.parametrize("protocol", protocols, ids=str)


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Plays up to the check's step and verifies the check."""
    played: StepCheck = request.param
    player = _session(request.config).player(played.scenario, played.index)
    return lambda: player.verify(played.index, played.check, played.protocol)


@pytest.fixture
def case(request: pytest.FixtureRequest, player: Player) -> Callable[[], None]:
    """Plays a case on the server as it is after the first step."""
    case: Case = request.param
    return lambda: exchange.play(case, player)


@pytest.fixture
def player(request: pytest.FixtureRequest) -> Player:
    """A server in the state after the scenario's first step."""
    mark = request.node.get_closest_marker("scenario")
    if mark is None:
        raise pytest.UsageError("the fixture 'player' needs pytest.mark.scenario(SCENARIO)")
    fact = request.node.get_closest_marker("fact")
    wanted = fact.kwargs.get("protocol") if fact else None
    if wanted is not None and wanted not in _protocols(request.config):
        pytest.skip(f"--protocol {request.config.getoption('protocol')} leaves out {wanted}")
    player = _session(request.config).player(mark.args[0], 0)
    player.reach(0)
    player.evidence.clear()
    return player


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Skip, with the reason, what the target cannot do."""
    try:
        return (yield)
    except targets.Unsupported as error:
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Skip, with the reason, scenarios that the target cannot start."""
    try:
        return (yield)
    except targets.Unsupported as error:
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give a failure its text, and every test of a scenario its line for the record."""
    report = yield
    if item.get_closest_marker("scenario") is None:
        return report
    if report.when == "call" or (report.when == "setup" and not report.passed):
        line = _line(item, call, report)
        setattr(report, _LINE, line)
        if report.failed and call.excinfo is not None:
            if call.excinfo.errisinstance(Mismatch):
                active = _session(item.config).active
                report.longrepr = _failure_text(line, active.server.logs() if active is not None else "")
            elif call.excinfo.errisinstance((targets.StartError, BuildError)):
                report.longrepr = str(call.excinfo.value)
    return report


class ConformanceSession:
    """What one run of pytest shares: the target, the server that is running, and the record."""

    def __init__(self, config: pytest.Config, target: targets.Target) -> None:
        self._config = config
        self.target = target
        self.active: Player | None = None
        self._failed: dict[str, Exception] = {}
        self._scenarios: dict[str, Scenario] = {}
        self._record: recording.Record | None = None

    def player(self, scenario: Scenario, index: int) -> Player:
        """A player of ``scenario`` that has not gone beyond step ``index``.

        The running server is kept as long as it can be: for the same scenario, and for another one with
        the same models and flags while nothing has been done to it.
        """
        active = self.active
        if active is not None:
            if active.scenario is scenario and active.position <= index:
                return active
            if active.pristine and _set_up(active.scenario) == _set_up(scenario):
                active.adopt(scenario)
                return active
            active.close()
            self.active = None
        if scenario.id in self._failed:
            raise self._failed[scenario.id]
        try:
            # For all scenarios in one go: it takes seconds just to import TensorFlow.
            wanted = itertools.chain.from_iterable(map(contents_needed, self._scenarios.values()))
            cache.prepare(wanted, self._say)
            self.active = Player(
                scenario,
                self.target,
                _protocols(self._config),
                patience=self._config.getoption("patience"),
                on_event=self._event,
            )
        except (targets.Unsupported, targets.StartError, BuildError) as error:
            self._failed[scenario.id] = error  # once is enough: a start that fails can take minutes
            raise
        return self.active

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Open the record if there is anything to record."""
        marks = [item.get_closest_marker("scenario") for item in session.items]
        self._scenarios = {mark.args[0].id: mark.args[0] for mark in marks if mark is not None}
        if self._scenarios and not self._config.option.collectonly:
            self._open()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the line of a check, which may come from another process."""
        line = getattr(report, _LINE, None)
        if line is None:
            return
        if self._record is None:
            self._open()
        if self._record is not None:
            self._record.check(line)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Counts by level, and where the record is."""
        if self._record is None:
            return
        terminalreporter.section("conformance")
        for level, outcomes in sorted(self._record.levels.items()):
            words = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
            terminalreporter.line(f"{level}: {words}")
        terminalreporter.line(f"target {self.target.spec}, record {self._record.path}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Stop the server and close the record."""
        if self.active is not None:
            self.active.close()
            self.active = None
        if self._record is not None:
            self._record.close(
                exit_code=int(exitstatus), interrupted=exitstatus == pytest.ExitCode.INTERRUPTED
            )

    def _open(self) -> None:
        """Start the record, in the process that reports."""
        if hasattr(self._config, "workerinput"):
            return
        chosen = self._config.getoption("record")
        self._record = recording.Record(
            Path(chosen) if chosen else recording.default_path(),
            "conformance",
            self.target,
            models=recording.model_hashes(self._scenarios.values()),
            flags={scenario.id: dict(scenario.flags) for scenario in self._scenarios.values()},
            seeds={},
            options={
                name: self._config.getoption(name) for name in ("target", "protocol", "record", "patience")
            },
        )

    def _say(self, text: str) -> None:
        """Tell the user why nothing moves."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if reporter is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                reporter.ensure_newline()
                reporter.line(text)

    def _event(self, event: Event) -> None:
        if self._record is not None:
            self._record.write(
                "event",
                t=self._record.since_start(event.at),
                name=event.name,
                model=event.model,
                version=event.version,
                detail=event.detail,
            )


def _session(config: pytest.Config) -> ConformanceSession:
    return config.stash[_SESSION]


def _protocols(config: pytest.Config) -> tuple[Protocol, ...]:
    chosen = config.getoption("protocol")
    return tuple(Protocol) if chosen == "both" else (Protocol(chosen),)


def _param(played: StepCheck) -> Any:
    mark = pytest.mark.fact(*played.check.facts, level=played.check.level)
    return pytest.param(played, id=f"{played.step.id}/{played.check.key}-{played.protocol}", marks=mark)


def _line(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> dict[str, Any]:
    """The record's line for a test, in plain types, since it may travel between processes."""
    function = cast(pytest.Function, item)
    params: dict[str, Any] = function.callspec.params if hasattr(function, "callspec") else {}
    played, case = params.get("check"), params.get("case")
    mark = item.get_closest_marker("fact")
    facts = mark.args if mark else ()
    scenario: Scenario = item.get_closest_marker("scenario").args[0]  # type: ignore[union-attr]
    active = _session(item.config).active
    evidence = list(active.evidence) if active is not None and active.scenario is scenario else []
    chapter = item.path.parent.name
    protocol: Protocol | None
    if isinstance(played, StepCheck):
        name = f"{scenario.id}/{played.step.id}/{played.check.key}[{played.protocol}]"
        protocol, step = played.protocol, played.step
        rule = f"{step.rule} Here: {played.check}."
    elif case is not None:
        name = f"{chapter}/{item.path.stem.removeprefix('test_')}/{case.id}[{case.protocol}]"
        protocol, rule, step = case.protocol, case.rule, scenario.steps[0]
    else:
        protocol = params.get("protocol") or (mark.kwargs.get("protocol") if mark else None)
        suffix = f"[{'-'.join(str(value) for value in params.values())}]" if params else ""
        name = f"{scenario.id}/{function.originalname}{suffix}"
        rule, step = (function.function.__doc__ or function.originalname).strip(), scenario.steps[0]
    error = call.excinfo.value if call.excinfo is not None else None
    called = next((name for name, value in vars(function.module).items() if value is scenario), "SCENARIO")
    module, target = f"scenarios.{chapter}.scenario:{called}", item.config.getoption("target")
    return {
        "id": name,
        "chapter": chapter,
        "facts": [fact for fact in facts if not _ROW.fullmatch(fact)],
        "rows": [fact for fact in facts if _ROW.fullmatch(fact)],
        "level": Level(mark.kwargs.get("level", Level.MUST) if mark else Level.MUST).value,
        "rule": rule,
        "protocol": None if protocol is None else Protocol(protocol).value,
        "outcome": _outcome(report),
        "reason": _reason(report),
        "expected": error.expected if isinstance(error, Mismatch) else None,
        "actual": error.actual if isinstance(error, Mismatch) else None,
        "recipe": None if report.passed else recipe.script(module, step.id, target, evidence),
        "duration_s": round(report.duration, 6),
        "exchanges": [recording.exchange_line(exchange) for exchange in evidence[-4:]],
    }


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when == "setup":
        return "errored"
    return report.outcome


def _reason(report: pytest.TestReport) -> str | None:
    if report.passed:
        return None
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext.strip().splitlines()[-1] if report.longreprtext else None


def _failure_text(line: dict[str, Any], logs: str) -> str:
    facts = ", ".join([*line["facts"], *line["rows"]])
    log = "".join(f"\n  {text}" for text in logs.splitlines()[-_LOG_LINES:])
    again = "".join(f"\n  {command}" for command in line["recipe"].splitlines())
    return (
        f"{line['id']} ({line['level']}, facts {facts})\n"
        f"rule:     {line['rule']}\n"
        f"expected: {line['expected']}\n"
        f"actual:   {line['actual']}\n"
        f"to see it again:{again}" + (f"\nend of the server's log:{log}" if log else "")
    )
