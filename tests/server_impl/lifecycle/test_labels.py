from __future__ import annotations

import pytest
from google.protobuf import text_format

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.lifecycle.labels import Labels, accept_labels, labels_of, version_for_label


def test_labels_of_a_config() -> None:
    text = """model_config_list {
        config { name: "m" version_labels { key: "b" value: 2 } version_labels { key: "" value: -1 } }
        config { name: "n" }
    }"""
    assert labels_of(text_format.Parse(text, wire.ModelServerConfig())) == {"m": {"": -1, "b": 2}}


@pytest.mark.parametrize(
    ("labels", "code", "text"),
    [
        (None, Code.UNAVAILABLE, "Model labels does not init yet.l"),
        ({}, Code.INVALID_ARGUMENT, "Unrecognized servable version label: l"),
        ({"n": {"l": 1}}, Code.INVALID_ARGUMENT, "Unrecognized servable version label: l"),
        ({"m": {"k": 1}}, Code.INVALID_ARGUMENT, "Unrecognized servable version label: l"),
    ],
)
def test_unknown_labels(labels: Labels | None, code: Code, text: str) -> None:
    with pytest.raises(ServingError) as caught:
        version_for_label(labels, "m", "l")
    assert (caught.value.code, caught.value.message) == (code, text)


def test_known_label() -> None:
    assert version_for_label({"m": {"l": 3, "": 4}}, "m", "l") == 3
    assert version_for_label({"m": {"l": 3, "": 4}}, "m", "") == 4


# Version 1 of m is available, nothing else is.
@pytest.mark.parametrize(
    ("present", "wanted", "allow", "refused"),
    [
        (None, {"m": {"l": 1}}, False, None),
        (None, {"m": {"l": 2}}, False, 2),
        (None, {"m": {"l": 2}}, True, None),  # new
        ({"m": {"l": 2}}, {"m": {"l": 2}}, True, None),  # kept
        ({"m": {"l": 2}}, {"m": {"l": 2}}, False, 2),  # went away behind the label
        ({"m": {"l": 1}}, {"m": {"l": 2}}, True, 2),  # moved
        ({"m": {"l": 2}}, {"m": {"l": 1}}, True, None),
        ({"n": {"l": 1}}, {"m": {"l": 2}}, True, None),  # the same label of another model
        ({"m": {"l": 1}}, {}, False, None),
        ({"m": {"l": 1}}, {"m": {"l": 1, "k": 3}}, False, 3),
    ],
)
def test_which_labels_are_accepted(
    present: Labels | None, wanted: Labels, allow: bool, refused: int | None
) -> None:
    def accept() -> Labels:
        return accept_labels(wanted, present, lambda *id_: id_ == ("m", 1), allow_unavailable=allow)

    if refused is None:
        assert accept() == wanted
    else:
        with pytest.raises(ServingError) as caught:
            accept()
        assert str(caught.value) == (
            f"FAILED_PRECONDITION: Request to assign label to version {refused} of model m, "
            "which is not currently available for inference"
        )
