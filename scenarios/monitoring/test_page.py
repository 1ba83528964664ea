"""Where the metrics page is, and how it is written [4.10, 7.1]."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.cases import HttpRequest, Reply, RestCase, get
from harness.client import RestClient
from harness.player import Player
from harness.terms import Level, Protocol
from harness.verdict import Mismatch
from scenarios.monitoring.page import SERVING, read
from scenarios.monitoring.scenario import PATH, SCENARIO

pytestmark = pytest.mark.scenario(SCENARIO)

#: The server's own metrics, with their types [7.2].
TYPES = {
    "request_count": "counter",
    "request_latency": "histogram",
    "runtime_latency": "histogram",
    "request_example_counts": "histogram",
    "request_example_count_total": "counter",
    "request_log_count": "counter",
    "model_warmup_latency": "histogram",
    "model_warmup_records_read": "counter",
    "mlmd_map": "gauge",
}

ANY_PAGE = Reply(200, headers={"Content-Type": "text/plain"})

CASES = (
    *(
        RestCase(
            f"method/{method}",
            "Any method gets the page, as plain text.",
            HttpRequest(method, PATH),
            ANY_PAGE,
            facts=("4.10.1", "4.10.2", "4.10.3", "MET-01"),
            level=Level.MUST if method == "GET" else Level.QUIRK,
        )
        for method in ("GET", "POST", "PUT", "DELETE")
    ),
    RestCase(
        "query",
        "With a query the page is a bad request.",
        get(f"{PATH}?x=1"),
        Reply(
            400,
            f"Unexpected path: {PATH}?x=1. Should be {PATH}",
            headers={"Content-Type": "text/plain"},
        ),
        facts=("4.10.2", "MET-02"),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"other-path/{name}",
            "The path is compared letter by letter.",
            get(path),
            Reply(404, headers={"Content-Type": re.compile("text/html.*")}),
            facts=("4.10.2", "MET-02"),
        )
        for name, path in (
            ("slash", f"{PATH}/"),
            ("case", PATH.upper()),
            ("parent", "/monitoring"),
            ("usual", "/metrics"),
        )
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()


@pytest.mark.fact("7.1.1", "7.1.2", "7.1.3", "MET-03", protocol=Protocol.REST)
def test_lines(player: Player) -> None:
    """Every line gives a type or a sample, there is no help; samples carry braces even without labels."""
    page = read(player)
    helped = [line for line in page.lines if line.startswith("# HELP")]
    if helped:
        raise Mismatch("no HELP lines", helped[0])
    for name in page.types:
        if not re.fullmatch(r"[a-zA-Z0-9_:]+", name):
            raise Mismatch("names of letters, digits, _ and :", name)
    bare = [key for key in page.samples if key.endswith("{}")]
    if not bare:
        raise Mismatch("samples without labels, as name{}", "none")


@pytest.mark.fact("7.1.1", "7.2", "MET-03", protocol=Protocol.REST)
@pytest.mark.parametrize("name", TYPES)
def test_type(player: Player, name: str) -> None:
    """Each metric has a TYPE line, also while it has no samples."""
    came = read(player).types.get(SERVING + name)
    if came != TYPES[name]:
        raise Mismatch(f"# TYPE {SERVING}{name} {TYPES[name]}", str(came))


@pytest.mark.fact("7.1.1", level=Level.SHOULD, protocol=Protocol.REST)
def test_order(player: Player) -> None:
    """Metrics are sorted by name."""
    # The server sorts by the names before : takes the place of /.
    names = [name.replace(":", "/") for name in read(player).types if name.startswith(SERVING)]
    if names != sorted(names):
        raise Mismatch(str(sorted(names)), str(names))


@pytest.mark.fact("7.1.4", "7.2.2", "MET-03", "X-55", protocol=Protocol.REST)
def test_histogram(player: Player) -> None:
    """Buckets of latencies have 33 bounds, from 10 by factors of 1.8, and infinity, which has the count."""
    player.client(Protocol.REST).status("m")
    page = read(player)
    label = 'model_name="m",API="",entrypoint="REST"'
    buckets = page.labelled(f"{SERVING}request_latency_bucket")
    bounds = [f"{10 * 1.8**i:g}" for i in range(33)] + ["+Inf"]
    counts = [buckets.get(f'{{{label},le="{bound}"}}') for bound in bounds]
    if None in counts or len([key for key in buckets if key.startswith(f"{{{label},")]) != len(bounds):
        raise Mismatch(f"buckets {bounds}", str(buckets))
    total = page.samples.get(f"{SERVING}request_latency_count{{{label}}}")
    if counts != sorted(count or 0 for count in counts) or counts[-1] != total:
        raise Mismatch(f"growing counts that end with {total}", str(counts))
    if f"{SERVING}request_latency_sum{{{label}}}" not in page.samples:
        raise Mismatch("a sum", "none")


@pytest.mark.fact("7.1.2", "7.2.1", "MET-05", level=Level.SHOULD, protocol=Protocol.REST)
def test_escapes(player: Player) -> None:
    """Quotes and backslashes in the value of a label are escaped."""
    client = player.client(Protocol.REST)
    assert isinstance(client, RestClient)
    client.exchange("GET", "/v1/models/none%22x%5Cy")
    counts = read(player).labelled(f"{SERVING}request_count")
    expected = r'{model_name="none\"x\\y",status="NOT_FOUND"}'
    if expected not in counts:
        raise Mismatch(expected, ", ".join(counts))
