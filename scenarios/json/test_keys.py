"""The members of a request: instances or inputs, and the signature name [5.2, 5.1.9, 5.1.10]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cases import RestCase
from harness.terms import Level
from scenarios.json.scenario import SCENARIO, column, predict, refused, rows

pytestmark = pytest.mark.scenario(SCENARIO)

NOT_A_LIST = {
    "null": ("null", "null"),
    "number": ("1", "1"),
    "string": ('"a"', '"a"'),
    "true": ("true", "true"),
    "object": ("{}", "{}"),
    "inputs-by-name": ('{"x": [1]}', '{\n        "x": [1]\n    }'),
}
NOT_A_STRING = {
    "null": ("null", "null"),
    "number": ("7", "7"),
    "true": ("true", "true"),
    "list": ('["other"]', '["other"]'),
    "object": ("{}", "{}"),
}

CASES = (
    *(
        RestCase(
            f"neither/{name}",
            "A request needs instances or inputs, spelt exactly so.",
            predict("m", body),
            refused("Missing 'inputs' or 'instances' key"),
            facts=("5.2.1", "JIN-06"),
        )
        for name, body in (
            ("no-members", "{}"),
            ("others", '{"data": [1]}'),
            ("capital", '{"Instances": [1]}'),
            ("singular", '{"instance": [1]}'),
            ("signature-name-alone", '{"signature_name": "serving_default"}'),
        )
    ),
    RestCase(
        "both",
        "A request has instances or inputs, not both.",
        predict("m", '{"instances": [1], "inputs": [1]}'),
        refused(
            'JSON Value: {\n    "instances": [1],\n    "inputs": [1]\n} Not formatted correctly '
            "expecting only one of 'inputs' or 'instances' keys to exist "
        ),
        facts=("5.2.1", "JIN-06"),
        level=Level.SHOULD,
    ),
    *(
        RestCase(
            f"instances/{name}",
            "Instances must be a list.",
            predict("m", f'{{"instances": {value}}}'),
            refused(
                f"JSON Value: {{\n    \"instances\": {shown}\n}} Expecting 'instances' to be an list/array"
            ),
            facts=("5.2.4", "5.1.11", "JIN-09"),
            level=Level.SHOULD,
        )
        for name, (value, shown) in NOT_A_LIST.items()
    ),
    *(
        RestCase(
            f"instances/empty/{name}",
            "A list of instances without any is a bad request.",
            predict(model, '{"instances": []}'),
            refused("JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
            facts=("5.2.4", "JIN-09"),
        )
        for name, model in (("one-input", "m"), ("two-inputs", "two"))
    ),
    *(
        RestCase(
            f"signature-name/{name}",
            "The signature name must be a string.",
            predict("m", f'{{"instances": [1], "signature_name": {value}}}'),
            refused(
                f'JSON Value: {{\n    "instances": [1],\n    "signature_name": {shown}\n}} not formatted '
                "correctly. 'signature_name' key must be a string value."
            ),
            facts=("5.2.2", "JIN-08"),
            level=Level.SHOULD,
        )
        for name, (value, shown) in NOT_A_STRING.items()
    ),
    *(
        RestCase(
            f"no-inputs/{name}",
            "A signature without inputs cannot be run over REST.",
            predict("forms", body, "constant"),
            refused("Failed to get input map for signature: constant"),
            facts=("5.2.3", "X-45"),
            level=Level.QUIRK,
        )
        for name, body in (("instances", '{"instances": [1]}'), ("inputs", '{"inputs": {}}'))
    ),
    RestCase(
        "no-inputs/initialiser",
        "Nor can the initialiser of a TensorFlow 2 model, which looks like a signature.",
        predict("forms", '{"instances": [1]}', "__saved_model_init_op"),
        refused("Failed to get input map for signature: __saved_model_init_op"),
        facts=("5.2.3", "X-45"),
        level=Level.QUIRK,
    ),
    *(
        RestCase(
            f"other-members/{name}",
            "Other members of the request do not matter, nor does the order.",
            predict("m", body),
            rows("2.5"),
            facts=("5.1.10", "JIN-07"),
        )
        for name, body in (
            ("nested", '{"instances": [1], "extra": {"deep": [1, {"a": null}]}}'),
            ("empty-key", '{"instances": [1], "": 2}'),
            ("order", '{"instances": [1], "signature_name": "serving_default"}'),
        )
    ),
    *(
        RestCase(
            f"twice/{name}",
            "Of members of the same name the first counts.",
            predict("m", body),
            reply,
            facts=("5.1.9", "JIN-07"),
            level=Level.QUIRK,
        )
        for name, body, reply in (
            ("instances", '{"instances": [1], "instances": [2]}', rows("2.5")),
            ("inputs", '{"inputs": [1], "inputs": [2]}', column("2.5")),
            (
                "signature-name",
                '{"signature_name": "serving_default", "signature_name": "none", "instances": [1]}',
                rows("2.5"),
            ),
            ("input", '{"inputs": {"x": [1], "x": [2]}}', column("2.5")),
        )
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
