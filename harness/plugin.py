"""The pytest plugin: plays scenarios, gives failures their rule and recipe, writes the record.

A test module names its scenario with ``pytestmark = pytest.mark.scenario(SCENARIO)``. A test that takes
``check`` runs once for each check of that scenario and protocol; one that takes ``case`` and has the mark
``@pytest.mark.cases(CASES)`` runs once for each of these (:mod:`harness.cases`), on the server as it is
after the first step; one that takes ``player`` gets that server, and says with ``@pytest.mark.fact(...)``
what it verifies. Start-ups, which need no scenario, are in :mod:`harness.launching`. Modules without such
marks see nothing of this plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

import reports
from harness import (
    catalogue,
    comparing,
    exchange,
    expecting,
    launching,
    lines,
    own_models,
    recording,
    targets,
)
from harness.cases import Case
from harness.comparing import EVIDENCE, LINE
from harness.lines import StepCheck, is_check
from harness.models.cache import BuildError
from harness.player import PATIENCE, Event, Player
from harness.scenario import Scenario
from harness.side import Settings, Side
from harness.targets import tape
from harness.targets.replay import RecordedTarget
from harness.terms import Capability, Protocol
from harness.verdict import Mismatch

_SESSION = pytest.StashKey["ConformanceSession"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a conformance run."""
    group = parser.getgroup("conformance", "conformance of a TensorFlow Serving server")
    group.addoption(
        "--target",
        default="reference",
        help="server under test: reference (default), docker[:IMAGE[:TAG]], command:CMD, "
        "url:http://host:8501,host:8500, replay:FILE",
    )
    group.addoption(
        "--against",
        metavar="TARGET2",
        help="second server: every test is played on both, and fails where they differ",
    )
    group.addoption(
        "--record-golden", metavar="FILE", help="keep what the target answers, for --target replay:FILE"
    )
    group.addoption(
        "--known-failures",
        metavar="FILE",
        help="checks expected to fail; default known_failures/<kind of target>.toml, 'none' for none",
    )
    group.addoption(
        "--own-model",
        action="append",
        default=[],
        metavar="NAME[=FOLDER]",
        help="model of your own for scenarios/any_model, with its base path or SavedModel; the name alone "
        "where the target serves it already; may be given several times",
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
    golden = config.getoption("record_golden")
    specs = [spec for spec in (config.getoption("target"), config.getoption("against")) if spec]
    try:
        chosen = [targets.parse(spec) for spec in specs]
        if golden is not None:
            chosen[0] = RecordedTarget(chosen[0], Path(golden))
        own = own_models.parse(config.getoption("own_model"), chosen[0])
    except targets.UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_SESSION] = session = ConformanceSession(config, chosen)
    launching.register(config, session.side.launcher)
    own_models.register(config, own)
    config.pluginmanager.register(session, "conformance-session")
    config.pluginmanager.register(session.expectations, "conformance-expectations")
    config.pluginmanager.register(launching, "conformance-launching")
    config.pluginmanager.register(own_models, "conformance-own-models")


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests whose checks are all of the other protocol; pytest keeps one, without parameters."""
    left_out = [
        item for item in items if item.name.endswith("[NOTSET]") and item.get_closest_marker("scenario")
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Plays up to the check's step and verifies the check."""
    played: StepCheck = request.param
    player = _session(request.config).side.player(played.scenario, played.index)
    return lambda: player.verify(played.index, played.check, played.protocol)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Plays a case on the server as it is after the first step.

    One that speaks of none of the scenario's models is played on whatever a server of someone else's has.
    """
    case: Case = request.param
    scenario: Scenario = request.node.get_closest_marker("scenario").args[0]
    side = _session(request.config).side
    if side.target.capabilities & {Capability.START, Capability.REPOSITORY}:
        needed = scenario
    else:
        needed = scenario if exchange.names_model(case, scenario) else side.without_models(scenario)
    player = _ready(side, needed)
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
    return _ready(_session(request.config).side, mark.args[0])


def _ready(side: Side, scenario: Scenario) -> Player:
    """A player after the first step, with no evidence yet."""
    player = side.player(scenario, 0)
    player.reach(0)
    player.evidence.clear()
    return player


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Skip, with the reason, what the target cannot do. What is asked meanwhile is for this test."""
    try:
        with tape.subject(item.path.parent.name, item.path.stem, item.name):
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
    if not is_check(item):
        return report
    session = _session(item.config)
    if report.when == "setup":
        _add_properties(item, session.side)
    if report.when == "call" or (report.when == "setup" and not report.passed):
        about = lines.subject(item, session.side)
        line = lines.line(item, about, call, report)
        if report.failed and call.excinfo is not None:
            if call.excinfo.errisinstance(Mismatch):
                report.longrepr = lines.failure_text(line, lines.server_log(item, session.side))
            elif call.excinfo.errisinstance((targets.StartError, BuildError)):
                report.longrepr = str(call.excinfo.value)
        setattr(report, LINE, line)
        if session.against is None:
            session.expectations.apply(report, line)
        else:
            setattr(report, EVIDENCE, about.evidence)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """With ``--against`` a test is played on both sides."""
    session = _session(item.config)
    if session.against is None or not is_check(item):
        return None
    comparing.play(item, (session.sides[0], session.against), session.enter, session.expectations.apply)
    return True


def _add_properties(item: pytest.Item, side: Side) -> None:
    """What ``--junitxml`` tells of a check, so that its file can be read without the record."""
    about, mark = lines.subject(item, side), item.get_closest_marker("fact")
    facts = mark.args if mark else ()
    level = lines.level(item)
    item.user_properties = [("id", about.name), ("level", level.value), ("facts", " ".join(facts))]


class ConformanceSession:
    """What one run of pytest shares: the target, the server that is running, and the record."""

    def __init__(self, config: pytest.Config, chosen: list[targets.Target]) -> None:
        self._config = config
        settings = Settings(_protocols(config), config.getoption("patience"), self._say, self._event)
        self.sides = [
            Side(name, target, settings) for name, target in zip(("target", "against"), chosen, strict=False)
        ]
        self.side = self.sides[0]
        self.expectations = expecting.Expectations(config, self.side.target.kind)
        self._scenarios: dict[str, Scenario] = {}
        self._record: recording.Record | None = None
        self._compared: list[dict[str, Any]] = []

    @property
    def against(self) -> Side | None:
        """The second side of a comparison."""
        return self.sides[1] if len(self.sides) > 1 else None

    def enter(self, side: Side) -> None:
        """Make a side the one that tests look at."""
        self.side = side
        launching.use(self._config, side.launcher)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Open the record if there is anything to record."""
        marks = [item.get_closest_marker("scenario") for item in session.items]
        self._scenarios = {mark.args[0].id: mark.args[0] for mark in marks if mark is not None}
        start_ups = launching.start_ups(session.items)
        for side in self.sides:
            side.expect(self._scenarios)
            side.launcher.expect(start_ups)
        if any(map(is_check, session.items)) and not self._config.option.collectonly:
            try:
                for side in self.sides:
                    side.target.prepare(self._say)
            except targets.StartError as error:
                raise pytest.UsageError(str(error)) from error
            self._open()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the line of a check, which may come from another process."""
        line = getattr(report, LINE, None)
        if line is None:
            return
        self.expectations.saw(line)
        if self.against is not None:
            self._compared.append(line)
        if self._record is None:
            self._open()
        if self._record is not None:
            self._record.check(line)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Counts by level, and where the record is."""
        if self._record is None:
            return
        if self.against is not None:
            comparing.tell(terminalreporter, self._compared, self.sides)
        terminalreporter.section("conformance")
        for level, outcomes in sorted(self._record.levels.items()):
            words = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
            terminalreporter.line(f"{level}: {words}")
        for reason, count in self._record.skipped.most_common():
            terminalreporter.line(f"{count} skipped: {reason}")
        for told in self.expectations.summary():
            terminalreporter.line(told, red=True)
        against = "" if self.against is None else f", against {self.against.target.spec}"
        terminalreporter.line(f"target {self.sides[0].target.spec}{against}, record {self._record.path}")
        try:
            written = reports.write_all(self._record.path)
        except (reports.RecordError, OSError) as error:
            terminalreporter.line(f"no report could be written: {error}", red=True)
        else:
            terminalreporter.line(f"report {written.html}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Stop the servers and close the record; a list that is not up to date is a failure."""
        for side in self.sides:
            side.close()
        self.expectations.finish(session)
        if self.expectations.stale and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = exitstatus = pytest.ExitCode.TESTS_FAILED
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
            self.sides[0].target,
            None if self.against is None else self.against.target,
            models=recording.model_hashes(self._scenarios.values()),
            flags={scenario.id: dict(scenario.flags) for scenario in self._scenarios.values()},
            seeds={},
            spec=catalogue.load().header(),
            options={
                name: self._config.getoption(name)
                for name in (
                    "target",
                    "against",
                    "protocol",
                    "record",
                    "record_golden",
                    "patience",
                    "known_failures",
                    "own_model",
                )
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
