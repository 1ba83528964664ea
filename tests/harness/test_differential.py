from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from harness.client import Exchange, grpc
from harness.differential import Outcome, compare, differences, summary
from harness.terms import Protocol
from harness.wire import messages as wire
from harness.wire.methods import METHODS
from tests.harness.tiny import RIGHT, lines, run

pytest_plugins = "pytester"


def rest(body: bytes = b"{}", **fields: Any) -> Exchange:
    made: dict[str, Any] = {
        "protocol": Protocol.REST,
        "method": "GET /v1/models/m",
        "request": b"",
        "request_headers": (),
        "status": "200 OK",
        "text": "",
        "reply": body,
        "reply_headers": (("Content-Type", "application/json"), ("Date", "now"), ("Content-Length", "2")),
        "started": 0.0,
        "duration_s": 0.1,
    }
    return Exchange(**(made | fields))


def call(message: Any = None, method: str = grpc.PREDICT, **fields: Any) -> Exchange:
    reply = b"" if message is None else message.SerializeToString()
    return rest(reply, protocol=Protocol.GRPC, method=method, status="OK", reply_headers=(), **fields)


def predicted(*values: float) -> wire.PredictResponse:
    reply = wire.PredictResponse()
    reply.outputs["y"].dtype = wire.DT_FLOAT
    reply.outputs["y"].float_val.extend(values)
    return reply


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (rest(b'{"a": 1.0, "b": [1, 2]}'), rest(b'{"b":[1,2],"a":1.0000000001}')),
        (rest(b'{"a": NaN}'), rest(b'{ "a": NaN }')),
        (rest(reply_headers=(("Date", "now"),)), rest(reply_headers=(("Date", "then"), ("Server", "x")))),
        (rest(b"# TYPE :a gauge\n:a 1\n"), rest(b"# TYPE :a gauge\n:a 2\n")),
        (rest(b"plain"), rest(b"plain")),
        (call(predicted(1.0, 2.0)), call(predicted(1.0, 2.0000002))),
    ],
)
def test_alike(here: Exchange, there: Exchange) -> None:
    assert compare(here, there) is None


def test_texts_that_grpc_makes_are_not_compared() -> None:
    one, other = (
        rest(b"", protocol=Protocol.GRPC, status="UNAVAILABLE", text=text) for text in ("ipv4:1", "ipv6:2")
    )
    assert compare(one, other) is None


@pytest.mark.parametrize(
    ("here", "there", "cause", "path"),
    [
        (
            rest(status="404 Not Found"),
            rest(),
            "status 404 Not Found here, 200 OK there",
            "status",
        ),
        (
            rest(b'{"a": [1, 2]}'),
            rest(b'{"a": [1, 3]}'),
            "$.a[*] is 2 here, 3 there",
            "$.a[1]",
        ),
        (rest(b'{"a": 1}'), rest(b'{"a": 1.0}'), "$.a is 1 here, 1.0 there", "$.a"),
        (
            rest(b'{"a": 1}'),
            rest(b'{"a": 1, "b": 2}'),
            "$ has members ['a'] here, ['a', 'b'] there",
            "$",
        ),
        (
            rest(b'{"error": "no"}'),
            rest(b'{"error": "nope"}'),
            "error text 'no' here, 'nope' there",
            "$.error",
        ),
        (
            rest(reply_headers=(("Content-Type", "text/html"),)),
            rest(reply_headers=()),
            "header content-type: text/html here, none there",
            "header content-type",
        ),
        (
            rest(b"# TYPE :a gauge\n"),
            rest(b"# TYPE :a gauge\n# TYPE :b counter\n"),
            "metric :b counter on one side only",
            "metrics",
        ),
        (rest(b"one"), rest(b"other"), "text of the reply", "body"),
        (
            call(predicted(1.0, 2.0)),
            call(predicted(1.0, 3.0)),
            "$.PredictResponse.outputs.'y'.float_val[*] is 2.0 here, 3.0 there",
            "$.PredictResponse.outputs.'y'.float_val[1]",
        ),
        (
            call(method="/other", text=""),
            rest(b"x", protocol=Protocol.GRPC, method="/other", status="OK", reply_headers=()),
            "bytes of the reply",
            "message",
        ),
    ],
)
def test_different(here: Exchange, there: Exchange, cause: str, path: str) -> None:
    assert compare(here, there) == (cause, path)


def test_what_belongs_to_one_side_is_no_difference() -> None:
    here = rest(b'{"error": "No versions under base path /tmp/x/models/m"}')
    there = rest(b'{"error": "No versions under base path /srv/m"}')
    assert compare(here, there, [("/tmp/x/models", "$MODELS")], [("/srv", "$MODELS")]) is None
    assert compare(here, there) is not None


def test_texts_within_messages_belong_to_one_side_too() -> None:
    replies = []
    for root in ("/tmp/x/models", "/srv"):
        reply = wire.GetModelStatusResponse()
        reply.model_version_status.add(version=1).status.error_message = f"Can't parse {root}/m/1"
        replies.append(call(reply, grpc.GET_MODEL_STATUS))
    assert compare(*replies, [("/tmp/x/models", "$MODELS")], [("/srv", "$MODELS")]) is None
    assert compare(*replies) is not None


def test_which_of_several_nodes_failed_is_chance() -> None:
    here, there = (
        rest(
            f'{{"error": "Could not find variable {name}. (localhost/{name}) {{{{node {name}}}}}"}}'.encode()
        )
        for name in "ab"
    )
    assert compare(here, there) is None


def test_requests_are_paired_by_what_was_sent() -> None:
    """What only one side was asked, as by a stream of requests, has nothing to stand beside."""
    here = [rest(b'{"a": 1}', request=b"1"), rest(b'{"a": 2}', request=b"2")]
    there = [rest(b'{"a": 2}', request=b"2"), rest(b'{"a": 3}', request=b"3")]
    assert differences(Outcome("passed", None, here, ()), Outcome("passed", None, there, ())) == []


def test_verdicts_differ_even_where_replies_do_not() -> None:
    passed, failed = Outcome("passed", None, [], ()), Outcome("failed", "a gap\nmore", [], ())
    assert differences(passed, failed) == [("passed here, failed there: a gap", "outcome")]
    assert differences(failed, passed) == [("failed here, passed there: a gap", "outcome")]
    assert differences(failed, failed) == []


def test_of_what_is_watched_only_the_verdict_counts() -> None:
    here = Outcome("failed", "3 x version 1, then 2 x a gap", [rest(b"1")], (), True)
    there = Outcome("failed", "4 x version 1, then 1 x a gap", [rest(b"2")], (), True)
    assert differences(here, there) == []
    assert differences(here, there._replace(outcome="passed")) != []


def test_the_most_frequent_cause_comes_first() -> None:
    assert summary([("a", "x"), ("b", None), ("c", "y"), ("d", "y")]) == [("y", ["c", "d"]), ("x", ["a"])]


# --------------------------------------------------------------------------- runs


def wrong(fault: str) -> str:
    return f"command:{sys.executable} -m tests.miniatures.server {fault}"


def test_two_servers_that_are_alike(tiny: pytest.Pytester) -> None:
    """The same even where both break a rule."""
    result = run(tiny, f"--against={RIGHT}")
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines(["12 checks: 12 alike, 0 not compared, 0 differ"])
    written = lines(tiny)
    assert written[0]["against"]["spec"] == RIGHT
    by_id = {line["id"]: line for line in written if line["kind"] == "check"}
    answers = by_id["tiny/start/answers-m[rest]"]
    assert [exchange["side"] for exchange in answers["exchanges"]] == ["target", "against"]
    assert len({json.dumps(exchange["request"]) for exchange in answers["exchanges"]}) == 1
    assert answers["diff"] == {"equal": True, "cause": None, "paths": []}
    never = by_id["tiny/never/answers-m[grpc]"]
    assert never["reason"] == "both servers alike: the answer of contents 2, said to come from version 2"


def test_what_differs_is_told_by_cause(tiny: pytest.Pytester) -> None:
    result = run(tiny, f"--against={wrong('ServerErrorForAll')}")
    result.assert_outcomes(passed=11, failed=1)
    result.stdout.fnmatch_lines(
        [
            "differs:  status 404 Not Found here, 500 Internal Server Error there (at status)",
            "12 checks: 11 alike, 0 not compared, 1 differ",
            "1 x status 404 Not Found here, 500 Internal Server Error there: tiny/start/refuses-m@7[[]rest]",
        ]
    )
    failed = next(line for line in lines(tiny) if line.get("outcome") == "failed")
    assert failed["diff"]["paths"] == ["status"]
    assert failed["expected"] == f"as {wrong('ServerErrorForAll')} does"


def test_what_one_side_cannot_do_is_not_compared(tiny: pytest.Pytester) -> None:
    from harness import targets
    from harness.scenario import Scenario
    from harness.terms import Model

    server = targets.parse(RIGHT).start(Scenario("s", "t", (Model("m", "grid"),), ()))
    try:
        result = run(tiny, f"--against=url:http://{server.addresses.rest}", "-k", "test_step")
    finally:
        server.stop()
    result.assert_outcomes(passed=2, skipped=7, deselected=3)
    reasons = {line["reason"] for line in lines(tiny) if line.get("outcome") == "skipped"}
    assert all(reason.startswith("against: target url:") for reason in reasons)


def test_differences_can_be_expected(tiny: pytest.Pytester) -> None:
    tiny.path.joinpath("list.toml").write_text(
        '[[failure]]\nid = "tiny/start/refuses*"\nmessage = "status 404*500*there"\nreason = "r"\n'
    )
    arguments = ("--known-failures=list.toml", "-k", "refuses and rest")
    run(tiny, f"--against={wrong('ServerErrorForAll')}", *arguments).assert_outcomes(xfailed=1, deselected=11)


def test_replies_of_every_method_can_be_read() -> None:
    methods = {value for name, value in vars(grpc).items() if name.isupper() and str(value).startswith("/t")}
    assert methods == METHODS.keys()
