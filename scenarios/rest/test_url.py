"""Addresses: which paths there are, and what they mean [4.1]."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.cases import Json, Reply, RestCase, error, get, ok, post
from harness.terms import Level
from scenarios.rest.scenario import BODY, SCENARIO, answer, page, status

pytestmark = pytest.mark.scenario(SCENARIO)

ALL = status(3, 2, 1)

#: Targets of POST, and the contents that answer there.
INFERENCE = {
    "latest": ("m", 3),
    "version": ("m/versions/1", 1),
    "label": ("m/labels/stable", 1),
    "other-label": ("m/labels/canary", 3),
    "encoded-letter": ("%6D", 3),
    "encoded-name": ("a%20name%2Fwith%3Aodd%25chars+", 10),
    "lower-case-escapes": ("a%20name%2fwith%3aodd%25chars%2b", 10),
    "not-ascii": ("m%C3%BCnchen", 20),
    "word-of-the-grammar": ("metadata", 30),
}
#: Labels are free text, as long as it is quoted.
LABELS = {"digit": ("7", 1), "blank": ("has%20space", 2), "not-ascii": ("%C3%A9t%C3%A9", 2)}

PREDICT = (
    *(
        RestCase(
            f"predict/{name}",
            "POST to a model, one of its versions or one of its labels runs an inference there.",
            post(f"/v1/models/{target}:predict", BODY),
            answer(contents),
            facts=("4.1.2", "4.1.5", "URL-01", "URL-09"),
        )
        for name, (target, contents) in INFERENCE.items()
    ),
    *(
        RestCase(
            f"label/{name}",
            "A label may consist of anything but a slash and a colon.",
            post(f"/v1/models/m/labels/{label}:predict", BODY),
            answer(contents),
            facts=("4.1.8", "X-38"),
            level=Level.SHOULD,
        )
        for name, (label, contents) in LABELS.items()
    ),
    *(
        RestCase(
            f"{verb}/{name}",
            "Classify and Regress have addresses like Predict; a signature for Predict does not serve them.",
            post(f"/v1/models/{target}:{verb}", '{"examples": [{"x": 1.0}]}'),
            error(400, re.compile(rf"No {noun} inputs found in SignatureDef: .*", re.DOTALL)),
            facts=("4.1.2", "URL-01"),
        )
        for verb, noun in {"classify": "classification", "regress": "regression"}.items()
        for name, target in {"latest": "m", "version": "m/versions/1", "label": "m/labels/stable"}.items()
    ),
    *(
        RestCase(
            f"predict/{name}",
            "The words of a path match in any case.",
            post(target, BODY),
            answer(contents),
            facts=("4.1.6", "URL-10"),
            level=Level.QUIRK,
        )
        for name, target, contents in (
            ("upper-case-prefix", "/V1/MODELS/m:predict", 3),
            ("upper-case-versions", "/v1/models/m/VERSIONS/2:predict", 2),
            ("mixed-case-labels", "/v1/models/m/Labels/stable:predict", 1),
        )
    ),
    RestCase(
        "predict/leading-zero",
        "A version is a number: zeros in front do not matter.",
        post("/v1/models/m/versions/01:predict", BODY),
        answer(1),
        facts=("4.1.7", "X-37"),
        level=Level.QUIRK,
    ),
    RestCase(
        "predict/missing-version",
        "A version that is not served is not found.",
        post("/v1/models/m/versions/9:predict", BODY),
        error(404, "Servable not found for request: Specific(m, 9)"),
        facts=("4.6.2", "HTTP-16"),
    ),
    RestCase(
        "predict/label-of-missing-version",
        "A label on a version that is not served leads to that version, which is not found.",
        post("/v1/models/m/labels/gone:predict", BODY),
        error(404, "Servable not found for request: Specific(m, 77)"),
        facts=("4.6.2", "HTTP-16"),
    ),
    *(
        RestCase(
            f"predict/unknown-label/{name}",
            "An unknown label is an invalid argument, whether or not there is such a model.",
            post(f"/v1/models/{target}:predict", BODY),
            error(400, f"Unrecognized servable version label: {label}"),
            facts=("4.6.2", "HTTP-16"),
        )
        for name, target, label in (
            ("of-model", "m/labels/none", "none"),
            ("encoded-colon", "m/labels/a%3Ab", "a:b"),
            ("of-unknown-model", "nobody/labels/x", "x"),
        )
    ),
)

READ = (
    *(
        RestCase(
            f"status/{name}",
            "GET on a model shows the state of all its versions, and of one where the path names it.",
            get(f"/v1/models/{target}"),
            shown,
            facts=("4.1.3", "4.1.5", "URL-02", "URL-09"),
        )
        for name, target, shown in (
            ("all-versions", "m", ALL),
            ("one-version", "m/versions/2", status(2)),
            ("encoded-letter", "%6d", ALL),
            ("encoded-name", "a%20name%2Fwith%3Aodd%25chars+", status(1)),
            ("not-ascii", "m%c3%bcnchen/versions/1", status(1)),
        )
    ),
    *(
        RestCase(
            f"metadata/{name}",
            "GET on .../metadata describes the latest version, or the one that version or label names.",
            get(f"/v1/models/{target}/metadata"),
            ok(Json({"model_spec": {"name": model, "version": version}}, whole=False)),
            facts=("4.1.3", "URL-02"),
        )
        for name, target, model, version in (
            ("latest", "m", "m", "3"),
            ("version", "m/versions/2", "m", "2"),
            ("label", "m/labels/stable", "m", "1"),
            ("label-of-digits", "m/labels/7", "m", "1"),
            ("of-a-model-called-metadata", "metadata", "metadata", "1"),
            ("encoded-name", "a%20name%2fwith%3aodd%25chars%2B", "a name/with:odd%chars+", "1"),
        )
    ),
    RestCase(
        "status/of-a-model-called-metadata",
        "A model may be called metadata.",
        get("/v1/models/metadata"),
        status(1),
        facts=("4.1.7",),
        level=Level.QUIRK,
    ),
    *(
        RestCase(
            f"status/{name}",
            "A version is a number: zeros in front do not matter.",
            get(f"/v1/models/m/versions/{version}"),
            status(2),
            facts=("4.1.7", "X-37"),
            level=Level.QUIRK,
        )
        for name, version in (("leading-zero", "02"), ("leading-zeros", "0002"))
    ),
    *(
        RestCase(
            f"status-by-label/{name}",
            "A status does not look at labels: it shows all versions, whether or not the label exists.",
            get(f"/v1/models/m/labels/{label}"),
            ALL,
            facts=("4.1.7", "URL-11"),
            level=Level.QUIRK,
        )
        for name, label in (("known", "stable"), ("unknown", "none"))
    ),
    *(
        RestCase(
            f"case/{name}",
            "The words of a path match in any case, but METADATA is not taken for metadata: it is a status.",
            get(target),
            shown,
            facts=("4.1.6", "URL-10"),
            level=Level.QUIRK,
        )
        for name, target, shown in (
            ("prefix", "/V1/models/m", ALL),
            ("words", "/v1/MODELS/m/VERSIONS/3", status(3)),
            ("metadata", "/v1/models/m/METADATA", ALL),
        )
    ),
    RestCase(
        "case/model-name",
        "Names of models keep their case.",
        get("/v1/models/M"),
        error(404, "Could not find any versions of model M"),
        facts=("4.1.6",),
    ),
    RestCase(
        "metadata/unknown-label",
        "Metadata do look at labels.",
        get("/v1/models/m/labels/none/metadata"),
        error(400, "Unrecognized servable version label: none"),
        facts=("4.1.7", "4.6.2"),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"no-model/{name}",
            "An address without a model says so.",
            get(target),
            error(400, "Missing model name in request."),
            facts=("4.1.7", "URL-03"),
            level=Level.SHOULD,
        )
        for name, target in (
            ("models", "/v1/models"),
            ("version", "/v1/models/versions/1"),
            ("label", "/v1/models/labels/a"),
        )
    ),
)

#: Names that are asked for as they stand, since a path goes on behind ``?`` and ``#``.
LITERAL = {
    "query": ("m?x=1", "m?x=1"),
    "empty-query": ("m?", "m?"),
    "fragment": ("m#part", "m#part"),
    "path-parameter": ("m;a=b", "m;a=b"),
    "plus": ("m+x", "m+x"),
    "encoded-blank": ("m%20", "m "),
    "encoded-percent": ("%25zz", "%zz"),
    "encoded-slash": ("m%2Fversions%2F1", "m/versions/1"),
    "encoded-zero-byte": ("m%00x", "m\x00x"),
    "long": ("n" * 2000, "n" * 2000),
    "very-long": ("n" * 65536, "n" * 65536),
}

NAMES = (
    *(
        RestCase(
            f"name/{name}",
            "Path, query and fragment are matched as one; then the name is percent-decoded, but no plus.",
            get(f"/v1/models/{target}"),
            error(404, f"Could not find any versions of model {model}"),
            facts=("4.1.4", "4.1.5", "URL-08", "URL-09"),
            level=Level.QUIRK,
        )
        for name, (target, model) in LITERAL.items()
    ),
    RestCase(
        "name/model-with-plus",
        "A plus sign in a name is not a blank.",
        get("/v1/models/a%20name%2Fwith%3Aodd%25chars%20"),
        error(404, "Could not find any versions of model a name/with:odd%chars "),
        facts=("4.1.5", "URL-09"),
    ),
)

#: Targets below /v1/ that nobody has, for GET and for POST.
MALFORMED_GET = {
    "prefix": "/v1/",
    "word": "/v1/foo",
    "longer-word": "/v1/modelsx/m",
    "models-slash": "/v1/models/",
    "model-slash": "/v1/models/m/",
    "metadata-slash": "/v1/models/m/metadata/",
    "version-slash": "/v1/models/m/versions/2/",
    "below-metadata": "/v1/models/m/metadata/signature_def",
    "sub-resource": "/v1/models/m/status",
    "two-names": "/v1/models/a/b/c",
    "no-version": "/v1/models/m/versions",
    "empty-version": "/v1/models/m/versions/",
    "word-version": "/v1/models/m/versions/a",
    "negative-version": "/v1/models/m/versions/-1",
    "signed-version": "/v1/models/m/versions/+1",
    "decimal-version": "/v1/models/m/versions/1.0",
    "encoded-version": "/v1/models/m/versions/%31",
    "empty-label": "/v1/models/m/labels/",
    "label-and-version": "/v1/models/m/labels/stable/versions/1",
    "version-and-label": "/v1/models/m/versions/1/labels/stable",
    "empty-name": "/v1/models//metadata",
    "double-slash": "/v1//models/m",
    "dot-segment": "/v1/./models/m",
    "dot-dot-segment": "/v1/x/../models/m",
    "encoded-slash": "/v1/models%2Fm",
    "query-of-metadata": "/v1/models/m/metadata?x=1",
    "verb-with-get": "/v1/models/m:predict",
    "verb-of-version-with-get": "/v1/models/m/versions/1:predict",
}
MALFORMED_POST = {
    "no-verb": "/v1/models/m",
    "no-verb-of-version": "/v1/models/m/versions/1",
    "metadata": "/v1/models/m/metadata",
    "unknown-verb": "/v1/models/m:explain",
    "empty-verb": "/v1/models/m:",
    "longer-verb": "/v1/models/m:predictx",
    "two-verbs": "/v1/models/m:predict:predict",
    "slash": "/v1/models/m:predict/",
    "no-model": "/v1/models/:predict",
    "query": "/v1/models/m:predict?x=1",
    "fragment": "/v1/models/m:predict#x",
    "encoded-colon": "/v1/models/m%3Apredict",
    "encoded-verb": "/v1/models/m:%70redict",
    "upper-case-verb": "/v1/models/m:PREDICT",
    "mixed-case-verb": "/v1/models/m:Predict",
    "negative-version": "/v1/models/m/versions/-1:predict",
    "empty-version": "/v1/models/m/versions/:predict",
    "empty-label": "/v1/models/m/labels/:predict",
    "label-and-version": "/v1/models/m/labels/a/versions/1:predict",
    "version-and-label": "/v1/models/m/versions/1/labels/a:predict",
}
ROWS = {
    "verb-with-get": "URL-05",
    "verb-of-version-with-get": "URL-05",
    "no-verb": "URL-05",
    "query": "URL-07",
    "fragment": "URL-07",
    "upper-case-verb": "URL-10",
    "mixed-case-verb": "URL-10",
}

MALFORMED = tuple(
    RestCase(
        f"malformed/{method.lower()}/{name}",
        "Below /v1/ an address or method that does not exist is a bad request, named with its whole target.",
        get(target) if method == "GET" else post(target, BODY),
        error(400, f"Malformed request: {method} {target}"),
        facts=("4.1.2" if method == "POST" else "4.1.3", "4.1.7", ROWS.get(name, "URL-04")),
        level=Level.SHOULD,
    )
    for method, targets in (("GET", MALFORMED_GET), ("POST", MALFORMED_POST))
    for name, target in targets.items()
)

LIMITS = (
    *(
        RestCase(
            f"version/{name}",
            "A version number is a signed 64-bit integer; one beyond that is a bad request without any text.",
            request,
            reply,
            facts=("4.1.7", "URL-06"),
            level=Level.QUIRK,
        )
        for name, request, reply in (
            ("zero", get("/v1/models/m/versions/0"), error(404, "Could not find version 0 of model m")),
            (
                "largest",
                get(f"/v1/models/m/versions/{2**63 - 1}"),
                error(404, f"Could not find version {2**63 - 1} of model m"),
            ),
            ("beyond-largest", get(f"/v1/models/m/versions/{2**63}"), Reply(400, "")),
            ("beyond-unsigned", get(f"/v1/models/m/versions/{2**64}"), Reply(400, "")),
            ("metadata", get(f"/v1/models/m/versions/{2**63}/metadata"), Reply(400, "")),
            ("predict", post(f"/v1/models/m/versions/{2**63}:predict", BODY), Reply(400, "")),
        )
    ),
)

#: Targets outside /v1/.
ELSEWHERE = {
    "root": "/",
    "prefix-without-slash": "/v1",
    "other-prefix": "/v2/models/m",
    "double-slash": "//v1/models/m",
    "encoded-slashes": "/v1%2Fmodels%2Fm",
    "file": "/index.html",
}

OUTSIDE = tuple(
    RestCase(
        f"outside/{name}",
        "Outside /v1/ there is nothing: a page says so, and the connection is closed.",
        get(target),
        page(404, "Not Found"),
        facts=("4.1.1", "4.1.7", "4.8.2", "HTTP-11"),
        level=Level.QUIRK,
    )
    for name, target in ELSEWHERE.items()
)


@pytest.mark.cases((*PREDICT, *READ, *NAMES, *MALFORMED, *LIMITS, *OUTSIDE))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
