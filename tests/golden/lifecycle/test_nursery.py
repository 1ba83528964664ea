from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.golden.lifecycle.nursery import Child, Nursery

_PATIENCE = 60


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield made
    made.close()


def server(nursery: Nursery, folder: Path, *arguments: str) -> Child:
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        return nursery.bear(["server_impl", *arguments], stdout, stderr)


def waiting(nursery: Nursery, folder: Path) -> Child:
    """A server that waits for a model."""
    return server(nursery, folder, "--port=1", f"--model_base_path={folder}/nothing")


def test_a_server_says_and_does_what_it_always_does(nursery: Nursery, tmp_path: Path) -> None:
    assert server(nursery, tmp_path, "--version").wait(_PATIENCE) == 0
    assert (tmp_path / "stdout").read_text().startswith("TensorFlow ModelServer: 2.20.0")


def test_the_end_of_a_server_is_told(nursery: Nursery, tmp_path: Path) -> None:
    child = waiting(nursery, tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait(_PATIENCE) == child.poll() == -signal.SIGKILL


def test_servers_die_with_the_nursery(tmp_path: Path) -> None:
    short_lived = Nursery(tmp_path / "log")
    child = waiting(short_lived, tmp_path)
    process = psutil.Process(child.pid)
    short_lived.close()
    psutil.wait_procs([process], timeout=_PATIENCE)
    assert not process.is_running()
    assert child.poll() == -signal.SIGKILL
    with pytest.raises(RuntimeError, match="the nursery is gone"):
        waiting(short_lived, tmp_path)
