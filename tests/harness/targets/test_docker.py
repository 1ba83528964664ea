"""The docker target. With an engine it needs TFSERVING_HARNESS_TEST_IMAGE too: see tests/docker/run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from harness import targets
from harness.actions import Publish
from harness.models import cache
from harness.player import contents_needed
from harness.scenario import Scenario, Step
from harness.startup import NO_RETRIES, ONE_MODEL, StartUp, Waits
from harness.targets import StartError, Unsupported, UsageError
from harness.targets.docker import DockerServer, DockerTarget
from harness.targets.engine import RUNNER, present_engine
from harness.terms import All, Model, Protocol, State

ROOT = Path(__file__).parents[3]
IMAGE = os.environ.get("TFSERVING_HARNESS_TEST_IMAGE", "")
M = Model("m", "half_plus_two", versions=(1, 2), policy=All())
SCENARIO = Scenario("s", "t", (M,), (Step("a", "r", (Publish("m", 3),)),))

needs_engine = pytest.mark.skipif(
    not IMAGE, reason="needs a container engine and TFSERVING_HARNESS_TEST_IMAGE: run tests/docker/run"
)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def ours(client: docker.DockerClient) -> list[Any]:
    found: list[Any] = client.containers.list(all=True, filters={"label": RUNNER}, ignore_removed=True)
    return found


def serving(client: docker.DockerClient) -> bool:
    """Tell whether a container of ours has its ports open to the outside: a run is in its middle."""
    return any(
        container.status == "running" and any(container.attrs["NetworkSettings"]["Ports"].values())
        for container in ours(client)
    )


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    """The engine, which has no container of ours before and after."""
    client = docker.from_env()
    until(lambda: not ours(client))
    yield client
    until(lambda: not ours(client))
    client.close()


@pytest.fixture
def target(engine: docker.DockerClient) -> DockerTarget:
    cache.prepare(contents_needed(SCENARIO), lambda _: None)
    chosen = targets.parse(f"docker:{IMAGE}")
    assert isinstance(chosen, DockerTarget)
    return chosen


@pytest.fixture
def server(target: DockerTarget) -> Iterator[DockerServer]:
    server = target.start(SCENARIO)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("spec", "image"),
    [
        ("docker", "tensorflow/serving:latest"),
        ("docker:tensorflow/serving", "tensorflow/serving:latest"),
        ("docker:tensorflow/serving:2.20.0,cpus=1.5,memory=4g", "tensorflow/serving:2.20.0"),
        ("docker:registry.local:5000/serving", "registry.local:5000/serving:latest"),
        ("docker:serving@sha256:00ff", "serving@sha256:00ff"),
    ],
)
def test_images(spec: str, image: str) -> None:
    target = targets.parse(spec)
    assert isinstance(target, DockerTarget)
    assert (target.name, target.kind, target.spec) == (image, "docker", spec)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("docker:a b", "'a b' is not an image"),
        ("docker:x,cpus=none", "'cpus=none' is not an option"),
        ("docker:x,cpus=0", "'cpus=0' is not an option"),
        ("docker:x,gpus=1", "'gpus=1' is not an option; give docker, docker:IMAGE"),
    ],
)
def test_strings_that_are_no_images(spec: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        targets.parse(spec)


def test_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(StartError, match=r"target docker: no container engine answers at unix:///nowhere/d"):
        targets.parse("docker").prepare(lambda _: None)


def test_no_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker.sock").touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StartError, match=r"no permission to use the container engine at .*: add yourself"):
        targets.parse("docker").prepare(lambda _: None)


def test_pytest_says_so_and_ends() -> None:
    run = pytest_run("--target=docker", "scenarios/hot_plug", DOCKER_HOST="unix:///nowhere/docker.sock")
    output, _ = run.communicate(timeout=60)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: target docker: no container engine answers at unix:///nowhere" in output


@needs_engine
def test_an_image_that_is_not_to_be_had(engine: docker.DockerClient) -> None:
    told: list[str] = []
    with pytest.raises(StartError, match=r"image localhost:1/nothing:1 is not here and cannot be pulled: "):
        targets.parse("docker:localhost:1/nothing:1").prepare(told.append)
    assert told == ["pulling image localhost:1/nothing:1 ..."]


@needs_engine
def test_a_container_serves_what_the_scenario_says(target: DockerTarget, server: DockerServer) -> None:
    for protocol in Protocol:
        assert server.listens(protocol)
        client = server.client(protocol, lambda _: None, 10)
        assert [(entry.version, entry.state) for entry in client.status("m")] == [
            (2, State.AVAILABLE),
            (1, State.AVAILABLE),
        ]
        client.close()
    described = target.describe()
    assert described["server"]["name"] == "TensorFlow ModelServer"
    assert described["image"]["name"] == IMAGE
    assert described["image"]["digest"].startswith("sha256:")
    assert "Successfully loaded servable version {name: m version: 2}" in server.stderr()
    server.stop()
    server.stop()  # twice does no harm


@needs_engine
def test_the_server_sees_what_is_edited_here(server: DockerServer) -> None:
    assert not server.models_root.startswith(str(server.repository.root))
    client = server.client(Protocol.REST, lambda _: None, 10)
    server.repository.apply(Publish("m", 3))
    until(lambda: (3, State.AVAILABLE) in {(entry.version, entry.state) for entry in client.status("m")})
    client.close()


@needs_engine
def test_limits_reach_the_engine(engine: docker.DockerClient) -> None:
    cache.prepare(contents_needed(SCENARIO), lambda _: None)
    server = targets.parse(f"docker:{IMAGE},cpus=0.5,memory=3g").start(SCENARIO)
    limits = ours(engine)[0].attrs["HostConfig"]
    server.stop()
    assert (limits["NanoCpus"], limits["Memory"]) == (500_000_000, 3 << 30)


@needs_engine
def test_a_start_that_fails_tells_its_story(target: DockerTarget) -> None:
    wrong = Scenario("s", "t", (M,), (), flags={"batching_parameters_file": "$FILES/nowhere"})
    with pytest.raises(StartError) as caught:
        target.start(wrong)
    text = str(caught.value)
    assert "the server ended with status 255" in text
    assert f"image: {IMAGE}" in text
    assert "--batching_parameters_file=/scenario/files/nowhere" in text
    assert "batching_parameters_file is set without" in text


@needs_engine
def test_a_command_line_of_ones_own(target: DockerTarget) -> None:
    launched = target.launch(StartUp("x", "r", (*ONE_MODEL, NO_RETRIES), Waits(1), facts=(), models=(M,)))
    until(lambda: launched.listens(Protocol.GRPC) and launched.listens(Protocol.REST))
    launched.signal(signal.SIGTERM)
    assert launched.exit_status(20) == -signal.SIGTERM
    assert not launched.listens(Protocol.REST), "the engine's relay is no server"
    launched.signal(signal.SIGTERM)  # nobody is there to hear it
    launched.stop()
    with pytest.raises(Unsupported, match="cannot hold a port within the container"):
        target.launch(StartUp("x", "r", ("--port=$TAKEN",), Waits(1), facts=()))


@needs_engine
def test_a_container_that_somebody_takes_away(engine: docker.DockerClient, target: DockerTarget) -> None:
    launched = target.launch(StartUp("x", "r", (*ONE_MODEL, NO_RETRIES), Waits(1), facts=(), models=(M,)))
    ours(engine)[0].remove(force=True)
    assert launched.exit_status(20) == -signal.SIGKILL
    launched.signal(signal.SIGTERM)
    assert launched.pid is None
    assert launched.stdout() == launched.stderr() == launched.logs() == ""
    launched.stop()


@needs_engine
def test_a_container_that_cannot_be_started_is_removed(engine: docker.DockerClient) -> None:
    ready = present_engine()
    with pytest.raises(StartError, match=f"the engine does not start image {IMAGE}: .*nothing-of-this-name"):
        ready.run(ready.image(IMAGE, print), [], {"entrypoint": "nothing-of-this-name"})
    assert not ours(engine)


@needs_engine
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_container_outlives_pytest(engine: docker.DockerClient, end: signal.Signals) -> None:
    run = pytest_run(f"--target=docker:{IMAGE}", "scenarios/hot_plug")
    try:
        until(lambda: serving(engine), 60)
        run.send_signal(end)
        run.communicate(timeout=60)
    finally:
        run.kill()
    until(lambda: not ours(engine))


@needs_engine
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_container_outlives_locust(
    engine: docker.DockerClient, end: signal.Signals, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "locust", "-f", "harness/load.py", "--headless", "--no-calibration"]
    options = ["--target", f"docker:{IMAGE}", "--run-time", "60s", "--record", str(tmp_path / "run.jsonl")]
    run = subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        until(lambda: serving(engine), 60)
        run.send_signal(end)
        run.wait(60)
    finally:
        run.kill()
    until(lambda: not ours(engine))


@needs_engine
def test_a_sweep_removes_what_dead_runners_left(engine: docker.DockerClient) -> None:
    """As after a crash of the whole machine; containers of runners elsewhere, or alive, stay."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    host = os.uname().nodename
    left = {
        owner: engine.containers.create(IMAGE, labels={RUNNER: owner})
        for owner in (f"{host}/{gone.pid}/1", f"{host}/{os.getpid()}/1", f"elsewhere/{gone.pid}/1")
    }
    present_engine().sweep()
    assert [container.labels[RUNNER] for container in ours(engine)] == [f"elsewhere/{gone.pid}/1"]
    left[f"elsewhere/{gone.pid}/1"].remove()


def pytest_run(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--record", os.devnull, *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
