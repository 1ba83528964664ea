"""Start-ups are judged by what the process does: programs of a few lines stand for the server."""

from __future__ import annotations

import re
import shlex
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import starting, targets
from harness.startup import Exits, Outcome, Serves, StartUp, Waits
from harness.targets import Launched
from harness.terms import Protocol
from harness.verdict import Mismatch

REST = (Protocol.REST,)

#: A REST server that has one model, in the state that is its first argument.
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"model_version_status": [{"version": "1", "state": "%s", "status": \\
            {"error_code": "OK", "error_message": ""}}]}' % sys.argv[1].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""


@pytest.fixture
def launch() -> Iterator[Callable[..., Launched]]:
    """Launches a Python program with arguments and files."""
    running: list[Launched] = []

    def start(program: str, *arguments: str, files: dict[str, str] | None = None) -> Launched:
        target = targets.parse(f"command:{sys.executable} -c {shlex.quote(program)}")
        start_up = StartUp("s", "r", arguments, (), facts=(), models=(), files=files or {})
        running.append(target.launch(start_up))
        return running[-1]

    yield start
    for launched in running:
        launched.stop()


def play(launched: Launched, *outcomes: Outcome) -> None:
    starting.play(StartUp("s", "r", (), outcomes, facts=(), models=()), launched)


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("import sys; sys.exit(3)", Exits((3,))),
        ("import os; os.abort()", Exits((134,))),
        ("print('good $ morning')", Exits((0,), stdout="good $ morning")),
        ("print('good morning')", Exits((0,), stdout=re.compile(r"good \w+$"))),
        ("import sys; sys.exit('bad')", Exits((1,), log="bad")),
        ("import sys; print(sys.argv[1])", Exits((0,), stdout="$FILES/a")),
        ("import sys; print(open(sys.argv[1]).read())", Exits((0,), stdout="port $REST")),
        ("import time; time.sleep(60)", Waits(0.3)),
    ],
)
def test_outcomes_that_come_true(launch: Callable[..., Launched], program: str, outcome: Outcome) -> None:
    play(launch(program, "$FILES/a", files={"a": "port $REST"}), outcome)


@pytest.mark.parametrize(
    ("program", "outcome", "actual"),
    [
        ("import sys; sys.exit(3)", Exits((255,)), "it ended with status 3"),
        ("print('evening')", Exits((0,), stdout="morning"), "it did not say so; it said: evening"),
        ("print('evening')", Exits((0,), log="evening"), "it did not say so; it said: evening"),
        ("pass", Serves(), "it ended with status 0"),
        ("pass", Waits(5), "it ended with status 0"),
    ],
)
def test_outcomes_that_cannot_come_true_any_more(
    launch: Callable[..., Launched], program: str, outcome: Outcome, actual: str
) -> None:
    with pytest.raises(Mismatch) as caught:
        play(launch(program), outcome)
    assert caught.value.actual == actual


def test_any_of_several_outcomes_is_enough(launch: Callable[..., Launched]) -> None:
    play(launch("import sys; sys.exit(3)"), Serves(), Exits((134, 3)))


def test_serving(launch: Callable[..., Launched]) -> None:
    play(launch(SERVER, "AVAILABLE", "$REST"), Serves(over=REST))


def test_serving_the_wrong_thing(launch: Callable[..., Launched], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "DEADLINE", 2.0)
    launched = launch(SERVER, "LOADING", "$REST")
    with pytest.raises(Mismatch, match="model m is 1 LOADING"):
        play(launched, Serves(over=REST))
    with pytest.raises(Mismatch, match="nobody listens for grpc"):
        play(launched, Serves(over=(Protocol.GRPC,)))
    with pytest.raises(Mismatch, match="it opened a port"):
        play(launched, Waits(9))


def test_a_port_that_should_be_closed(
    launch: Callable[..., Launched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "DEADLINE", 2.0)
    hold = "import socket, sys; held = socket.create_server(('127.0.0.1', int(sys.argv[3])))"
    launched = launch(hold + SERVER, "AVAILABLE", "$REST", "$GRPC")
    with pytest.raises(Mismatch, match="somebody listens for grpc"):
        play(launched, Serves(over=REST))
    play(launched, Serves(over=REST, alone=False))


def test_ports_that_are_in_use(launch: Callable[..., Launched]) -> None:
    program = """
        import socket, sys
        def bind(port, shared):
            try:
                socket.create_server(("", int(port)), reuse_port=shared)
            except OSError:
                return "taken"
            return "free"
        print(bind(sys.argv[1], True), bind(sys.argv[2], True), bind(sys.argv[2], False))
    """
    play(launch(textwrap.dedent(program), "$TAKEN", "$SHARED"), Exits((0,), stdout="taken free taken"))


def test_signals_and_the_end(launch: Callable[..., Launched]) -> None:
    launched = launch("import time; print('here', flush=True); time.sleep(60)")
    assert launched.exit_status() is None
    while "here" not in launched.stdout():
        assert launched.exit_status(0.02) is None
    launched.signal(signal.SIGINT)
    assert launched.exit_status(10) == -signal.SIGINT
    folder = Path(launched.fill("$FILES"))
    assert folder.exists()
    launched.stop()
    assert not folder.exists()
