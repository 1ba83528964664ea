"""Method names of signatures: looked at only where the server's flag asks for it [6.4.3, 6.5.3]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.cases import Call, GrpcCase, Refused, RestCase, error, post
from harness.client.grpc import MULTI_INFERENCE, PREDICT, model_spec, predict_request
from harness.models.examples import example
from harness.terms import Code, Level
from harness.wire import messages as wire
from scenarios.inference.scenario import (
    LABELS,
    METHOD_CHECK,
    ROWS,
    SCORES,
    VALUES,
    classified,
    classify,
    invalid,
    json_classify,
    json_regress,
    json_values,
    regress,
    regressed,
    rows,
)

pytestmark = pytest.mark.scenario(METHOD_CHECK)

PREDICT_TEXT = (
    "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
    "tensorflow/serving/classify, tensorflow/serving/regress}. Was: "
)
CLASSIFY_TEXT = "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
REGRESS_TEXT = "Expected regression signature method_name to be tensorflow/serving/regress. Was: "

FACTS = ("6.5.3", "X-48")
BODY = '{"examples": [{"x": 1.5}]}'


def predict(signature: str) -> Call:
    """A prediction for one example."""
    inputs = {"inputs": np.array([example(x=1.5).SerializeToString()], object)}
    return Call(PREDICT, predict_request("m", inputs, signature=signature))


CASES = (
    *(
        GrpcCase(
            f"predict/{signature}",
            "Predict then runs signatures of the three methods only.",
            predict(signature),
            Refused(Code.INTERNAL, PREDICT_TEXT + method),
            facts=("6.4.3", "X-48"),
        )
        for signature, method in (("regress_named_oddly", "my/method"), ("regress_nameless", ""))
    ),
    GrpcCase(
        "predict/no-signature",
        "The signature must be there before its method name is looked at.",
        predict("none"),
        Refused(Code.FAILED_PRECONDITION, 'Serving signature key "none" not found.'),
        facts=("6.4.1", "X-48"),
        level=Level.SHOULD,
    ),
    RestCase(
        "json/predict",
        "Over REST the same is an internal error.",
        post("/v1/models/m:predict", '{"signature_name": "regress_named_oddly", "instances": [{"b64": ""}]}'),
        error(500, PREDICT_TEXT + "my/method"),
        facts=("6.4.3", "X-48"),
    ),
    GrpcCase(
        "classify/right",
        "A signature of the method's own name is run.",
        classify(rows(*ROWS)),
        classified(LABELS, SCORES),
        facts=FACTS,
    ),
    GrpcCase(
        "regress/right",
        "A signature of the method's own name is run.",
        regress(rows(*ROWS)),
        regressed(*VALUES),
        facts=FACTS,
    ),
    RestCase(
        "json/regress/right",
        "A signature of the method's own name is run.",
        json_regress(BODY),
        json_values("6.0"),
        facts=FACTS,
    ),
    *(
        GrpcCase(
            f"regress/{signature}",
            "Regress runs signatures of that name alone.",
            regress(rows(*ROWS), signature=signature),
            invalid(REGRESS_TEXT + method),
            facts=FACTS,
        )
        for signature, method in (
            ("regress_named_predict", "tensorflow/serving/predict"),
            ("regress_named_oddly", "my/method"),
            ("regress_nameless", ""),
            ("scores", "tensorflow/serving/classify"),
        )
    ),
    *(
        GrpcCase(
            f"classify/{model}/{signature or 'serving_default'}",
            "Classify runs signatures of that name alone, so none as TensorFlow 2 exports them.",
            classify(rows(*ROWS), model=model, signature=signature),
            invalid(CLASSIFY_TEXT + method),
            facts=FACTS,
        )
        for model, signature, method in (
            ("m", "regress", "tensorflow/serving/regress"),
            ("plain", "", "tensorflow/serving/predict"),
        )
    ),
    *(
        RestCase(
            f"json/{verb}/{signature}",
            "Over REST the same is a bad request.",
            request(BODY, signature=signature),
            error(400, text),
            facts=FACTS,
        )
        for verb, request, signature, text in (
            ("classify", json_classify, "regress", CLASSIFY_TEXT + "tensorflow/serving/regress"),
            ("regress", json_regress, "regress_named_oddly", REGRESS_TEXT + "my/method"),
        )
    ),
    GrpcCase(
        "multi-inference",
        "MultiInference looks at the signature of each task.",
        Call(
            MULTI_INFERENCE,
            wire.MultiInferenceRequest(
                tasks=[
                    wire.InferenceTask(
                        model_spec=model_spec("m", signature="regress_named_oddly"),
                        method_name="tensorflow/serving/regress",
                    )
                ],
                input=rows(*ROWS),
            ),
        ),
        invalid(REGRESS_TEXT + "my/method"),
        facts=("6.6.2", "X-48"),
    ),
)


@pytest.mark.cases(CASES)
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
