"""Classify and Regress over REST: how JSON makes examples, and how results are written [5.9, 5.10]."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.cases import RestCase, error, post
from harness.terms import Level
from scenarios.inference.scenario import SCENARIO, json_classes, json_classify, json_regress, json_values

pytestmark = pytest.mark.scenario(SCENARIO)

VERBS = {"classify": json_classify, "regress": json_regress}

#: What both methods say to a body without examples; the text names one of them.
NOT_FOUND = "When method is classify, key 'examples' is expected and was not found"

#: Bodies whose examples are not a list of objects, each with the text.
NO_EXAMPLES = {
    "none": ('{"rows": 1}', 'JSON Value: {\n    "rows": 1\n} ' + NOT_FOUND),
    "instances": ('{"instances": [{}]}', 'JSON Value: {\n    "instances": [{}]\n} ' + NOT_FOUND),
    "empty": (
        '{"examples": []}',
        "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
    ),
    "object": (
        '{"examples": {}}',
        "JSON Value: {\n    \"examples\": {}\n} Expecting 'examples' value to be an list/array",
    ),
    "null": (
        '{"examples": null}',
        "JSON Value: {\n    \"examples\": null\n} Expecting 'examples' value to be an list/array",
    ),
    "number-in-list": ('{"examples": [1]}', "Example must be JSON object but got JSON Number"),
    "string-in-list": ('{"examples": ["a"]}', "Example must be JSON object but got JSON String"),
    "null-in-list": ('{"examples": [null]}', "Example must be JSON object but got JSON Null"),
    "list-in-list": ('{"examples": [[]]}', "Example must be JSON object but got JSON Array"),
    "context-list": ('{"context": [], "examples": [{}]}', "Example must be JSON object but got JSON Array"),
    "context-null": ('{"context": null, "examples": [{}]}', "Example must be JSON object but got JSON Null"),
}


def texts(*kinds: str) -> str:
    """What the model ``features`` answers for one example: its floats, integers and strings as text."""
    return "[" + ", ".join(f'["{text}", 0.0]' for text in kinds) + "]"


#: One example each, and the features that it makes: floats, integers, bytes.
KINDS = {
    "all": ('{"f": [1.5, 2.5], "i": [1, -2], "b": ["x", "y"]}', ("1.500|2.500", "1|-2", "x|y")),
    "single-values": ('{"f": 0.25, "i": 7, "b": "hi"}', ("0.250", "7", "hi")),
    "exponent": ('{"f": [1e2, 5E-1]}', ("100.000|0.500", "", "")),
    "not-finite": ('{"f": [NaN, Infinity, -Infinity]}', ("nan|inf|-inf", "", "")),
    "bools": ('{"i": [true, false]}', ("", "1|0", "")),
    "bool-and-integer": ('{"i": [true, 2]}', ("", "1|2", "")),
    "integer-limits": (
        '{"i": [-9223372036854775808, 9223372036854775807]}',
        ("", "-9223372036854775808|9223372036854775807", ""),
    ),
    "base64": ('{"b": ["a", {"b64": "Yg=="}]}', ("", "", "a|b")),
    "empty-lists": ('{"f": [], "i": [], "b": []}', ("", "", "")),
    "beyond-float": ('{"f": [1e39, 1e-50]}', ("inf|0.000", "", "")),
    "nothing": ("{}", ("", "", "")),
}

#: Features that make no feature, with the text.
BAD_FEATURES = {
    "float-then-integer": ('{"a": [1.5, 1]}', "Unexpected element type in feature: a expecting type: float"),
    "integer-then-float": ('{"a": [1, 1.5]}', "Unexpected element type in feature: a expecting type: int64"),
    "float-then-string": ('{"a": [1.5, "b"]}', "Unexpected element type in feature: a expecting type: float"),
    "string-then-integer": ('{"a": ["b", 1]}', "Unexpected element type in feature: a expecting type: bytes"),
    "null": ('{"a": null}', "Feature: a has element with unexpected JSON type: Null"),
    "null-in-list": ('{"a": [null]}', "Feature: a has element with unexpected JSON type: Null"),
    "nested-list": ('{"a": [[1.5]]}', "Feature: a has element with unexpected JSON type: Array"),
    "object": ('{"a": {"b": 1}}', "Feature: a has element with unexpected JSON type: Object"),
    "beyond-int64": (
        '{"a": 9223372036854775808}',
        "Feature: a has uint64_t element. Only int64_t is supported.",
    ),
    "bad-base64": ('{"a": {"b64": "%%"}}', "Unable to base64 decode"),
}

REQUESTS = (
    *(
        RestCase(
            f"no-examples/{name}/{verb}",
            "The body has a list of examples that is not empty, objects all of them.",
            request(body),
            error(400, text),
            facts=("5.9.1", "5.9.3", "CR-01"),
        )
        for name, (body, text) in NO_EXAMPLES.items()
        for verb, request in (
            ("classify", json_classify),
            ("regress", lambda body: json_regress(body, signature=None)),
        )
    ),
    *(
        RestCase(
            f"kind/{name}",
            "Numbers with a point or an exponent make floats, others int64, true and false 1 and 0, strings "
            "and base64 bytes; one value is a list of one, an empty list a feature without kind.",
            json_classify(f'{{"examples": [{row}]}}', model="features"),
            json_classes(texts(*features)),
            facts=("5.9.4", "CR-02"),
        )
        for name, (row, features) in KINDS.items()
    ),
    *(
        RestCase(
            f"bad-feature/{name}/{verb}",
            "The values of a feature are of one kind, that of the first; other JSON is refused.",
            request(f'{{"examples": [{row}]}}'),
            error(400, text),
            facts=("5.9.4", "CR-03"),
        )
        for name, (row, text) in BAD_FEATURES.items()
        for verb, request in VERBS.items()
    ),
    *(
        RestCase(
            f"integer-for-float/{verb}",
            "A whole number makes an int64 feature, which a model that asks for floats refuses.",
            request('{"examples": [{"x": 1}]}'),
            error(400, re.compile(r".*Key: x, Index: 0\..*int64.*float.*", re.DOTALL)),
            facts=("5.9.5", "CR-04"),
        )
        for verb, request in VERBS.items()
    ),
    *(
        RestCase(
            f"model-refuses/{name}/{verb}",
            "What the model's parsing refuses is a bad request.",
            request(f'{{"examples": [{row}]}}'),
            error(400, re.compile(text, re.DOTALL)),
            facts=("6.5.7", "CR-13"),
        )
        for name, row, text in (
            ("too-many", '{"x": [1.5, 2.5]}', r".*Key: x, Index: 0\..*Values size: 2.*"),
            ("wrong-kind", '{"k": 1.0}', r".*Key: k, Index: 0\..*float.*int64.*"),
        )
        for verb, request in VERBS.items()
    ),
    RestCase(
        "model-refuses/absent",
        "What the model's parsing refuses is a bad request.",
        json_classify('{"examples": [{"x": 1.5}]}', signature="required"),
        error(
            400,
            re.compile(
                r".*Feature: r \(data type: float\) is required but could not be found\..*", re.DOTALL
            ),
        ),
        facts=("6.5.7", "CR-13"),
    ),
    *(
        RestCase(
            f"context/{name}",
            "Features of the context belong to every example; an example's own feature wins.",
            json_regress(body),
            json_values(*values),
            facts=("5.9.2", "6.5.4", "CR-05"),
        )
        for name, body, values in (
            ("added", '{"context": {"k": 9}, "examples": [{"x": 1.5}, {"k": 2}]}', ("12.0", "3.0")),
            ("overridden", '{"context": {"x": 9.5, "k": 4}, "examples": [{"x": 1.5}]}', ("7.0",)),
            ("empty", '{"context": {}, "examples": [{"x": 1.5}]}', ("6.0",)),
        )
    ),
    RestCase(
        "last-feature",
        "Of two features of one name the last one counts.",
        json_regress('{"examples": [{"x": 1.5, "x": 2.5}]}'),
        json_values("8.0"),
        facts=("5.9.4",),
        level=Level.QUIRK,
    ),
    RestCase(
        "first-examples",
        "Of two lists of examples the first one counts.",
        json_regress('{"examples": [{"x": 1.5}], "examples": [{"x": 2.5}]}'),
        json_values("6.0"),
        facts=("5.9.1",),
        level=Level.QUIRK,
    ),
    RestCase(
        "other-keys",
        "Other members of the body do not matter.",
        json_regress('{"examples": [{"x": 1.5}], "more": [1]}'),
        json_values("6.0"),
        facts=("5.9.1",),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"no-signature/{verb}",
            "A signature that the model does not have is a bad request, and named.",
            request('{"examples": [{"x": 1.5}]}', signature="none"),
            error(400, "No signature was found with the name: none"),
            facts=("6.5.1", "CR-09"),
        )
        for verb, request in VERBS.items()
    ),
    *(
        RestCase(
            f"address/{verb}/{name}",
            "A version can be asked for.",
            post(f"/v1/models/m/versions/{version}:{verb}", body),
            reply,
            facts=("4.1", "5.9"),
        )
        for verb, body, good in (
            ("classify", '{"examples": [{}]}', json_classes('[["low", 0.5], ["none", 1.0], ["high", 3.0]]')),
            ("regress", '{"signature_name": "regress", "examples": [{}]}', json_values("4.0")),
        )
        for name, version, reply in (
            ("served", 1, good),
            ("missing", 9, error(404, "Servable not found for request: Specific(m, 9)")),
        )
    ),
)

RESULTS = (
    RestCase(
        "classify",
        "A classification lists for each example its pairs of label and score.",
        json_classify('{"examples": [{"x": 1.5, "s": "mid", "k": 7}, {"x": -2.25, "k": 0}]}'),
        json_classes(
            '[["low", 1.5], ["mid", 3.0], ["high", 7.0]]', '[["low", -2.25], ["none", -4.5], ["high", 0.0]]'
        ),
        facts=("5.10.1", "CR-06"),
    ),
    RestCase(
        "regress",
        "A regression lists the values.",
        json_regress('{"examples": [{"x": 1.5}, {"x": -2.25, "k": 0}]}'),
        json_values("6.0", "-4.5"),
        facts=("5.10.1", "CR-06"),
    ),
    RestCase(
        "scores-only",
        "Labels that the model does not give are empty.",
        json_classify('{"examples": [{"x": 1.5}]}', signature="scores"),
        json_classes('[["", 1.5], ["", 3.0], ["", 3.0]]'),
        facts=("5.10.1", "6.5.6", "CR-12"),
    ),
    RestCase(
        "classes-only",
        "Scores that the model does not give are zero.",
        json_classify('{"examples": [{"x": 1.5}]}', signature="classes"),
        json_classes('[["low", 0.0], ["none", 0.0], ["high", 0.0]]'),
        facts=("5.10.1", "6.5.6", "CR-12"),
    ),
    RestCase(
        "not-finite",
        "Scores are written like other floats, numbers that are none included.",
        json_classify('{"examples": [{"x": NaN}, {"x": -Infinity}]}'),
        json_classes(
            '[["low", NaN], ["none", NaN], ["high", 3.0]]',
            '[["low", -Infinity], ["none", -Infinity], ["high", 3.0]]',
        ),
        facts=("5.10.1", "5.8.4"),
        level=Level.SHOULD,
    ),
    RestCase(
        "label-bytes",
        "A label is written as it is, also if it is not UTF-8.",
        json_classify('{"examples": [{"s": {"b64": "/w=="}}]}'),
        json_classes('[["low", 0.5], ["\udcff", 1.0], ["high", 3.0]]'),
        facts=("5.10.1", "5.8.6"),
        level=Level.QUIRK,
    ),
)


@pytest.mark.cases((*REQUESTS, *RESULTS))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
