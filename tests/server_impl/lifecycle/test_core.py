"""Configs applied to a running core, with loads that the test ends."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import text_format

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.lifecycle.config_poll import poll_config_file, start_config_poll
from server_impl.lifecycle.core import CoreOptions, ServerCore
from tests.server_impl.lifecycle.waiting import DEADLINE_S, await_

POLL_S = 0.02


class DiskLoader:
    """Loads the text of a file named ``answer``; a version without that file fails."""

    def __init__(self, name: str, version: int, path: str) -> None:
        self._path = Path(path)

    def estimate(self) -> None:
        pass

    def load(self) -> str:
        try:
            return (self._path / "answer").read_text()
        except OSError:
            raise ServingError(Code.DATA_LOSS, "broken") from None

    def unload(self) -> None:
        pass


class Site:
    """A folder of models, and a core that serves from it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cores: list[ServerCore[str]] = []

    def add(self, *folders: str, broken: bool = False) -> None:
        """Version folders that appear at once, as a rename makes them."""
        for folder in folders:
            path = self.root / folder
            path.parent.mkdir(exist_ok=True)
            path.mkdir()
            if not broken:
                (path / "answer").write_text(folder)

    def config(self, *names: str, **fields: str) -> wire.ModelServerConfig:
        """A list of models; ``fields`` holds more fields by model."""
        models = "".join(
            f'config {{ name: "{name}" base_path: "{self.root / name}" '
            f'model_platform: "tensorflow" {fields.get(name, "")} }}\n'
            for name in names
        )
        return text_format.Parse(f"model_config_list {{ {models} }}", wire.ModelServerConfig())

    def core(self, *, poll_s: float = POLL_S, allow_labels: bool = False) -> ServerCore[str]:
        core = ServerCore(
            DiskLoader,
            CoreOptions(
                max_num_load_retries=0,
                file_system_poll_wait_seconds=poll_s,
                allow_version_labels_for_unavailable_models=allow_labels,
            ),
        )
        self.cores.append(core)
        return core

    def start(self, *names: str, **fields: str) -> ServerCore[str]:
        core = self.core()
        core.start(self.config(*names, **fields))
        return core


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for core in made.cores:
        core.stop()


def answer(core: ServerCore[str], name: str, label: str | None = None) -> str:
    try:
        with core.serving.acquire(name, label=label) as lease:
            return lease.servable
    except ServingError as error:
        return str(error)


def status(core: ServerCore[str], name: str) -> list[str]:
    return [f"{s.version} {s.state.name}" for s in core.monitor.versions(name)]


def reload_error(core: ServerCore[str], config: wire.ModelServerConfig) -> str | None:
    try:
        core.reload_config(config)
    except ServingError as error:
        return str(error)
    return None


class Background:
    """A call on a thread of its own."""

    def __init__(self, core: ServerCore[str], config: wire.ModelServerConfig, *, start: bool = False) -> None:
        self.error: str | None = None

        def run() -> None:
            try:
                (core.start if start else core.reload_config)(config)
            except ServingError as error:
                self.error = str(error)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def waits(self) -> bool:
        self._thread.join(0.15)
        return self._thread.is_alive()

    def done(self) -> bool:
        self._thread.join(DEADLINE_S)
        return not self._thread.is_alive()


SPECIFIC = "model_version_policy {{ specific {{ {} }} }}"


def specific(*versions: int) -> str:
    return SPECIFIC.format(" ".join(f"versions: {version}" for version in versions))


def label(name: str, version: int) -> str:
    return f'version_labels {{ key: "{name}" value: {version} }}'


class TestStart:
    def test_start_returns_when_every_model_is_up(self, site: Site) -> None:
        site.add("a/1", "a/2", "b/3")
        core = site.start("a", "b")
        assert (answer(core, "a"), answer(core, "b")) == ("a/2", "b/3")
        assert [s.version for s in core.model_status("a")] == [2]

    def test_a_broken_model_refuses_to_start(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        site.add("a/1")
        site.add("bad/4", broken=True)
        background = Background(site.core(), site.config("a", "bad"), start=True)
        assert background.done()
        assert background.error == (
            "UNKNOWN: 1 servable(s) did not become available: "
            "{{{name: bad version: 4} due to error: DATA_LOSS: broken}, }"
        )
        assert "Unload all remaining servables in the manager." in caplog.messages

    @pytest.mark.parametrize("poll_s", [-1, 0, POLL_S])
    def test_an_empty_base_path_is_waited_for(self, site: Site, poll_s: float) -> None:
        (site.root / "a").mkdir()
        core = site.core(poll_s=poll_s)
        start = Background(core, site.config("a"), start=True)
        assert start.waits()
        site.add("a/1")
        if poll_s > 0:
            assert start.done()
            assert answer(core, "a") == "a/1"
        else:
            assert start.waits()
            core.stop()
            assert start.done()
            assert start.error == "CANCELLED: The server is shutting down."

    def test_without_a_list_nothing_is_done(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        core = site.core()
        core.start(wire.ModelServerConfig())
        assert "Taking no action for empty config." in caplog.messages
        assert answer(core, "a", "l") == "UNAVAILABLE: Model labels does not init yet.l"
        site.add("a/1")
        core.reload_config(site.config("a"))
        assert answer(core, "a") == "a/1"

    def test_request_logs_are_refused_after_the_models_are_up(self, site: Site) -> None:
        site.add("a/1")
        core = site.core()
        start = Background(core, site.config("a", a="logging_config {}"), start=True)
        assert start.done()
        assert start.error == "INVALID_ARGUMENT: No request-logger-creator provided."
        assert status(core, "a") == ["1 AVAILABLE"]

    def test_a_custom_config_is_refused(self, site: Site) -> None:
        core = site.core()
        custom = text_format.Parse("custom_model_config {}", wire.ModelServerConfig())
        assert Background(core, custom, start=True).done()
        assert reload_error(core, custom) is not None


class TestReload:
    def test_models_come_and_go(self, site: Site) -> None:
        site.add("a/1", "b/2")
        core = site.start("a")
        core.reload_config(site.config("a", "b"))
        assert answer(core, "b") == "b/2"  # the call waits for new models
        core.reload_config(site.config("b"))
        await_(lambda: status(core, "a") == ["1 END"])
        assert answer(core, "a") == "NOT_FOUND: Servable not found for request: Latest(a)"
        core.reload_config(site.config())
        await_(lambda: status(core, "b") == ["2 END"])

    def test_a_changed_policy_is_not_waited_for(self, site: Site) -> None:
        site.add("a/1", "a/2")
        core = site.start("a")
        core.reload_config(site.config("a", a=specific(1)))
        await_(lambda: status(core, "a") == ["2 END", "1 AVAILABLE"])

    def test_a_model_that_fails_stays_in_the_config(self, site: Site) -> None:
        site.add("a/1")
        site.add("bad/4", broken=True)
        core = site.start("a")
        both = site.config("a", "bad")
        assert reload_error(core, both) == (
            "UNKNOWN: 1 model(s) did not become available: "
            "{{{name: bad version: 4} due to error: DATA_LOSS: broken}, }"
        )
        assert reload_error(core, both) is None
        assert (answer(core, "a"), status(core, "bad")) == ("a/1", ["4 END"])
        core.reload_config(site.config("a"))
        (site.root / "bad/4/answer").write_text("repaired")
        await_(lambda: "bad" not in core._manager._models)  # forgotten, which no client can see
        core.reload_config(both)
        assert answer(core, "bad") == "repaired"

    def test_removing_and_adding_at_once_sees_the_old_end(self, site: Site) -> None:
        site.add("a/1")
        core = site.core(poll_s=3600)
        core.start(site.config("a"))
        core.reload_config(site.config())
        assert reload_error(core, site.config("a")) == (
            "UNKNOWN: 1 model(s) did not become available: {{{name: a version: 1}}, }"
        )

    def test_a_missing_base_path_blocks_this_and_later_reloads_and_freezes_discovery(
        self, site: Site
    ) -> None:
        site.add("a/1")
        core = site.start("a")
        first = Background(core, site.config("a", "n"))
        await_(core._config_lock.locked)
        assert first.waits()
        second = Background(core, site.config("a"))
        site.add("a/5")
        assert second.waits()
        assert answer(core, "a") == "a/1"
        site.add("n/7")
        assert first.done()
        assert second.done()
        assert (first.error, second.error) == (None, None)
        await_(lambda: answer(core, "a") == "a/5" and status(core, "n") == ["7 END"])

    def test_waiting_reloads_end_with_the_server(self, site: Site) -> None:
        site.add("a/1")
        core = site.start("a")
        waiting = [Background(core, site.config("a", "n"))]
        await_(core._config_lock.locked)
        waiting.append(Background(core, site.config("a")))
        assert all(one.waits() for one in waiting)
        core.stop()
        assert all(one.done() for one in waiting)
        assert [one.error for one in waiting] == ["CANCELLED: The server is shutting down."] * 2

    def test_an_invalid_config_changes_nothing(self, site: Site) -> None:
        site.add("a/1", "b/1")
        core = site.start("a")
        assert "multiple times" in (reload_error(core, site.config("b", "b")) or "")
        core.reload_config(site.config("a"))
        assert (answer(core, "a"), status(core, "b")) == ("a/1", [])

    def test_an_unknown_platform_leaves_the_models_but_not_the_labels(self, site: Site) -> None:
        site.add("a/1")
        core = site.start("a")
        other = site.config("a", "b", a=label("l", 1))
        other.model_config_list.config[1].model_platform = "other"
        assert reload_error(core, other) == ("INVALID_ARGUMENT: Model b requests unsupported platform other")
        assert answer(core, "a", "l") == "a/1"
        # The config is in place although it could not be applied.
        back = site.config("a", "b")
        assert "Illegal to change a model's platform" in (reload_error(core, back) or "")

    def test_a_first_load_that_failed_is_never_seen_again(self, site: Site) -> None:
        site.add("good/1")
        site.add("bad/4", broken=True)
        core = site.core()
        core.start(wire.ModelServerConfig())
        assert (reload_error(core, site.config("bad")) or "").startswith("UNKNOWN: 1 servable(s) did not")
        core.reload_config(site.config("good"))
        (site.root / "bad/4/answer").write_text("repaired")
        hanging = Background(core, site.config("good", "bad"))
        await_(core._config_lock.locked)
        assert hanging.waits()
        assert Background(core, site.config("good")).waits()


class TestLabels:
    def test_labels_move_and_go(self, site: Site) -> None:
        site.add("a/1", "a/2")
        core = site.start("a", a=specific(1, 2))
        await_(lambda: status(core, "a") == ["2 AVAILABLE", "1 AVAILABLE"])
        for version in (1, 2):
            core.reload_config(site.config("a", a=specific(1, 2) + label("l", version)))
            assert answer(core, "a", "l") == f"a/{version}"
        core.reload_config(site.config("a", a=specific(1, 2)))
        assert answer(core, "a", "l") == "INVALID_ARGUMENT: Unrecognized servable version label: l"

    def test_a_refused_label_refuses_the_policy_too(self, site: Site) -> None:
        site.add("a/1", "a/2")
        core = site.start("a", a=specific(1))
        assert reload_error(core, site.config("a", a=specific(1, 2) + label("l", 2))) == (
            "FAILED_PRECONDITION: Request to assign label to version 2 of model a, "
            "which is not currently available for inference"
        )
        assert not threading.Event().wait(5 * POLL_S)
        assert status(core, "a") == ["1 AVAILABLE"]
        core.reload_config(site.config("a", a=specific(1, 2)))
        await_(lambda: status(core, "a") == ["2 AVAILABLE", "1 AVAILABLE"])
        core.reload_config(site.config("a", a=specific(1, 2) + label("l", 2)))
        assert answer(core, "a", "l") == "a/2"

    def test_a_label_outlives_its_version_until_the_next_reload(self, site: Site) -> None:
        site.add("a/1", "a/2")
        core = site.start("a", a=specific(1, 2))
        await_(lambda: status(core, "a") == ["2 AVAILABLE", "1 AVAILABLE"])
        labelled = site.config("a", a=specific(1, 2) + label("l", 1))
        core.reload_config(labelled)
        shutil.rmtree(site.root / "a/1")
        await_(lambda: status(core, "a") == ["2 AVAILABLE", "1 END"])
        assert answer(core, "a", "l") == "NOT_FOUND: Servable not found for request: Specific(a, 1)"
        assert (reload_error(core, labelled) or "").startswith("FAILED_PRECONDITION")

    def test_at_start_labels_need_permission(self, site: Site) -> None:
        site.add("a/1")
        config = site.config("a", a=label("l", 1) + label("never", 9))
        refused = Background(site.core(), config, start=True)
        assert refused.done()
        assert (refused.error or "").startswith("FAILED_PRECONDITION: Request to assign label")
        core = site.core(allow_labels=True)
        core.start(config)
        assert answer(core, "a", "l") == "a/1"
        assert answer(core, "a", "never") == "NOT_FOUND: Servable not found for request: Specific(a, 9)"


class TestStatus:
    def test_all_versions_or_one(self, site: Site) -> None:
        site.add("a/1", "a/2")
        core = site.start("a")
        assert [s.version for s in core.model_status("a", 2)] == [2]
        for arguments, text in [
            (("a", 1), "NOT_FOUND: Could not find version 1 of model a"),
            (("x", 1), "NOT_FOUND: Could not find version 1 of model x"),
            (("x", None), "NOT_FOUND: Could not find any versions of model x"),
            (("", None), "NOT_FOUND: Could not find any versions of model "),
        ]:
            with pytest.raises(ServingError) as caught:
                core.model_status(*arguments)
            assert str(caught.value) == text


class TestReloadRequest:
    def test_only_lists_are_accepted(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        site.add("a/1")
        core = site.start("a")
        text = (
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
        for config in ("", "custom_model_config {}"):
            with pytest.raises(ServingError) as caught:
                core.handle_reload_request(text_format.Parse(config, wire.ModelServerConfig()))
            assert str(caught.value) == f"INVALID_ARGUMENT: {text}"
            assert caplog.messages[-1] == f"ReloadConfig failed: {text}"

    def test_log(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        site.add("a/1")
        core = site.start("a")
        caplog.set_level(logging.INFO)
        core.handle_reload_request(site.config("a"))
        assert caplog.messages == [
            f"\nConfig entry\n\tindex : 0\n\tpath : {site.root}/a\n\tname : a\n\tplatform : tensorflow",
            "Adding/updating models.",
            " (Re-)adding model: a",
            "Finished adding/updating models",
        ]


class TestConfigFile:
    def test_what_can_go_wrong_is_logged(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        site.add("a/1")
        core = site.start("a")
        file = site.root / "models.config"
        poll_config_file(str(file), core.reload_config)
        assert caplog.messages == [
            f"Failed to read ModelServerConfig file: {file}; No such file or directory"
        ]
        file.write_text("# nothing")
        poll_config_file(str(file), core.reload_config)
        assert caplog.messages[-1] == (
            "PollFilesystemAndReloadConfig failed to ReloadConfig: Cannot transition to requested config. "
            "It is only legal to transition from one ModelConfigList to another."
        )
        assert answer(core, "a") == "a/1"

    def test_the_file_wins_over_other_reloads(self, site: Site) -> None:
        site.add("a/1", "b/2")
        core = site.start("a")
        file = site.root / "models.config"
        file.write_text(text_format.MessageToString(site.config("a")))
        poll = start_config_poll(str(file), core.reload_config, 0.05)
        core.reload_config(site.config("b"))
        await_(lambda: status(core, "a") == ["1 AVAILABLE"] and status(core, "b") == ["2 END"])
        file.write_text(text_format.MessageToString(site.config("b")))
        await_(lambda: status(core, "a") == ["1 END"] and status(core, "b") == ["2 AVAILABLE"])
        poll.stop()
