"""What Predict looks at, and in which order; models and signatures that are not there [4.6, 4.4, 4.5]."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.cases import JSON_TYPE, AnyOf, Reply, RestCase, error, error_body, get, ok, post
from harness.terms import Level
from scenarios.rest.scenario import BODY, SCENARIO, answer

pytestmark = pytest.mark.scenario(SCENARIO)

PREDICT = "/v1/models/m:predict"
NOBODY = "/v1/models/nobody:predict"
NO_NAME = error(400, "JSON Parse error: Missing a name for object member. at offset: 1")

#: Requests with several mistakes, each with the one that is reported: the order of checks.
ORDER = {
    "address-before-json": (
        post("/v1/models/m:explain", "{"),
        error(400, "Malformed request: POST /v1/models/m:explain"),
    ),
    "json-before-model": (post(NOBODY, "{"), NO_NAME),
    "object-before-model": (post(NOBODY, "[]"), error(400, "JSON Value: [] Is not object")),
    "type-of-signature-name-before-model": (
        post(NOBODY, '{"signature_name": 7}'),
        error(
            400,
            'JSON Value: {\n    "signature_name": 7\n} not formatted correctly. '
            "'signature_name' key must be a string value.",
        ),
    ),
    "model-before-keys": (post(NOBODY, "{}"), error(404, "Servable not found for request: Latest(nobody)")),
    "label-before-keys": (
        post("/v1/models/m/labels/none:predict", "{}"),
        error(400, "Unrecognized servable version label: none"),
    ),
    "signature-before-keys": (
        post(PREDICT, '{"signature_name": "none"}'),
        error(400, 'Serving signature name: "none" not found in signature def'),
    ),
    "signature-before-both-keys": (
        post(PREDICT, '{"signature_name": "none", "instances": [1], "inputs": [1]}'),
        error(400, 'Serving signature name: "none" not found in signature def'),
    ),
    "keys-before-values": (
        post(PREDICT, '{"instances": ["x"], "inputs": ["x"]}'),
        error(
            400,
            'JSON Value: {\n    "instances": ["x"],\n    "inputs": ["x"]\n} Not formatted correctly '
            "expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
    ),
    "first-value-before-second": (
        post(PREDICT, '{"instances": [true, "x"]}'),
        error(
            400,
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON Value: true Type: True is not of expected type: float",
        ),
    ),
}

CHECKS = (
    *(
        RestCase(
            f"order/{name}",
            "Of several mistakes the first in this order counts: address, JSON, object, type of the "
            "signature name, model, signature, keys, values.",
            request,
            reply,
            facts=("4.6", "4.6.1", "HTTP-15"),
            level=Level.SHOULD,
        )
        for name, (request, reply) in ORDER.items()
    ),
    *(
        RestCase(
            f"order/{verb}-{name}",
            "Classify and Regress read all of the JSON before they look for the model.",
            post(f"/v1/models/nobody:{verb}", body),
            reply,
            facts=("5.9.6", "HTTP-15"),
            level=Level.SHOULD,
        )
        for verb in ("classify", "regress")
        for name, body, reply in (
            ("json", "{", NO_NAME),
            ("keys", "{}", error(400, re.compile(r"JSON Value: \{\} When method is (classify|regress), .*"))),
            ("model", '{"examples": [{}]}', error(404, "Servable not found for request: Latest(nobody)")),
        )
    ),
    *(
        RestCase(
            f"not-found/{name}",
            "A model or version that is not served is not found, and named.",
            post(f"/v1/models/{target}:predict", BODY),
            error(404, f"Servable not found for request: {wanted}"),
            facts=("4.4", "4.6.2", "HTTP-05", "HTTP-16"),
        )
        for name, target, wanted in (
            ("model", "nobody", "Latest(nobody)"),
            ("version", "m/versions/7", "Specific(m, 7)"),
            ("version-of-model", "nobody/versions/7", "Specific(nobody, 7)"),
        )
    ),
)

SIGNATURES = (
    *(
        RestCase(
            f"signature/{name}",
            "Without a signature name, or with an empty one, serving_default is meant.",
            post(PREDICT, BODY if text is None else f'{{"signature_name": "{text}", {BODY[1:]}'),
            answer(3),
            facts=("4.6.4", "HTTP-18"),
        )
        for name, text in (("absent", None), ("empty", ""), ("named", "serving_default"))
    ),
    RestCase(
        "signature/other",
        "A signature is chosen by its name.",
        post("/v1/models/named:predict", '{"signature_name": "triple", "instances": [2.0]}'),
        ok('{\n    "predictions": [7.0\n    ]\n}'),
        facts=("4.6", "HTTP-18"),
    ),
    RestCase(
        "signature/no-default",
        "A model without serving_default must be told the signature.",
        post("/v1/models/named:predict", '{"instances": [2.0]}'),
        error(400, 'Serving signature name: "serving_default" not found in signature def'),
        facts=("4.6.3", "4.6.4", "HTTP-17"),
    ),
    *(
        RestCase(
            f"signature/unknown/{name}",
            "A signature that the model does not have is a bad request, and named.",
            post(PREDICT, f'{{"signature_name": "{written}", {BODY[1:]}'),
            error(400, f'Serving signature name: "{text}" not found in signature def'),
            facts=("4.6.3", "HTTP-17"),
        )
        for name, written, text in (
            ("word", "none", "none"),
            ("other-case", "Serving_Default", "Serving_Default"),
            ("blank-in-front", " serving_default", " serving_default"),
        )
    ),
    RestCase(
        "output-filter",
        "REST cannot choose outputs: a key output_filter is one of those that do not matter.",
        post(PREDICT, f'{{"output_filter": ["none"], {BODY[1:]}'),
        answer(3),
        facts=("4.6.5", "5.1.10", "JIN-07"),
        level=Level.SHOULD,
    ),
)

DEFAULTS = "/v1/models/defaults:predict"

INPUTS = (
    RestCase(
        "defaults/all-given",
        "A signature whose inputs have defaults runs when all are given.",
        post(DEFAULTS, '{"inputs": {"a": [1], "b": 2, "c": 3}}'),
        ok('{\n    "outputs": [\n        7.0\n    ]\n}'),
        facts=("4.6.5", "GRP-07"),
    ),
    RestCase(
        "defaults/rows",
        "Defaults do not help over REST: a row needs every input.",
        post(DEFAULTS, '{"instances": [{"a": 1}]}'),
        error(
            400,
            "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys must be "
            "equal to: a,b,c",
        ),
        facts=("4.6.5", "5.3.4", "GRP-07"),
        level=Level.SHOULD,
    ),
    RestCase(
        "defaults/columns",
        "Nor do they in columns, where any missing input may be named.",
        post(DEFAULTS, '{"inputs": {"a": [1]}}'),
        AnyOf(*(error(400, f"Missing named input: {name} in 'inputs' object.") for name in "bc")),
        facts=("4.6.5", "5.4.2", "GRP-07"),
        level=Level.SHOULD,
    ),
)

ERRORS = (
    *(
        RestCase(
            f"error/{name}",
            "An error is a JSON document of one member, indented by four blanks, without a line end.",
            request,
            Reply(status, error_body(text), headers={"Content-Type": JSON_TYPE, "Server": None}),
            facts=("4.5.1", "4.5.2", "HTTP-06"),
        )
        for name, request, status, text in (
            (
                "not-found",
                get("/v1/models/nobody/metadata"),
                404,
                "Servable not found for request: Latest(nobody)",
            ),
            ("malformed", get("/v1/models/m/"), 400, "Malformed request: GET /v1/models/m/"),
        )
    ),
    RestCase(
        "error/escapes",
        "The text of an error is escaped as JSON: quote, backslash and control characters, nothing else.",
        post(PREDICT, '{"signature_name": "a\\"b\\\\c\\u0001\\n\\u001f/é\\u007f", "instances": [1]}'),
        error(400, 'Serving signature name: "a"b\\c\x01\n\x1f/é\x7f" not found in signature def'),
        facts=("4.5.2", "5.8.6", "HTTP-06"),
        level=Level.SHOULD,
    ),
    RestCase(
        "error/not-utf8",
        "Bytes that are not UTF-8 go into the text of an error as they are.",
        post(PREDICT, b'{"signature_name": "\xff\xfe", "instances": [1]}'),
        error(400, 'Serving signature name: "\udcff\udcfe" not found in signature def'),
        facts=("4.5.2", "5.1.5"),
        level=Level.UNVERIFIED,
    ),
    RestCase(
        "error/long",
        "REST never shortens the text of an error.",
        post(PREDICT, f'{{"signature_name": "{"s" * 20000}", "instances": [1]}}'),
        error(400, f'Serving signature name: "{"s" * 20000}" not found in signature def'),
        facts=("4.5.2", "HTTP-07"),
        level=Level.SHOULD,
    ),
    RestCase(
        "status/not-implemented",
        "UNIMPLEMENTED becomes 501: a dtype that JSON cannot carry, in column format.",
        post("/v1/models/echo:predict", '{"signature_name": "half", "inputs": [1]}'),
        replace(error(501, "Conversion of JSON Value: 1 to type: half"), reason="Not Implemented"),
        facts=("4.4", "5.6", "HTTP-05", "JIN-27"),
        level=Level.SHOULD,
    ),
)

HEADERS = (
    *(
        RestCase(
            f"content-type/{name}",
            "The media type of a request does not matter.",
            post(PREDICT, BODY, *headers),
            answer(3),
            facts=("4.5.3", "HTTP-08"),
        )
        for name, headers in {
            "none": (),
            "json": (("Content-Type", "application/json"),),
            "form": (("Content-Type", "application/x-www-form-urlencoded"),),
            "text": (("Content-Type", "text/plain"),),
            "other-charset": (("Content-Type", "application/json; charset=utf-16"),),
            "multipart": (("Content-Type", "multipart/form-data; boundary=x"),),
            "empty": (("Content-Type", ""),),
        }.items()
    ),
    *(
        RestCase(
            f"accept-encoding/{name}",
            "Replies are never compressed, whatever the client accepts.",
            post(PREDICT, BODY, ("Accept-Encoding", accepted)),
            replace(answer(3), headers={"Content-Type": JSON_TYPE, "Content-Encoding": None}),
            facts=("4.5.1", "HTTP-09"),
        )
        for name, accepted in (
            ("gzip", "gzip"),
            ("list", "gzip, deflate, br"),
            ("star", "*"),
            ("no-identity", "identity;q=0"),
        )
    ),
    RestCase(
        "accept-encoding/long-reply",
        "Long replies are not compressed either.",
        post(PREDICT, f'{{"instances": [{", ".join(["1"] * 5000)}]}}', ("Accept-Encoding", "gzip")),
        replace(
            ok(f'{{\n    "predictions": [{", ".join(["6.5"] * 5000)}\n    ]\n}}'),
            headers={"Content-Type": JSON_TYPE, "Content-Encoding": None},
        ),
        facts=("4.5.1", "HTTP-09"),
    ),
    *(
        RestCase(
            f"ignored-header/{name}",
            "Headers for caches, ranges and media types do not matter.",
            get("/v1/models/nobody", (name, value)),
            error(404, "Could not find any versions of model nobody"),
            facts=("4.5",),
            level=Level.SHOULD,
        )
        for name, value in (("Accept", "text/html"), ("Range", "bytes=0-3"), ("If-None-Match", "*"))
    ),
    RestCase(
        "reply-headers",
        "A reply has a media type, a date and its length, and does not name the server.",
        post(PREDICT, BODY),
        replace(
            answer(3),
            headers={
                "Content-Type": JSON_TYPE,
                "Date": re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
                "Content-Length": re.compile(r"\d+"),
                "Transfer-Encoding": None,
                "Server": None,
            },
        ),
        facts=("4.5.1",),
        level=Level.SHOULD,
    ),
    RestCase(
        "no-cors",
        "Without the flag no reply tells of other origins.",
        post(PREDICT, BODY, ("Origin", "http://page.test")),
        replace(
            answer(3),
            headers={
                "Access-Control-Allow-Origin": None,
                "Access-Control-Allow-Methods": None,
                "Access-Control-Allow-Headers": None,
            },
        ),
        facts=("4.3.1", "HTTP-04"),
    ),
)


@pytest.mark.cases((*CHECKS, *SIGNATURES, *INPUTS, *ERRORS, *HEADERS))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
