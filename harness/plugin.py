"""The pytest plugin: plays scenarios, gives failures their rule and recipe, writes the record.

A test module names its scenario with ``pytestmark = pytest.mark.scenario(SCENARIO)``. A test that takes
``check`` runs once for each check of that scenario and protocol; one that takes ``case`` and has the mark
``@pytest.mark.cases(CASES)`` runs once for each of these (:mod:`harness.cases`), on the server as it is
after the first step; one that takes ``player`` gets that server, and says with ``@pytest.mark.fact(...)``
what it verifies. Start-ups, which need no scenario, are in :mod:`harness.launching`. Modules without such
marks see nothing of this plugin.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

import reports
from harness import exchange, launching, recipe, recording, targets
from harness.cases import Case
from harness.client import Exchange
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
    """One check of one step over one protocol, or over none."""

    scenario: Scenario
    index: int
    check: Check
    protocol: Protocol | None

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
    config.pluginmanager.register(launching, "conformance-launching")


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
            for protocol in check.protocols or (None,)
            if protocol is None or protocol in protocols
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
    if not _is_check(item):
        return report
    if report.when == "call" or (report.when == "setup" and not report.passed):
        line = _line(item, call, report)
        setattr(report, _LINE, line)
        if report.failed and call.excinfo is not None:
            if call.excinfo.errisinstance(Mismatch):
                report.longrepr = _failure_text(line, _logs(item))
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
        self.launcher = launching.register(config, target, self._say)

    def player(self, scenario: Scenario, index: int) -> Player:
        """A player of ``scenario`` that has not gone beyond step ``index``.

        The running server is kept as long as it can be: for the same scenario, and for another one with
        the same models and flags while nothing has been done to it.
        """
        self.launcher.close()
        active = self.active
        if active is not None:
            if active.scenario is scenario and active.can_reach(index):
                return active
            if active.pristine and active.scenario.setting == scenario.setting:
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
        marks = [item.get_closest_marker("start_ups") for item in session.items]
        self.launcher.expect(
            {id(mark): start_up for mark in marks if mark for start_up in mark.args[0]}.values()
        )
        if any(map(_is_check, session.items)) and not self._config.option.collectonly:
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
        try:
            written = reports.write_all(self._record.path)
        except (reports.RecordError, OSError) as error:
            terminalreporter.line(f"no report could be written: {error}", red=True)
        else:
            terminalreporter.line(f"report {written.html}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Stop the servers and close the record."""
        self.launcher.close()
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
    suffix = "" if played.protocol is None else f"-{played.protocol}"
    return pytest.param(played, id=f"{played.step.id}/{played.check.key}{suffix}", marks=mark)


class _Subject(NamedTuple):
    """What a test is about: its id in the record, its rule, and how to see it again."""

    name: str
    rule: str
    protocol: Protocol | None
    recipe: str
    evidence: list[Exchange]


def _is_check(item: pytest.Item) -> bool:
    """Tell whether a test verifies something about the server."""
    return item.get_closest_marker("scenario") is not None or item.get_closest_marker("fact") is not None


def _logs(item: pytest.Item) -> str:
    """The end of the log of the server that the test looked at."""
    session = _session(item.config)
    if item.get_closest_marker("scenario") is None:
        return "" if session.launcher.running is None else session.launcher.running[1].logs()
    return "" if session.active is None else session.active.server.logs()


def _subject(item: pytest.Item) -> _Subject:
    function = cast(pytest.Function, item)
    params: dict[str, Any] = function.callspec.params if hasattr(function, "callspec") else {}
    chapter, module = item.path.parent.name, item.path.stem.removeprefix("test_")
    mark, marked = item.get_closest_marker("scenario"), item.get_closest_marker("fact")
    described = (function.function.__doc__ or function.originalname).strip()
    suffix = f"[{'-'.join(str(value) for value in params.values())}]" if params else ""
    if mark is None:
        launcher, start_up = _session(item.config).launcher, params.get("start_up")
        return _Subject(
            f"{chapter}/{module}/{function.originalname + suffix if start_up is None else start_up.id}",
            described if start_up is None else start_up.rule,
            marked.kwargs.get("protocol") if marked else None,
            launcher.recipe(item),
            list(launcher.evidence),
        )
    scenario: Scenario = mark.args[0]
    active = _session(item.config).active
    evidence = list(active.evidence) if active is not None and active.scenario is scenario else []
    protocol: Protocol | None
    played, case = params.get("check"), params.get("case")
    if isinstance(played, StepCheck):
        over = "" if played.protocol is None else f"[{played.protocol}]"
        name = f"{scenario.id}/{played.step.id}/{played.check.key}{over}"
        protocol, step = played.protocol, played.step
        rule = f"{step.rule} Here: {played.check}."
    elif case is not None:
        name = f"{chapter}/{module}/{case.id}[{case.protocol}]"
        protocol, rule, step = case.protocol, case.rule, scenario.steps[0]
    else:
        protocol = params.get("protocol") or (marked.kwargs.get("protocol") if marked else None)
        name, rule, step = f"{scenario.id}/{function.originalname}{suffix}", described, scenario.steps[0]
    called = next((name for name, value in vars(function.module).items() if value is scenario), "SCENARIO")
    target = item.config.getoption("target")
    script = recipe.script(f"scenarios.{chapter}.scenario:{called}", step.id, target, evidence)
    return _Subject(name, rule, protocol, script, evidence)


def _line(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> dict[str, Any]:
    """The record's line for a test, in plain types, since it may travel between processes."""
    subject = _subject(item)
    mark = item.get_closest_marker("fact")
    facts = mark.args if mark else ()
    error = call.excinfo.value if call.excinfo is not None else None
    return {
        "id": subject.name,
        "chapter": item.path.parent.name,
        "facts": [fact for fact in facts if not _ROW.fullmatch(fact)],
        "rows": [fact for fact in facts if _ROW.fullmatch(fact)],
        "level": Level(mark.kwargs.get("level", Level.MUST) if mark else Level.MUST).value,
        "rule": subject.rule,
        "protocol": None if subject.protocol is None else Protocol(subject.protocol).value,
        "outcome": _outcome(report),
        "reason": _reason(report),
        "expected": error.expected if isinstance(error, Mismatch) else None,
        "actual": error.actual if isinstance(error, Mismatch) else None,
        "recipe": None if report.passed else subject.recipe,
        "duration_s": round(report.duration, 6),
        "exchanges": [recording.exchange_line(exchange) for exchange in subject.evidence[-4:]],
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
