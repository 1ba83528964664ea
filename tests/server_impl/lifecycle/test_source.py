from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from google.protobuf import text_format

from harness.wire import messages as wire
from server_impl.errors import ServingError
from server_impl.lifecycle.policy import All, Latest, Specific
from server_impl.lifecycle.source import MonitoredModel, StoragePathSource, find_versions, monitored_models


class Wishes:
    """Keeps what a source asks for, in order."""

    def __init__(self) -> None:
        self.made: list[tuple[str, list[tuple[int, str]]]] = []

    def __call__(self, name: str, versions: Sequence[tuple[int, str]]) -> None:
        self.made.append((name, list(versions)))


def folders(base: Path, *names: str) -> str:
    base.mkdir(exist_ok=True)
    for name in names:
        (base / name).mkdir()
    return str(base)


def test_models_of_a_config() -> None:
    text = """model_config_list {
        config { name: "b" base_path: "/b" }
        config { name: "a" base_path: "/a" model_version_policy { all {} } }
    }"""
    assert monitored_models(text_format.Parse(text, wire.ModelServerConfig())) == [
        MonitoredModel("b", "/b", Latest(0)),
        MonitoredModel("a", "/a", All()),
    ]


def test_what_is_found(tmp_path: Path) -> None:
    base = folders(tmp_path / "m", "1", "3", "tmp", "2")
    assert find_versions(MonitoredModel("m", base)) == [(3, f"{base}/3")]
    assert find_versions(MonitoredModel("m", base + "/", All())) == [(n, f"{base}/{n}") for n in (1, 2, 3)]
    assert find_versions(MonitoredModel("m", f"file://{base}")) == [(3, f"file://{base}/3")]


def test_plain_files_and_links_count(tmp_path: Path) -> None:
    base = Path(folders(tmp_path / "m", "1"))
    (base / "5").touch()
    (base / "7").symlink_to(base / "1")
    (base / "9").symlink_to(base / "nowhere")
    assert [version for version, _ in find_versions(MonitoredModel("m", str(base), All()))] == [1, 5, 7, 9]


def test_specific_versions_need_no_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = folders(tmp_path / "m", "1", "2")

    def refuse(_: Path) -> None:
        raise AssertionError("listed")

    monkeypatch.setattr(Path, "iterdir", refuse)
    model = MonitoredModel("m", base, Specific((2, 1)))
    assert find_versions(model) == [(2, f"{base}/2"), (1, f"{base}/1")]
    with pytest.raises(AssertionError, match="listed"):
        find_versions(MonitoredModel("m", base, Specific((3,))))


NONE_FOUND = (
    "No versions of servable m found under base path {}. "
    "Did you forget to name your leaf directory as a number (eg. '/1/')?"
)


def test_an_empty_folder_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    base = folders(tmp_path / "m", "v1")
    assert find_versions(MonitoredModel("m", base)) == []
    assert find_versions(MonitoredModel("m", base, Specific(()))) == []
    assert find_versions(MonitoredModel("m", base, Specific((4,)))) == []
    assert caplog.messages == [
        NONE_FOUND.format(base),
        "No specific versions requested for servable m.",
        "Version 4 of servable m, which was requested to be served as a 'specific' version in the "
        "servable's version policy, was not found in the file system",
        NONE_FOUND.format(base),
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize(
    ("base_path", "text"),
    [
        (
            "$/none",
            "INVALID_ARGUMENT: Could not find base path $/none for servable m with error "
            "NOT_FOUND: $/none not found",
        ),
        (
            "gs://b/m",
            "INVALID_ARGUMENT: Could not find base path gs://b/m for servable m with error "
            "UNIMPLEMENTED: File system scheme 'gs' not implemented (file: 'gs://b/m')",
        ),
        ("$/file", "FAILED_PRECONDITION: $/file; Not a directory"),
    ],
)
def test_base_paths_that_cannot_be_read(tmp_path: Path, base_path: str, text: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServingError) as caught:
        find_versions(MonitoredModel("m", base_path.replace("$", str(tmp_path))))
    assert str(caught.value) == text.replace("$", str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed(tmp_path: Path) -> None:
    base = Path(folders(tmp_path / "m", "1"))
    base.chmod(0o100)
    with pytest.raises(ServingError, match=r"PERMISSION_DENIED: .*; Permission denied"):
        find_versions(MonitoredModel("m", str(base)))


def test_one_missing_base_path_ends_the_poll_for_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, wishes = folders(tmp_path / "a", "1"), Wishes()
    models = [MonitoredModel("a", good), MonitoredModel("b", str(tmp_path / "b"))]
    source = StoragePathSource(models, wishes, 1)
    source.poll()
    assert wishes.made == []
    assert caplog.messages == [
        "FileSystemStoragePathSource encountered a filesystem access error: "
        f"Could not find base path {tmp_path}/b for servable b with error NOT_FOUND: {tmp_path}/b not found"
    ]
    folders(tmp_path / "b")
    source.poll()
    assert wishes.made == [("a", [(1, f"{good}/1")]), ("b", [])]


def test_an_update_withdraws_what_is_gone_and_does_not_poll(tmp_path: Path) -> None:
    wishes = Wishes()
    models = [MonitoredModel(name, folders(tmp_path / name, "1")) for name in "cab"]
    source = StoragePathSource(models, wishes, 1)
    source.update([MonitoredModel("b", models[2].base_path, All()), MonitoredModel("d", models[1].base_path)])
    assert wishes.made == [("a", []), ("c", [])]
    assert source.names == {"b", "d"}
    source.poll()
    assert wishes.made[2:] == [("b", [(1, f"{tmp_path}/b/1")]), ("d", [(1, f"{tmp_path}/a/1")])]


@pytest.mark.parametrize(("interval", "polls"), [(-1, 0), (0, 1), (0.001, 3)])
def test_intervals(tmp_path: Path, interval: float, polls: int) -> None:
    base, seen = folders(tmp_path / "m", "1"), threading.Semaphore(0)
    source = StoragePathSource([MonitoredModel("m", base)], lambda *_: seen.release(), interval)
    source.start()
    assert all(seen.acquire(timeout=10) for _ in range(polls))
    if interval <= 0:
        assert not seen.acquire(timeout=0.05)
    source.stop()
