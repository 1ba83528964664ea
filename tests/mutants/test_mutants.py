"""The strength of the letter-exact chapters: each fault of a distorting proxy fails some checks."""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

import scenarios.json
import scenarios.rest
from harness import targets
from harness.cases import RestCase
from harness.client import RestClient
from harness.exchange import play_rest
from harness.models import cache
from harness.player import contents_needed
from harness.verdict import Mismatch
from scenarios.json.scenario import SCENARIO as JSON
from scenarios.rest.scenario import SCENARIO as REST
from tests.mutants import proxy

#: Checks that must notice each fault, and the most that may fail: a fault is one mistake, not all of them.
NOTICED = {
    proxy.CompactJson: ("layout/one-output/*", "predict/error/not-found", "documents/status/layout"),
    proxy.PlainErrors: ("predict/error/*", "rows/style/*", "syntax/top-level/*"),
    proxy.InternalErrors: ("predict/not-found/*", "url/malformed/*", "syntax/broken/*"),
    proxy.CutErrors: ("predict/error/long", "url/name/very-long", "http/large/target"),
    proxy.ShortestFloats: ("numbers/float/nine-digits*", "numbers/double/seventeen*"),
    proxy.RoundsIntegers: ("numbers/integers/int64", "dtypes/uint64/limits", "syntax/integer/beyond-double"),
    proxy.NullForNaN: ("numbers/float/not-finite", "syntax/number/nan"),
    proxy.AsciiText: ("text/text/two-bytes", "text/not-utf8/*"),
    proxy.AlwaysCors: ("predict/no-cors", "methods/options/null"),
    proxy.ClosesAlways: ("http/keep-alive", "http/pipelining"),
    proxy.FoldsCase: ("url/case/metadata", "url/case/model-name", "url/malformed/post/upper-case-verb"),
    proxy.DropsQuery: ("url/name/query", "url/malformed/post/query"),
    proxy.TakesDecimals: ("dtypes/int32/whole-decimal", "dtypes/int64/whole-decimal"),
    proxy.HeadIsGet: ("methods/head/model",),
    proxy.AnyGzip: ("gzip/as-it-is/upper-case",),
    proxy.StopsAtFirstLine: ("columns/value/object*", "rows/missing-input/second"),
}


def cases(package: object, scenario: object) -> dict[str, RestCase]:
    """The cases of a chapter that are played on ``scenario``, by module and id."""
    found = {}
    for module in pkgutil.iter_modules(package.__path__):  # type: ignore[attr-defined]
        tests = importlib.import_module(f"{package.__name__}.{module.name}")  # type: ignore[attr-defined]
        mark = getattr(tests, "pytestmark", None)
        if mark is not None and mark.args == (scenario,):
            for marked in tests.test_case.pytestmark:
                prefix = module.name.removeprefix("test_")
                found |= {f"{prefix}/{case.id}": case for case in marked.args[0]}
    return found


CASES = {"rest": cases(scenarios.rest, REST), "json": cases(scenarios.json, JSON)}
#: Left out: they take long, and say nothing that others do not.
SLOW = ("http/large/body", "gzip/limit/beyond")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """Addresses of a right server for each chapter."""
    target = targets.parse("reference")
    cache.prepare((*contents_needed(REST), *contents_needed(JSON)))
    with ExitStack() as running:
        addresses = {}
        for scenario in (REST, JSON):
            server = target.start(scenario)
            running.callback(server.stop)
            addresses[scenario.id] = str(server.addresses.rest)
        yield addresses


def failures(servers: dict[str, str], fault: proxy.Fault, patterns: tuple[str, ...]) -> set[str]:
    """Ids of cases that fail behind a proxy with this fault, among those that match."""
    failed = set()
    for chapter, address in servers.items():
        with proxy.Proxy(address, fault) as between, closing(RestClient(between.address)) as client:
            for name, case in CASES[chapter].items():
                if name in SLOW or not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                    continue
                try:
                    play_rest(case, client, lambda _: None)
                except Mismatch:
                    failed.add(name)
    return failed


def test_a_right_server_passes(servers: dict[str, str]) -> None:
    assert failures(servers, proxy.Right(), ("*",)) == set()


@pytest.mark.parametrize("fault", NOTICED, ids=lambda fault: fault.__name__)
def test_a_fault_is_noticed(servers: dict[str, str], fault: type[proxy.Fault]) -> None:
    failed = failures(servers, fault(), NOTICED[fault])
    for pattern in NOTICED[fault]:
        assert fnmatch.filter(failed, pattern), f"no check {pattern} failed"


def test_every_fault_is_listed() -> None:
    assert NOTICED.keys() == set(proxy.Fault.__subclasses__()) - {proxy.Right}
