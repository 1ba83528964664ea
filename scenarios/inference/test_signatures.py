"""Signatures that are not what Classify and Regress need, and outputs that are not [6.5.2, 6.5.5]."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.cases import GrpcCase, RestCase, Text, error
from scenarios.inference.scenario import (
    ROWS,
    SCENARIO,
    classify,
    invalid,
    json_classify,
    json_regress,
    regress,
    rows,
)

pytestmark = pytest.mark.scenario(SCENARIO)


def begins(text: str) -> re.Pattern[str]:
    """A text that goes on with the signature, which depends on the model."""
    return re.compile(re.escape(text) + ".+", re.DOTALL)


NO_CLASSES_OR_SCORES = begins(
    'Expected classification signature outputs to contain at least one of "classes" or "scores". '
    "Signature was: inputs {"
)
NO_CLASSIFY_INPUTS = begins("No classification inputs found in SignatureDef: inputs {")
NO_REGRESS_INPUTS = begins("No regression inputs found in SignatureDef: inputs {")
NO_REGRESS_OUTPUTS = begins("No regression outputs found in SignatureDef: inputs {")

SHAPE, OUTPUT = ("6.5.2", "CR-10"), ("6.5.5", "CR-11")

#: What Classify says to a model and signature, with the facts.
CLASSIFY: dict[tuple[str, str], tuple[Text, tuple[str, ...]]] = {
    ("plain", ""): (NO_CLASSIFY_INPUTS, SHAPE),
    ("m", "classify_elsewhere"): (NO_CLASSIFY_INPUTS, SHAPE),
    ("m", "regress_elsewhere"): (NO_CLASSIFY_INPUTS, SHAPE),
    ("two", ""): ("Expected one input Tensor.", SHAPE),
    ("m", "classify_three"): ("Expected one or two output Tensors, found 3", SHAPE),
    ("m", "predict"): ("Expected one or two output Tensors, found 3", SHAPE),
    ("m", "classify_neither"): (NO_CLASSES_OR_SCORES, SHAPE),
    ("m", "regress"): (NO_CLASSES_OR_SCORES, SHAPE),
    ("m", "classify_flat"): ("Expected Tensor shape: [batch_size num_classes] but got [2]", OUTPUT),
    ("m", "classify_numbers"): ("Expected classes Tensor of DT_STRING. Got: DT_INT64", OUTPUT),
    ("m", "classify_double"): ("Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE", OUTPUT),
    ("m", "classify_wide"): ("Tensors class and score should match in dim_size(1). Got 3 vs. 4", OUTPUT),
    ("m", "classify_short"): ("Expected scores output batch size of 2. Got: 1", OUTPUT),
}

#: The same for Regress.
REGRESS: dict[tuple[str, str], tuple[Text, tuple[str, ...]]] = {
    ("plain", ""): (NO_REGRESS_INPUTS, SHAPE),
    ("m", "classify_elsewhere"): (NO_REGRESS_INPUTS, SHAPE),
    ("m", "regress_elsewhere"): (NO_REGRESS_INPUTS, SHAPE),
    ("two", ""): ("Expected one input Tensor.", SHAPE),
    ("m", ""): ("Expected one output Tensor.", SHAPE),
    ("m", "regress_two"): ("Expected one output Tensor.", SHAPE),
    ("m", "predict"): ("Expected one output Tensor.", SHAPE),
    ("m", "regress_alias"): (NO_REGRESS_OUTPUTS, SHAPE),
    ("m", "scores"): (NO_REGRESS_OUTPUTS, SHAPE),
    ("m", "regress_double"): ("Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE", OUTPUT),
    ("m", "regress_wide"): (
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,3]",
        OUTPUT,
    ),
    ("m", "regress_short"): ("Input batch size did not match output batch size: 2 vs. 1", OUTPUT),
}

RULE: dict[tuple[str, ...], str] = {
    SHAPE: "A classification has one input called inputs, and one or two outputs, classes or scores among "
    "them; a regression has that input and one output called outputs.",
    OUTPUT: "Outputs have one row for each example: classes are strings, scores and values are floats.",
}

BODY = '{"examples": [{"x": 1.5, "k": 7, "s": "mid"}, {"x": -2.0}]}'

CASES = (
    *(
        GrpcCase(
            f"classify/{model}/{signature or 'serving_default'}",
            RULE[facts],
            classify(rows(*ROWS), model=model, signature=signature),
            invalid(text),
            facts=facts,
        )
        for (model, signature), (text, facts) in CLASSIFY.items()
    ),
    *(
        GrpcCase(
            f"regress/{model}/{signature or 'serving_default'}",
            RULE[facts],
            regress(rows(*ROWS), model=model, signature=signature),
            invalid(text),
            facts=facts,
        )
        for (model, signature), (text, facts) in REGRESS.items()
    ),
    *(
        RestCase(
            f"json/{verb}/{model}/{signature or 'serving_default'}",
            RULE[facts],
            request(BODY, model=model, signature=signature),
            error(400, text),
            facts=facts,
        )
        for verb, request, table in (
            ("classify", json_classify, CLASSIFY),
            ("regress", json_regress, REGRESS),
        )
        for (model, signature), (text, facts) in table.items()
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
