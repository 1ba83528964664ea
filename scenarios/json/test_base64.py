"""Bytes as base64 [5.7]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import RestCase, ok
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, column, in_row, predict, refused, rows

pytestmark = pytest.mark.scenario(SCENARIO)

BAD = "Unable to base64 decode"

#: Texts that are decoded, and what they are in the standard form.
GOOD = {
    "padded": ("aGVsbG8=", "aGVsbG8="),
    "not-padded": ("aGVsbG8", "aGVsbG8="),
    "two-characters-short": ("aGVsbG", "aGVsbA=="),
    "two-characters": ("aG", "aA=="),
    "empty": ("", ""),
    "blank-inside": ("aGVs bG8=", "aGVsbG8="),
    "line-feed-inside": ("aGVs\\nbG8=", "aGVsbG8="),
    "blanks-around": (" aGVsbG8= ", "aGVsbG8="),
    "whole-alphabet": ("/+//", "/+//"),
    "binary": ("AP8A/w==", "AP8A/w=="),
    "unused-bits-set": ("aGVsbG9=", "aGVsbG8="),
}
#: Texts that are not.
WRONG = {
    "too-much-padding": "aGVsbG8==",
    "one-character": "a",
    "padding-alone": "=",
    "four-paddings": "====",
    "url-safe-alphabet": "_-__",
    "other-character": "aGVs!G8=",
    "text-after-padding": "aGVsbG8=x",
    "not-ascii": "é",
}
#: Objects that are not base64.
OTHER = {
    "surplus-member": ('{"b64": "aGk=", "x": 1}', '{\n    "b64": "aGk=",\n    "x": 1\n}'),
    "other-key": ('{"base64": "aGk="}', '{\n    "base64": "aGk="\n}'),
    "capital": ('{"B64": "aGk="}', '{\n    "B64": "aGk="\n}'),
    "empty-object": ("{}", "{}"),
}


def shown(encoded: str) -> str:
    """One row of base64."""
    return f'{{\n            "b64": "{encoded}"\n        }}'


DECODED = (
    *(
        RestCase(
            f"decoded/{name}",
            "An object of b64 alone stands for bytes; padding may be missing, and blanks do not matter.",
            predict("echo", f'{{"instances": [{{"b64": "{text}"}}]}}', "string_bytes"),
            rows(shown(standard)),
            facts=("5.7.1", "5.7.2", "JIN-28", "JIN-29"),
        )
        for name, (text, standard) in GOOD.items()
    ),
    *(
        RestCase(
            f"place/{name}",
            "Base64 may stand wherever a string may, whatever the input is called.",
            predict("echo", body, "string"),
            reply,
            facts=("5.7.1", "5.3.3", "JIN-28"),
        )
        for name, body, reply in (
            ("row", '{"instances": [{"b64": "aGk="}]}', rows('"hi"')),
            ("named", '{"instances": [{"x": {"b64": "aGk="}}, {"x": "plain"}]}', rows('"hi"', '"plain"')),
            (
                "list",
                '{"instances": [[{"b64": "aGk="}, "x"], ["y", {"b64": "eW8="}]]}',
                rows('["hi", "x"]', '["y", "yo"]'),
            ),
            ("column", '{"inputs": [{"b64": "aGk="}, "x"]}', column('"hi"', '"x"')),
            ("named-column", '{"inputs": {"x": [{"b64": "aGk="}]}}', column('"hi"')),
        )
    ),
    *(
        RestCase(
            f"place/{name}",
            "A scalar may be base64, as the whole of the inputs too.",
            predict("echo", body, "string"),
            ok('{\n    "outputs": "hi"\n}'),
            facts=("5.7.1", "5.4.1", "JIN-28"),
        )
        for name, body in (
            ("inputs", '{"inputs": {"b64": "aGk="}}'),
            ("named-scalar", '{"inputs": {"x": {"b64": "aGk="}}}'),
        )
    ),
)

REFUSED = (
    *(
        RestCase(
            f"refused/{name}",
            "Only the standard alphabet is taken, with the right padding or none.",
            predict("echo", f'{{"inputs": [{{"b64": "{text}"}}]}}', "string"),
            refused(BAD),
            facts=("5.7.2", "JIN-29"),
        )
        for name, text in WRONG.items()
    ),
    RestCase(
        "refused/in-a-row",
        "In a row the row is told.",
        predict("echo", '{"instances": [{"b64": "%%%"}]}', "string"),
        in_row(BAD),
        facts=("5.3.5", "5.7.2", "JIN-29"),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"not-base64/{name}",
            "Any other object for a string is badly formatted base64.",
            predict("echo", f'{{"inputs": [{value}]}}', "string"),
            refused(f"JSON Value: {printed} not formatted correctly for base64 data"),
            facts=("5.7.2", "JIN-29"),
            level=Level.SHOULD,
        )
        for name, (value, printed) in OTHER.items()
    ),
    *(
        RestCase(
            f"not-base64/{name}",
            "An object as an item of a list of rows names inputs, if it is not exactly base64.",
            predict("echo", f'{{"instances": [{value}]}}', "string"),
            in_row(f"JSON object: does not have named input: {key}", 0, key),
            facts=("5.3.3", "5.7.2"),
            level=Level.SHOULD,
        )
        for name, value, key in (
            ("number", '{"b64": 1}', "b64"),
            ("row-with-other-key", '{"base64": "aGk="}', "base64"),
        )
    ),
)


@pytest.mark.cases((*DECODED, *REFUSED))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
