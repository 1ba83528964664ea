"""Labels are names for versions. A configuration gives them, checks them when it comes, and never again."""

from __future__ import annotations

from dataclasses import replace

from harness.actions import Reload, Withdraw
from harness.cases import Answer, Case, GrpcCase, Json, Refused, RestCase, get, ok
from harness.cases import Call as GrpcCall
from harness.checks import Answers, Describes, NoGap, Refuses, Returned, Shows
from harness.client.grpc import GET_MODEL_STATUS, PREDICT
from harness.scenario import Scenario, Step
from harness.startup import PORTS, StartUp, refused
from harness.terms import Call, Code, Level, Model, Policy, Request, Specific, State
from harness.wire import messages as wire

AVAILABLE, END = State.AVAILABLE, State.END

TWO, THREE = Specific((1, 2)), Specific((1, 2, 3))
M = Model("m", "half_plus_two", versions=(1, 2, 3), policy=TWO)
#: A model without labels, over the same folder.
PLAIN = Model("plain", "half_plus_two", versions=(), folder="m")


def labelled(policy: Policy = TWO, /, **labels: int) -> tuple[Model, ...]:
    """The models, ``m`` with this policy and these labels."""
    return replace(M, policy=policy, labels=labels), PLAIN


def unknown(request: Request, *facts: str) -> Refuses:
    """A label that nobody has given, for a model that may exist or not."""
    text = f"Unrecognized servable version label: {request.label}"
    return Refuses(request, Code.INVALID_ARGUMENT, text, facts=("2.6.5", "LAB-07", *facts))


def not_served(label: str, version: int, *facts: str) -> Refuses:
    """A label whose version is not served."""
    text = f"Servable not found for request: Specific(m, {version})"
    return Refuses(Request("m", label=label), Code.NOT_FOUND, text, facts=facts)


def not_assigned(reload: str, version: int, *facts: str) -> Returned:
    """A reload that is refused because a label's version is not available."""
    text = (
        f"Request to assign label to version {version} of model m, "
        "which is not currently available for inference"
    )
    return Returned(reload, Code.FAILED_PRECONDITION, text, facts=facts)


SCENARIO = Scenario(
    id="labels",
    title="Labels that come, move and go",
    models=labelled(),
    steps=(
        Step(
            "assigned",
            "A label on an available version stands for its number, for inference and for metadata.",
            actions=(Reload(labelled(stable=1, canary=2, **{"v 1.0 é": 1})),),
            checks=(
                Answers(Request("m", label="stable"), by=1, facts=("2.6.1", "6.4.12", "LAB-01")),
                Answers(Request("m", label="canary"), by=2, facts=("2.6.1", "LAB-01")),
                Answers(Request("m", label="v 1.0 é"), by=1, facts=("2.6.8", "X-26")),
                Answers(Request("m"), by=2, facts=("6.3.2",)),
                Describes(Request("m", label="stable"), by=1, facts=("4.1.7", "6.7.1", "LAB-01")),
                Describes(Request("m", label="canary"), by=2, facts=("4.1.7", "6.7.1", "LAB-01")),
                unknown(Request("m", label="Stable"), "2.6.8"),
                unknown(Request("plain", label="stable"), "2.6.8", "LAB-09"),
                unknown(Request("plain", label="canary"), "2.6.8", "LAB-09"),
                unknown(Request("nobody", label="stable")),
                Refuses(
                    Request("m", label="other"),
                    Code.INVALID_ARGUMENT,
                    "Unrecognized servable version label: other",
                    Call.METADATA,
                    facts=("2.6.5", "LAB-07"),
                ),
            ),
        ),
        Step(
            "moved",
            "A label that moves between available versions switches at once, and no request fails.",
            actions=(Reload(labelled(stable=2, canary=1)),),
            checks=(
                Answers(Request("m", label="stable"), by=2, facts=("2.6.1", "LAB-05")),
                Answers(Request("m", label="canary"), by=1, facts=("2.6.1", "LAB-05")),
                NoGap(Request("m", label="stable"), 1, 2, facts=("2.6.1", "LAB-05")),
                unknown(Request("m", label="v 1.0 é"), "LAB-06"),
            ),
        ),
        Step(
            "shared",
            "Several labels may stand for one version; one that is left out is gone.",
            actions=(Reload(labelled(stable=1, other=1)),),
            checks=(
                Answers(Request("m", label="stable"), by=1, facts=("2.6.8", "X-26")),
                Answers(Request("m", label="other"), by=1, facts=("2.6.8", "X-26")),
                unknown(Request("m", label="canary"), "LAB-06"),
            ),
        ),
        Step(
            "given_twice",
            "Of a label that is given twice the last one counts.",
            actions=(
                Reload(
                    labelled(),
                    text='model_config_list { config { name: "m" base_path: "$MODELS/m" '
                    'model_platform: "tensorflow" model_version_policy { specific { versions: [1, 2] } } '
                    'version_labels { key: "stable" value: 1 } version_labels { key: "stable" value: 2 } } '
                    'config { name: "plain" base_path: "$MODELS/m" model_platform: "tensorflow" } }',
                ),
            ),
            checks=(Answers(Request("m", label="stable"), by=2, facts=("2.1.3",), level=Level.QUIRK),),
        ),
        Step(
            "not_available",
            "A label for a version that is not available refuses the whole configuration.",
            actions=(Reload(labelled(stable=3, other=1), id="not_available"),),
            checks=(
                not_assigned("not_available", 3, "2.6.1", "LAB-03"),
                Answers(Request("m", label="stable"), by=2, facts=("2.6.1", "LAB-03")),
                unknown(Request("m", label="other"), "2.6.1", "LAB-03"),
            ),
        ),
        Step(
            "with_its_version",
            "A version and its label in one configuration are too much: labels are looked at first.",
            actions=(Reload(labelled(THREE, stable=2, other=3), id="with_its_version"),),
            quiet=True,
            checks=(
                not_assigned("with_its_version", 3, "2.6.4", "LAB-04"),
                unknown(Request("m", label="other"), "2.6.4", "LAB-04"),
                Shows("m", {2: AVAILABLE, 1: AVAILABLE}, facts=("2.6.4", "LAB-04")),
            ),
        ),
        Step(
            "version_first",
            "In two configurations it works: first the version ...",
            actions=(Reload(labelled(THREE, stable=2)),),
            checks=(
                Shows("m", dict.fromkeys((3, 2, 1), AVAILABLE), facts=("2.6.4", "LAB-04")),
                Answers(Request("m", label="stable"), by=2, facts=("2.6.4",)),
            ),
        ),
        Step(
            "then_its_label",
            "... then its label.",
            actions=(Reload(labelled(THREE, stable=2, other=3)),),
            checks=(Answers(Request("m", label="other"), by=3, facts=("2.6.4", "LAB-04")),),
        ),
        Step(
            "version_gone",
            "A label does not hold its version: when that is unloaded, the label points nowhere.",
            actions=(Withdraw("m", 3),),
            checks=(
                Shows("m", {3: END, 2: AVAILABLE, 1: AVAILABLE}, facts=("2.6.6", "LAB-08")),
                not_served("other", 3, "2.6.6", "LAB-08"),
                Answers(Request("m", label="stable"), by=2, facts=("2.6.6",)),
            ),
        ),
        Step(
            "carried_on",
            "A configuration that still carries such a label is refused, whatever else it says.",
            actions=(Reload(labelled(THREE, stable=2, other=3), id="carried_on"),),
            checks=(
                not_assigned("carried_on", 3, "2.6.6", "X-24"),
                Answers(Request("m", label="stable"), by=2, facts=("2.6.6", "X-24")),
            ),
        ),
        Step(
            "dropped",
            "Without that label the configuration is accepted again; without labels all are gone.",
            actions=(Reload(labelled(TWO, stable=2)), Reload(labelled())),
            checks=(
                unknown(Request("m", label="stable"), "LAB-06"),
                unknown(Request("m", label="other"), "LAB-06"),
                Answers(Request("m"), by=2, facts=("2.6.5",)),
            ),
        ),
        Step(
            "before_platforms",
            "Labels are assigned before platforms are looked at: a list that fails there has changed them.",
            actions=(
                Reload(
                    labelled(),
                    text='model_config_list { config { name: "m" base_path: "$MODELS/m" '
                    'model_platform: "tensorflow" model_version_policy { specific { versions: [1, 2] } } '
                    'version_labels { key: "early" value: 1 } } '
                    'config { name: "odd" base_path: "$MODELS/m" model_platform: "pytorch" } }',
                    id="odd_platform",
                ),
            ),
            checks=(
                Returned(
                    "odd_platform",
                    Code.INVALID_ARGUMENT,
                    "Model odd requests unsupported platform pytorch",
                    facts=("2.2.2", "2.6.9"),
                ),
                Answers(Request("m", label="early"), by=1, facts=("2.6.9",), level=Level.UNVERIFIED),
            ),
        ),
    ),
)


def _predict(label: str) -> wire.PredictRequest:
    request = wire.PredictRequest(model_spec=wire.ModelSpec(name="m", version_label=label))
    request.inputs["x"].CopyFrom(wire.TensorProto(dtype=wire.DT_FLOAT, float_val=[2.0]))
    request.inputs["x"].tensor_shape.dim.add(size=1)
    return request


def _status(*versions: int) -> wire.GetModelStatusResponse:
    response = wire.GetModelStatusResponse()
    for version in versions:
        response.model_version_status.add(
            version=version, state=wire.ModelVersionStatus.AVAILABLE, status=wire.StatusProto()
        )
    return response


def _answer(version: int, y: float) -> wire.PredictResponse:
    """The whole reply for ``x = 2``: the version is named, the label is not."""
    response = wire.PredictResponse(
        model_spec=wire.ModelSpec(name="m", signature_name="serving_default"),
    )
    response.model_spec.version.value = version
    response.outputs["y"].CopyFrom(wire.TensorProto(dtype=wire.DT_FLOAT, float_val=[y]))
    response.outputs["y"].tensor_shape.dim.add(size=1)
    return response


def _status_document(*versions: int) -> Json:
    status = {"error_code": "OK", "error_message": ""}
    return Json(
        {
            "model_version_status": [
                {"version": str(version), "state": "AVAILABLE", "status": status} for version in versions
            ]
        }
    )


#: Requests after the first step.
CASES: tuple[Case, ...] = (
    GrpcCase(
        "version-is-named",
        "The reply names the version that a label stands for, and not the label.",
        GrpcCall(PREDICT, _predict("stable")),
        Answer(_answer(1, 3.0)),
        facts=("6.4.12", "LAB-01"),
    ),
    GrpcCase(
        "empty-label",
        "The empty text is a label like any other, and nobody has given it here.",
        GrpcCall(PREDICT, _predict("")),
        Refused(Code.INVALID_ARGUMENT, "Unrecognized servable version label: "),
        facts=("2.6.8", "LAB-07"),
        level=Level.QUIRK,
    ),
    *(
        GrpcCase(
            f"status/{label}",
            "The status of a model is told whole, whatever label is named.",
            GrpcCall(
                GET_MODEL_STATUS,
                wire.GetModelStatusRequest(model_spec=wire.ModelSpec(name="m", version_label=label)),
            ),
            Answer(_status(2, 1)),
            facts=("6.8.1", "3.5.4", "LAB-10"),
            level=Level.QUIRK,
        )
        for label in ("stable", "nowhere")
    ),
    *(
        RestCase(
            f"status/{label}",
            "The status of a model is told whole, whatever label is named.",
            get(f"/v1/models/m/labels/{label}"),
            ok(_status_document(2, 1)),
            facts=("4.1.7", "LAB-10"),
            level=Level.QUIRK,
        )
        for label in ("stable", "nowhere")
    ),
)

# --------------------------------------------------------------------------- the flag that allows more

ALLOWED = Scenario(
    id="labels_for_unavailable",
    title="Labels for versions that are not available yet",
    models=labelled(stable=1, early=7),
    flags={"allow_version_labels_for_unavailable_models": True},
    steps=(
        Step(
            "at_the_start",
            "With the flag a server starts with labels, also with one whose version is not there.",
            checks=(
                Answers(Request("m", label="stable"), by=1, facts=("2.6.2", "LAB-02")),
                not_served("early", 7, "2.6.3", "LAB-02"),
                unknown(Request("m", label="other")),
            ),
        ),
        Step(
            "new",
            "A new label may wait for its version, and one that waits may stay.",
            actions=(Reload(labelled(stable=1, early=7, next=3)),),
            checks=(
                not_served("next", 3, "2.6.3"),
                not_served("early", 7, "2.6.3"),
                Answers(Request("m", label="stable"), by=1, facts=("2.6.3",)),
            ),
        ),
        Step(
            "moved_away",
            "A label that exists cannot move to a version that is not available, flag or not.",
            actions=(Reload(labelled(stable=9, early=7, next=3), id="moved_away"),),
            checks=(
                not_assigned("moved_away", 9, "2.6.3", "X-23"),
                Answers(Request("m", label="stable"), by=1, facts=("2.6.3", "X-23")),
            ),
        ),
        Step(
            "comes_true",
            "When the version comes, its label is answered.",
            actions=(Reload(labelled(THREE, stable=1, next=3)),),
            checks=(
                Answers(Request("m", label="next"), by=3, facts=("2.6.3", "2.6.6")),
                Answers(Request("m", label="stable"), by=1, facts=("2.6.3",)),
                unknown(Request("m", label="early"), "LAB-06"),
            ),
        ),
    ),
)

REFUSED = (
    StartUp(
        "labels-at-the-start",
        "Labels are looked at before the models are loaded: in the first configuration they stop the start.",
        (*PORTS, "--model_config_file=$FILES/models.config"),
        refused(
            "FAILED_PRECONDITION: Request to assign label to version 1 of model m, "
            "which is not currently available for inference"
        ),
        files={
            "models.config": 'model_config_list { config { name: "m" base_path: "$MODELS/m" '
            'model_platform: "tensorflow" version_labels { key: "stable" value: 1 } } }'
        },
        facts=("2.6.2", "LAB-02"),
    ),
)
