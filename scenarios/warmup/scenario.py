"""Models that count, with warm-up files of all kinds: what was run before the first request can be seen.

The file is a TFRecord of ``PredictionLog`` at ``assets.extra/tf_serving_warmup_requests`` [9.1].
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from harness import warmup
from harness.actions import Publish
from harness.checks import Answers, Fails
from harness.scenario import Scenario, Step
from harness.terms import Code, Files, Level, Model, Request
from harness.wire import messages as wire

#: The model name in a record of ``NAMES``, which nobody else ever uses.
NAME_IN_RECORD = "somebody else"
#: Records that a file may hold.
LIMIT = 1000


def add(number: int, *, model: str = "m", alias: str = "by", signature: str | None = None) -> bytes:
    """A record that adds ``number``."""
    return warmup.predict_log(model, {alias: np.array([number], np.int64)}, signature)


def bring(records: Iterable[bytes]) -> Files:
    """A version's warm-up file with these records."""
    return {warmup.PATH: warmup.records(records)}


_EXAMPLES = wire.Input(example_list=wire.ExampleList(examples=[wire.Example(), wire.Example()]))


def _spec(signature: str) -> wire.ModelSpec:
    return wire.ModelSpec(name="m", signature_name=signature)


_CLASSIFICATION = wire.ClassificationRequest(model_spec=_spec("classify"), input=_EXAMPLES)
_REGRESSION = wire.RegressionRequest(model_spec=_spec("regress"), input=_EXAMPLES)
_TASK = wire.InferenceTask(model_spec=_spec("regress"), method_name="tensorflow/serving/regress")
_INFERENCES = wire.MultiInferenceRequest(tasks=[_TASK], input=_EXAMPLES)


def _record(log: wire.PredictionLog) -> Files:
    return bring([log.SerializeToString()])


CLASSIFY = _record(wire.PredictionLog(classify_log=wire.ClassifyLog(request=_CLASSIFICATION)))
REGRESS = _record(wire.PredictionLog(regress_log=wire.RegressLog(request=_REGRESSION)))
MULTI_INFERENCE = _record(wire.PredictionLog(multi_inference_log=wire.MultiInferenceLog(request=_INFERENCES)))
SESSION_RUN = _record(wire.PredictionLog(session_run_log=wire.SessionRunLog()))
PREDICT_STREAMED = _record(wire.PredictionLog(predict_streamed_log=wire.PredictStreamedLog()))

#: Warm-up files that are run, and what they add up to: name, rule, count, file, facts, level.
GOOD: tuple[tuple[str, str, int, Files, tuple[str, ...], Level], ...] = (
    (
        "none",
        "A version without a warm-up file is available as it is.",
        0,
        {},
        ("9.1",),
        Level.MUST,
    ),
    (
        "three",
        "Every record is run before the version is available, in whichever signature it names.",
        7,
        bring([add(5), add(2), add(9, alias="any", signature="peek")]),
        ("9.2", "WRM-01"),
        Level.MUST,
    ),
    (
        "names",
        "The model name in a record does not matter.",
        3,
        bring([add(3, model=NAME_IN_RECORD)]),
        ("9.4", "WRM-05"),
        Level.MUST,
    ),
    ("classify", "Records may ask for classification.", 2, CLASSIFY, ("9.3", "WRM-02"), Level.MUST),
    ("regress", "Records may ask for regression.", 2, REGRESS, ("9.3", "WRM-02"), Level.MUST),
    (
        "multi-inference",
        "Records may ask for several inferences at once.",
        2,
        MULTI_INFERENCE,
        ("9.3", "WRM-02"),
        Level.MUST,
    ),
    (
        "no-kind",
        "A record that asks for nothing is passed over.",
        1,
        bring([b"", add(1)]),
        ("9.3",),
        Level.QUIRK,
    ),
    ("empty", "An empty file holds no record.", 0, {warmup.PATH: b""}, ("9.5", "X-61"), Level.SHOULD),
    (
        "limit",
        "A file may hold as many as 1000 records.",
        LIMIT,
        bring([add(1)] * LIMIT),
        ("9.6", "WRM-07"),
        Level.MUST,
    ),
)

#: Warm-up files with which a version cannot be loaded: name, code, text, file, facts, level.
BAD: tuple[tuple[str, Code, str | re.Pattern[str], Files, tuple[str, ...], Level], ...] = (
    (
        "signature",
        Code.FAILED_PRECONDITION,
        'Serving signature key "nobody" not found.',
        bring([add(1, signature="nobody")]),
        ("9.4", "WRM-04"),
        Level.MUST,
    ),
    (
        "alias",
        Code.INVALID_ARGUMENT,
        re.compile(r"Signature input alias: by\(feed name: serving_default_by:0\) not found in request .*"),
        bring([add(1, alias="nobody")]),
        ("9.4", "WRM-04"),
        Level.MUST,
    ),
    (
        "dtype",
        Code.INVALID_ARGUMENT,
        re.compile(r"Expects arg\[0\] to be int64 but float is provided.*"),
        bring([warmup.predict_log("m", {"by": np.array([1.5], np.float32)})]),
        ("9.4", "WRM-04"),
        Level.MUST,
    ),
    (
        "second-record",
        Code.FAILED_PRECONDITION,
        'Serving signature key "nobody" not found.',
        bring([add(1), add(1, signature="nobody")]),
        ("9.4", "WRM-04"),
        Level.MUST,
    ),
    (
        "session-run",
        Code.UNIMPLEMENTED,
        "Unsupported log_type for warmup: 5",
        SESSION_RUN,
        ("9.3", "WRM-03"),
        Level.SHOULD,
    ),
    (
        "predict-streamed",
        Code.UNIMPLEMENTED,
        "Unsupported log_type for warmup: 7",
        PREDICT_STREAMED,
        ("9.3", "WRM-03"),
        Level.SHOULD,
    ),
    (
        "not-records",
        Code.DATA_LOSS,
        re.compile(r".*\. Please verify your warmup data is in TFRecord format\."),
        {warmup.PATH: b"these are not records at all, sorry"},
        ("9.5", "WRM-06"),
        Level.MUST,
    ),
    (
        "not-a-log",
        Code.INVALID_ARGUMENT,
        re.compile(
            r"Failed to parse warmup record: [\s\S]* from .*/not-a-log/2/"
            r"assets\.extra/tf_serving_warmup_requests"
        ),
        bring([b"\xff\xfe no log"]),
        ("9.5", "WRM-06"),
        Level.MUST,
    ),
    (
        "too-many",
        Code.INVALID_ARGUMENT,
        re.compile(
            r"Number of warmup records exceeds the maximum \(1000\) at .*/too-many/2/"
            r"assets\.extra/tf_serving_warmup_requests"
        ),
        bring([add(1)] * (LIMIT + 1)),
        ("9.6", "WRM-07"),
        Level.MUST,
    ),
)

_MONITORING = {"monitoring_config_file": "$FILES/monitoring.config"}
_MONITORING_FILE = {"monitoring.config": "prometheus_config { enable: true }\n"}


def _counter(name: str, files: Files) -> Model:
    # Contents 0: the count begins there.
    return Model(name, "counter", offset=-1, files=files)


SCENARIO = Scenario(
    id="warmup",
    title="Versions that bring warm-up requests",
    models=tuple(_counter(name, files) for name, _, _, files, _, _ in GOOD)
    + tuple(Model(name, "counter", offset=-1) for name, *_ in BAD),
    flags={"max_num_load_retries": 0, **_MONITORING},
    files=_MONITORING_FILE,
    steps=(
        Step("start", "Versions are available when their warm-up is done."),
        Step(
            "bad",
            "A version whose warm-up fails is not loaded, for just that reason; the old one goes on.",
            actions=tuple(Publish(name, 2, contents=0, files=files) for name, _, _, files, _, _ in BAD),
            checks=(
                *(
                    Fails(name, 2, code, text, facts=facts, level=level)
                    for name, code, text, _, facts, level in BAD
                ),
                Answers(Request(BAD[0][0], signature="peek"), by=1, facts=("3.7.4", "WRM-04")),
            ),
        ),
    ),
)

#: The same with each record run twice.
TWICE = Scenario(
    id="warmup_twice",
    title="Every warm-up record is run twice",
    models=(_counter("three", bring([add(5), add(2)])),),
    flags={"num_request_iterations_for_warmup": 2, **_MONITORING},
    files=_MONITORING_FILE,
    steps=(Step("start", "The version is available when its warm-up is done."),),
)
