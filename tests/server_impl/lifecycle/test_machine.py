"""Random edits of folders, policies, labels and configs, checked against the plain rules of ``model``."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server_impl.errors import Code, ServingError
from server_impl.lifecycle.labels import accept_labels
from server_impl.lifecycle.manager import Manager
from server_impl.lifecycle.monitor import EventBus, Monitor
from server_impl.lifecycle.policy import All, Latest, Specific, VersionPolicy
from server_impl.lifecycle.retry import RetryPolicy
from server_impl.lifecycle.snapshot import Serving
from server_impl.lifecycle.source import MonitoredModel, StoragePathSource
from tests.server_impl.lifecycle.model import Policy, Rules
from tests.server_impl.lifecycle.waiting import Load, Loads, await_

NAMES = ("a", "b")
NUMBERS = range(1, 5)

names = st.sampled_from(NAMES)
numbers = st.sampled_from(NUMBERS)
policies: st.SearchStrategy[Policy] = st.one_of(
    st.tuples(st.just("latest"), st.integers(0, 3)),
    st.just(("all",)),
    st.lists(numbers, unique=True).map(lambda wanted: ("specific", *wanted)),
)
label_maps = st.dictionaries(names, st.dictionaries(st.sampled_from("xy"), numbers, max_size=2))


def real(policy: Policy) -> VersionPolicy:
    kind, *arguments = policy
    made: dict[object, type[VersionPolicy]] = {"latest": Latest, "all": All}
    return Specific(tuple(arguments)) if kind == "specific" else made[kind](*arguments)  # type: ignore[arg-type]


class Lifecycle(RuleBasedStateMachine):
    """A source and a manager whose polls, rounds and loads happen when a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.rules = Rules()
        self.loads = Loads()
        self.pending: dict[tuple[str, int], Load] = {}
        self.serving: Serving[str] = Serving()
        self.monitor = Monitor()
        bus = EventBus()
        bus.subscribe(self.monitor.handle)
        self.manager = Manager(
            self.loads, self.serving, bus, retry=RetryPolicy(0), num_load_threads=len(NAMES) * len(NUMBERS)
        )
        self.source = StoragePathSource((), self.manager.aspire, 1)

    def teardown(self) -> None:
        for load in self.pending.values():
            load.end()
        self.manager.stop()
        shutil.rmtree(self.root)

    # Disk

    @initialize()
    def base_paths(self) -> None:
        for name in NAMES:
            (self.root / name).mkdir()
            self.rules.disk[name] = set()
        self.configure({"a": ("all",), "b": ("latest", 1)})

    @rule(name=names, wanted=st.sets(numbers))
    def versions_appear_and_vanish(self, name: str, wanted: set[int]) -> None:
        there = self.rules.disk[name]
        for number in wanted ^ there:
            path = self.root / name / str(number)
            path.mkdir() if number in wanted else path.rmdir()
        self.rules.disk[name] = wanted

    @rule(name=names)
    def poll_while_a_base_path_is_away(self, name: str) -> None:
        away = (self.root / name).rename(self.root / "away")
        self.source.poll()
        self.rules.poll(missing=name)
        away.rename(self.root / name)

    # Configs

    @rule(a=policies, b=policies)
    def policies_change(self, a: Policy, b: Policy) -> None:
        self.configure({"a": a, "b": b})

    @rule(name=names)
    def a_model_is_dropped(self, name: str) -> None:
        self.configure({n: p for n, p in self.rules.policies.items() if n != name})

    def configure(self, wanted: dict[str, Policy]) -> None:
        self.source.update([MonitoredModel(n, str(self.root / n), real(p)) for n, p in wanted.items()])
        self.rules.configure(wanted)

    @rule(labels=label_maps, allow=st.booleans())
    def labels(self, labels: dict[str, dict[str, int]], allow: bool) -> None:
        try:
            self.serving.labels = accept_labels(
                labels, self.serving.labels, self.monitor.is_available, allow_unavailable=allow
            )
            accepted = True
        except ServingError:
            accepted = False
        assert accepted == self.rules.label(labels, allow=allow)

    # Time

    @rule()
    def poll(self) -> None:
        self.source.poll()
        self.rules.poll()

    @rule()
    def round(self) -> None:
        self.rules.begin_round()
        right = self.rules.right_actions()
        before = self.states()
        self.manager.round()
        if not right:
            assert self.loads.none_begun()
        elif next(iter(right))[0] == "load":
            load = self.loads.next()
            self.pending[load.id] = load
            taken = ("load", load.id.name, load.id.version)
            assert taken in right
            self.rules.act(taken)
        else:
            after = self.states()
            (ended,) = [id_ for id_, state in after.items() if state == "END" and before[id_] != "END"]
            assert ("unload", *ended) in right
            self.rules.act(("unload", *ended))

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), well=st.sampled_from([True, True, False]))
    def a_load_ends(self, data: st.DataObject, well: bool) -> None:
        name, number = data.draw(st.sampled_from(sorted(self.pending)))
        self.end(name, number, well)

    def end(self, name: str, number: int, well: bool) -> None:
        self.pending.pop((name, number)).end(None if well else ServingError(Code.DATA_LOSS, "broken"))
        self.rules.loaded(name, number, well=well)
        await_(lambda: self.states().get((name, number)) == self.rules.shown[name, number])

    @rule(broken=st.sets(numbers, max_size=2), rounds=st.integers(1, 8))
    def some_time_passes(self, broken: set[int], rounds: int) -> None:
        self.poll()
        for _ in range(rounds):
            self.round()
            for name, number in sorted(self.pending):
                self.end(name, number, number not in broken)

    # What clients see

    def states(self) -> dict[tuple[str, int], str]:
        return {
            (name, s.version): s.state.name + (f" {s.error.code.name}" if s.error else "")
            for name in NAMES
            for s in self.monitor.versions(name)
        }

    @invariant()
    def states_are_right(self) -> None:
        assert self.states() == self.rules.shown

    @invariant()
    def answers_are_right(self) -> None:
        for name in NAMES:
            expected = {number: f"{name}/{number}" for number in self.rules.serving(name)}
            answers = {number: self.answer(name, version=number) for number in NUMBERS}
            assert {n: a for n, a in answers.items() if a is not None} == expected
            latest = f"{name}/{max(expected)}" if expected else None
            assert self.answer(name) == latest
            for label, number in self.rules.labels.get(name, {}).items():
                assert self.answer(name, label=label) == expected.get(number)

    def answer(self, name: str, *, version: int | None = None, label: str | None = None) -> str | None:
        try:
            with self.serving.acquire(name, version=version, label=label) as lease:
                return lease.servable
        except ServingError:
            return None


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_no_thread_is_left_behind() -> None:
    await_(lambda: not [t for t in threading.enumerate() if t.name in ("load", "unload")])
