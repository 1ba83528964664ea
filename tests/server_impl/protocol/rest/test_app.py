from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Generator

import numpy as np
import pytest

from server_impl.errors import Code, ServingError
from server_impl.inference.classify import Classifications
from server_impl.lifecycle.states import ServableId
from server_impl.metrics import ServingMetrics
from server_impl.protocol.http.head import Framing, Head
from server_impl.protocol.http.reader import Request
from server_impl.protocol.http.response import Response
from server_impl.protocol.reply import LARGE_BYTES, Reply, take_steps
from server_impl.protocol.rest.app import INFLATED_LIMIT, RestApp, _classify_body, inflated

MakeApp = Callable[..., RestApp]
PREDICT = "POST /v1/models/lin:predict"
ROWS = b'{"instances":[1.0,2.0,5.0]}'
ANSWER = b'{\n    "predictions": [3.5, 4.0, 5.5\n    ]\n}'
LIN3 = ServableId("lin", 3)


def reply(app: RestApp, line: str, body: bytes = b"", **headers: str) -> Reply[Response]:
    method, target = line.encode().split(b" ")
    fields = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return app.handle(Request(Head(target, fields, Framing(method=method)), body))


def answer(app: RestApp, line: str, body: bytes = b"", **headers: str) -> Response:
    given = take_steps(reply(app, line, body, **headers))
    return given if isinstance(given, Response) else given()


def error(response: Response) -> tuple[int, str]:
    return response.status, json.loads(response.body)["error"]


def counts(app: RestApp) -> dict[tuple[str, ...], int]:
    return dict(metrics_of(app).request_count.collect())


def latencies(app: RestApp) -> list[tuple[tuple[str, ...], int]]:
    cells = metrics_of(app).request_latency.collect()
    return [(labels, sum(distribution.counts)) for labels, distribution in cells]


def metrics_of(app: RestApp) -> ServingMetrics:
    return app._metrics


def test_quick_signature_is_answered_step_by_step(make_rest_app: MakeApp, runners: dict) -> None:
    runs: list[int | None] = []
    runners[LIN3].on_run = runs.append
    app = make_rest_app()
    steps = reply(app, PREDICT, ROWS)
    assert isinstance(steps, Generator)
    while not runs:
        next(steps)
    assert counts(app) == {}
    assert take_steps(steps) == Response(200, ((b"Content-Type", b"application/json"),), ANSWER)
    assert counts(app) == {("lin", "OK"): 1}


def test_slow_signature_is_left_to_the_caller(make_rest_app: MakeApp, runners: dict) -> None:
    timeouts: list[int | None] = []
    runners[LIN3].inline = False
    runners[LIN3].on_run = timeouts.append
    app = make_rest_app(timeout_ms=30_000)
    work = take_steps(reply(app, PREDICT, ROWS))
    assert callable(work)
    assert timeouts == []
    assert counts(app) == {}
    assert work().body == ANSWER
    assert timeouts == [30_000]
    assert counts(app) == {("lin", "OK"): 1}


def test_large_body_is_left_to_the_caller(make_rest_app: MakeApp) -> None:
    work = reply(make_rest_app(), PREDICT, ROWS + b" " * LARGE_BYTES)
    assert callable(work)
    assert work().body == ANSWER


def test_large_output_is_left_to_the_caller(make_rest_app: MakeApp) -> None:
    body = b'{"instances":[' + b",".join([b"1"] * (LARGE_BYTES // 4 + 1)) + b"]}"
    assert len(body) < LARGE_BYTES
    work = take_steps(reply(make_rest_app(), PREDICT, body))
    assert callable(work)
    assert len(json.loads(work().body)["predictions"]) == LARGE_BYTES // 4 + 1


@pytest.mark.parametrize("inline", [True, False])
def test_error_of_a_run(make_rest_app: MakeApp, runners: dict, inline: bool) -> None:
    def fail(timeout_ms: int | None) -> None:
        raise ServingError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")

    runners[LIN3].inline = inline
    runners[LIN3].on_run = fail
    app = make_rest_app()
    assert error(answer(app, PREDICT, ROWS)) == (504, "Timed out waiting for notification")
    assert counts(app) == {("lin", "DEADLINE_EXCEEDED"): 1}
    assert latencies(app) == []


@pytest.mark.parametrize(
    ("line", "body", "status", "text"),
    [
        # JSON before the model, the model before the signature, the signature before the values.
        (
            "POST /v1/models/no:predict",
            b"{",
            400,
            "JSON Parse error: Missing a name for object member. at offset: 1",
        ),
        ("POST /v1/models/no:predict", b"{}", 404, "Servable not found for request: Latest(no)"),
        (
            "POST /v1/models/no/versions/7:predict",
            b"{}",
            404,
            "Servable not found for request: Specific(no, 7)",
        ),
        ("POST /v1/models/lin/labels/x:predict", b"{}", 400, "Unrecognized servable version label: x"),
        (
            PREDICT,
            b'{"signature_name":"s"}',
            400,
            'Serving signature name: "s" not found in signature def',
        ),
        (
            "POST /v1/models/no:classify",
            b'{"examples":[1]}',
            400,
            "Example must be JSON object but got JSON Number",
        ),
        (
            "POST /v1/models/no:regress",
            b'{"examples":[{}]}',
            404,
            "Servable not found for request: Latest(no)",
        ),
        ("GET /v1/models/no", b"", 404, "Could not find any versions of model no"),
        ("GET /v1/models/no/metadata", b"", 404, "Servable not found for request: Latest(no)"),
    ],
)
def test_order_of_checks(make_rest_app: MakeApp, line: str, body: bytes, status: int, text: str) -> None:
    assert error(answer(make_rest_app(), line, body)) == (status, text)


def test_every_api_request_is_counted(make_rest_app: MakeApp) -> None:
    app = make_rest_app(metrics_path="/metrics")
    for line in (
        PREDICT,
        "GET /v1/models/lin",
        "GET /v1/models/lin/metadata",
        "GET /v1/models",
        "PUT /v1/models/lin",
        "GET /v1/models/lin/versions/9223372036854775808",
        "POST /v1/models/lin:Predict",
        "GET /v1/models/none%22x%5Cy",
        "GET /elsewhere",
        "GET /v1/models/l^n",
        "GET /metrics",
    ):
        answer(app, line, ROWS)
    answer(app, "OPTIONS /v1/x", origin="http://page.test")
    answer(app, "OPTIONS /v1/x")
    assert counts(app) == {
        ("lin", "OK"): 3,
        ("lin", "INVALID_ARGUMENT"): 2,
        ("", "INVALID_ARGUMENT"): 2,
        ('none"x\\y', "NOT_FOUND"): 1,
        ("", "OK"): 1,
        ("", "FAILED_PRECONDITION"): 1,
    }
    assert latencies(app) == [
        (("", "", "REST"), 1),
        (("lin", "", "REST"), 2),
        (("lin", "predict", "REST"), 1),
    ]


def test_version_too_large_has_an_empty_body(make_rest_app: MakeApp) -> None:
    response = answer(make_rest_app(), "GET /v1/models/lin/versions/9223372036854775808")
    assert (response.status, response.body) == (400, b"")


def test_metrics_page(make_rest_app: MakeApp) -> None:
    app = make_rest_app(metrics_path="/my/Metrics", cors=True)
    answer(app, PREDICT, ROWS)
    found = answer(app, "POST /my/Metrics", b"x")
    assert (found.status, found.fields) == (200, ((b"Content-Type", b"text/plain"),))
    assert b'\n:tensorflow:serving:request_count{model_name="lin",status="OK"} 1\n' in found.body
    assert (
        b'\n:tensorflow:serving:runtime_latency_count{model_name="lin",API="Predict",runtime="TF1"} 1\n'
        in found.body
    )
    wrong = answer(app, "GET /my/Metrics?x=1")
    assert wrong == Response(400, found.fields, b"Unexpected path: /my/Metrics?x=1. Should be /my/Metrics")
    assert answer(app, "GET /my/metrics").status == 404
    assert answer(app, "GET /my/Metrics/").status == 404
    assert answer(make_rest_app(), "GET /my/Metrics").status == 404


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate, gzip"])
def test_gzip_body(make_rest_app: MakeApp, encoding: str) -> None:
    work = reply(make_rest_app(), PREDICT, gzip.compress(ROWS), content_encoding=encoding)
    assert callable(work)
    assert work().body == ANSWER


@pytest.mark.parametrize("encoding", ["GZIP", "deflate", ""])
def test_other_encodings_are_not_undone(make_rest_app: MakeApp, encoding: str) -> None:
    assert answer(make_rest_app(), PREDICT, ROWS, content_encoding=encoding).body == ANSWER


WHOLE = gzip.compress(ROWS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        ROWS,
        WHOLE[:-1],
        WHOLE + b"x",
        WHOLE + WHOLE,
        WHOLE[:-8] + b"\0" * 8,
        zlib.compress(ROWS),
        gzip.compress(b""),
    ],
    ids=["empty", "plain", "cut", "rubbish behind", "two members", "wrong sum", "zlib", "nothing inside"],
)
def test_unsound_gzip_counts_as_empty(body: bytes) -> None:
    assert inflated(body) == b""


def test_inflating_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert INFLATED_LIMIT == 100 * 2**20
    monkeypatch.setattr("server_impl.protocol.rest.app.INFLATED_LIMIT", 1000)
    assert inflated(gzip.compress(b"a" * 1000)) == b"a" * 1000
    assert inflated(gzip.compress(b"a" * 1001)) == b""


def test_leases_are_given_back(make_rest_app: MakeApp, runners: dict) -> None:
    app = make_rest_app()
    runners[LIN3].inline = False
    for body in (ROWS, b'{"instances":["x"]}', b'{"signature_name":"no"}'):
        answer(app, PREDICT, body)
    answer(app, "GET /v1/models/lin/metadata")
    answer(app, "POST /v1/models/lin:classify", b'{"examples":[{}]}')
    # Returns True once nobody holds the old map; with a lease left it would give up.
    assert app._serving.publish([], lambda: True)
    assert error(answer(app, PREDICT, ROWS)) == (404, "Servable not found for request: Latest(lin)")


@pytest.mark.parametrize(
    ("labels", "scores", "text"),
    [
        ([[b"a", b""]], [[0.5, 1.0]], '[["a", 0.5], ["", 1.0]]'),
        (None, [[0.5, 1.0]], '[["", 0.5], ["", 1.0]]'),
        ([[b"a", b"b"]], None, '[["a", 0.0], ["b", 0.0]]'),
        ([[b"a"], [b"b"]], None, '[["a", 0.0]], [["b", 0.0]]'),
    ],
)
def test_classifications(labels: object, scores: object, text: str) -> None:
    result = Classifications(
        len(labels or scores),
        None if labels is None else np.array(labels, dtype=object),
        None if scores is None else np.array(scores, dtype=np.float32),
    )
    assert _classify_body(result).decode() == f'{{\n    "results": [{text}\n    ]\n}}'
