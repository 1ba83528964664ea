"""The suite's strength: every server that is wrong on purpose fails the checks that it should fail."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Future

import pytest

from tests.miniatures import playing
from tests.miniatures.faults import FAULTS
from tests.miniatures.playing import SCENARIOS, Run

#: Checks that must notice each fault, over both protocols where the fault shows in both.
NOTICED = {
    "AnswersFromLatest": (
        "hot_plug/start/answers-every@1[*]",
        "multi_model/start/answers-model1@1[*]",
        "version_pinning/pinned/answers-chosen@1[*]",
        "version_pinning/label/answers-moving@stable[*]",
    ),
    "TellsWrongVersion": (
        "hot_plug/start/answers-m[grpc]",
        "multi_model/start/describes-model1[*]",
        "version_pinning/pinned/answers-every@3[grpc]",
    ),
    "OkForErrors": (
        "hot_plug/add_higher/refuses-m@2[*]",
        "multi_model/unknown/refuses-nobody[*]",
        "multi_model/unknown/refuses-status-nobody[*]",
        "version_pinning/pinned/refuses-nobody@stable[*]",
    ),
    "ServerErrorForAll": (
        "hot_plug/add_higher/refuses-m@2[rest]",
        "multi_model/unknown/refuses-nobody[rest]",
        "version_pinning/pinned/refuses-every@4[rest]",
    ),
    "NeverUnloads": (
        "hot_plug/add_higher/shows-m[*]",
        "hot_plug/add_higher/refuses-m@2[*]",
        "hot_plug/remove_newest/answers-m[*]",
        "multi_model/drop_by_reload/refuses-dense[*]",
        "version_pinning/change_policy/refuses-moving@1[*]",
    ),
    "NoHotPlug": (
        "hot_plug/add_higher/answers-m[*]",
        "hot_plug/add_higher/shows-m[*]",
        "hot_plug/add_higher/nogap-m[*]",
        "hot_plug/all_add/answers-every[*]",
    ),
    "MixesModels": (
        "multi_model/start/answers-model2[*]",
        "multi_model/test_rows_from_python_text[model2-23490]",
    ),
    "ShowsAvailable": (
        "hot_plug/add_higher/shows-m[*]",
        "multi_model/drop_by_reload/shows-dense[*]",
        "version_pinning/change_policy/shows-moving[*]",
    ),
    "ForgetsEnd": (
        "hot_plug/remove_newest/shows-m[*]",
        "multi_model/drop_by_reload/shows-dense[*]",
    ),
    "LowestFirst": (
        "hot_plug/start/shows-every[*]",
        "multi_model/start/shows-model1[*]",
        "version_pinning/policies/shows-chosen[*]",
    ),
    "LeavesGap": (
        "hot_plug/add_higher/nogap-m[*]",
        "hot_plug/remove_newest/nogap-m[*]",
    ),
    "DropsRunning": ("hot_plug/remove_busy/drains-busy@1[*]",),
    "EndsEarly": ("hot_plug/remove_busy/drains-busy@1[*]",),
    "NoticesFiles": ("hot_plug/replace_files/answers-m[*]",),
    "LabelsStay": (
        "version_pinning/move_label/answers-moving@stable[*]",
        "version_pinning/move_label/refuses-moving@canary[*]",
        "version_pinning/move_label/nogap-moving@stable[*]",
    ),
    "ReloadAdds": (
        "multi_model/drop_by_reload/refuses-dense[*]",
        "multi_model/drop_by_reload/shows-dense[*]",
    ),
    "OtherText": (
        "hot_plug/remove_all/refuses-m[*]",
        "multi_model/unknown/refuses-nobody[*]",
        "version_pinning/label/refuses-moving@Stable[*]",
    ),
}


def scenarios(fault: str) -> Collection[str]:
    """For a right server all of them, else those that must notice."""
    noticing = {check.partition("/")[0] for check in NOTICED.get(fault, ())}
    return [name for name in SCENARIOS if name in noticing or fault == "Right"]


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[Run]]]:
    """The runs that the chosen tests need."""
    chosen = {
        item.callspec.params["fault"]
        for item in request.session.items
        if getattr(item, "module", None) is request.module
    }
    wanted = [(fault, scenarios(fault)) for fault in FAULTS if fault in chosen]
    with playing.runs(wanted, tmp_path_factory.mktemp("miniatures")) as played:
        yield played


@pytest.mark.parametrize("fault", ["Right"])
def test_a_right_server_passes(runs: dict[str, Future[Run]], fault: str) -> None:
    outcomes, output = runs[fault].result()
    assert set(outcomes.values()) == {"passed"}, output
    assert {name.partition("/")[0] for name in outcomes} == set(SCENARIOS)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "Right"])
def test_a_wrong_server_is_noticed(runs: dict[str, Future[Run]], fault: str) -> None:
    run = runs[fault].result()
    expected = {
        name.replace("[*]", f"[{protocol}]") for name in NOTICED[fault] for protocol in ("rest", "grpc")
    }
    assert expected <= run.outcomes.keys(), "the table names checks that do not exist"
    assert expected <= run.failed, run.output
    assert "passed" in run.outcomes.values(), "one fault must not fail everything"
