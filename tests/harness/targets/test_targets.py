from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import targets
from harness.actions import Publish
from harness.client import GrpcClient, RestClient
from harness.player import contents_needed
from harness.scenario import Scenario, Step
from harness.startup import StartUp, Waits
from harness.targets import StartError, Unsupported, UsageError
from harness.targets.process import ProcessServer
from harness.terms import All, Capability, Model, State
from tests.miniatures import standins

RIGHT = f"command:{sys.executable} -m tests.miniatures.server Right"
M = Model("m", "grid", versions=(1, 2), policy=All())
SCENARIO = Scenario("s", "t", (M,), (Step("a", "r", (Publish("m", 3),)),))


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFSERVING_HARNESS_CACHE", str(tmp_path / "cache"))
    standins.write(contents_needed(SCENARIO))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "not within 20 s"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Running, and not just waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def server() -> Iterator[ProcessServer]:
    server = targets.parse(RIGHT).start(SCENARIO)
    assert isinstance(server, ProcessServer)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("reference", "reference"),
        ("command:x --y 'a b'", "command"),
        ("url:http://h:8501,h:8500", "url"),
        ("url:h:8500", "url"),
    ],
)
def test_target_strings(spec: str, kind: str) -> None:
    target = targets.parse(spec)
    assert (target.spec, target.kind) == (spec, kind)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("", "give reference, docker:IMAGE:TAG, command:CMD, url:"),
        ("referenc", "give reference, docker:IMAGE:TAG, command:CMD, url:"),
        ("reference:x", "give reference, docker:IMAGE:TAG, command:CMD, url:"),
        ("command:", "give reference, docker:IMAGE:TAG, command:CMD, url:"),
        ("url:", "give reference, docker:IMAGE:TAG, command:CMD, url:"),
        ("url:host", "'host' is not an address"),
        ("url:http://h:8501,h", "'h' is not an address"),
        ("url:models=/a=/b", "no address"),
        ("url:ftp://h:1", "'ftp://h:1' is not an address"),
        ("url:h:1,models=/a", "models='/a' is not HERE=THERE"),
        ("url:h:1,ca=/nowhere", "ca=/nowhere: No such file or directory"),
        ("replay:", "give reference, docker:IMAGE:TAG, command:CMD, url:"),
        ("replay:/nowhere", "/nowhere holds no recorded answers"),
    ],
)
def test_strings_that_are_no_targets(spec: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        targets.parse(spec)


def test_a_process_serves_what_the_scenario_says(server: ProcessServer) -> None:
    assert server.addresses.rest is not None
    assert server.addresses.grpc is not None
    for client in (RestClient(server.addresses.rest), GrpcClient(server.addresses.grpc)):
        assert [(entry.version, entry.state) for entry in client.status("m")] == [
            (2, State.AVAILABLE),
            (1, State.AVAILABLE),
        ]
        client.close()
    folder = Path(server.models_root).parent
    server.stop()
    assert not alive(server.pid)
    assert not folder.exists()
    server.stop()  # twice does no harm


def test_flags_of_the_scenario_reach_the_server(server: ProcessServer) -> None:
    started = ProcessServer(
        [sys.executable, "-m", "tests.miniatures.server", "Right"],
        Scenario("s", "t", (M,), (), flags={"enable_batching": True, "file_system_poll_wait_seconds": 7}),
    )
    started.stop()
    assert {"--enable_batching=true", "--file_system_poll_wait_seconds=7"} <= set(started.command)
    assert "--file_system_poll_wait_seconds=1" in server.command


def test_a_start_that_fails_tells_its_story() -> None:
    with pytest.raises(StartError) as caught:
        targets.parse(f"command:{sys.executable} -c 'import sys; sys.exit(\"no such thing\")'").start(
            SCENARIO
        )
    text = str(caught.value)
    assert "ended with exit code 1" in text
    assert "--model_config_file=" in text
    assert "no such thing" in text
    assert not list(Path(tempfile.gettempdir()).glob(f"tfserving-harness-{os.getpid()}-*"))


def test_a_command_that_does_not_exist() -> None:
    target = targets.parse("command:/nowhere/server")
    with pytest.raises(StartError, match="/nowhere/server: No such file or directory"):
        target.start(SCENARIO)
    assert target.describe()["server"] is None


def test_ports_for_a_server_are_given_to_nobody_else() -> None:
    launched = targets.parse("command:sleep 60").launch(
        StartUp("waits", "t", (), Waits(0), models=(), facts=())
    )
    try:
        for address in launched.addresses:
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", int(str(address).rpartition(":")[2])))
    finally:
        launched.stop()


def test_what_a_command_says_of_itself() -> None:
    assert targets.parse(RIGHT).describe()["server"] == {"name": "Miniature", "version": "1"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's help")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_dies_with_its_runner(end: signal.Signals) -> None:
    """However the runner ends, no server stays, and the next run clears its folder."""
    code = (
        "import sys, time; from harness import targets; from tests.harness.targets.test_targets import *; "
        f"server = targets.parse({RIGHT!r}).start(SCENARIO); "
        "print(server.pid, server.models_root, flush=True); time.sleep(60)"
    )
    runner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    pid, root = runner.stdout.readline().split()
    assert alive(int(pid))
    runner.send_signal(end)
    runner.wait(20)
    runner.stdout.close()
    until(lambda: not alive(int(pid)))
    targets.parse(RIGHT).start(SCENARIO).stop()
    assert not Path(root).parent.exists()


def test_a_running_server_by_its_address(server: ProcessServer) -> None:
    rest, grpc = server.addresses
    for spec in (f"url:http://{rest},{grpc}", f"url:http://{rest}", f"url:{grpc}"):
        found = targets.parse(spec).start(SCENARIO)
        assert found.repository is None
        found.stop()
        with pytest.raises(Unsupported, match=r"does not serve what other needs: .*any versions of model n"):
            targets.parse(spec).start(Scenario("other", "t", (Model("n", "grid"),), ()))
        with pytest.raises(Unsupported, match="does not serve version 5 of model m"):
            targets.parse(spec).start(Scenario("other", "t", (Model("m", "grid", versions=(5,)),), ()))
    assert server.pid
    assert alive(server.pid), "a server of someone else's is never stopped"


def test_nobody_at_the_address() -> None:
    for spec in ("url:http://127.0.0.1:1", "url:127.0.0.1:1"):
        with pytest.raises(StartError, match="nobody answers"):
            targets.parse(spec).start(SCENARIO)


def test_what_a_target_lacks_is_named() -> None:
    target = targets.parse("url:h:8500")
    targets.require(target, frozenset())
    with pytest.raises(Unsupported, match=r"^target url:h:8500 cannot edit the model repository$"):
        targets.require(target, frozenset({Capability.REPOSITORY}))
