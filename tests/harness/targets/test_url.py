from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from harness import targets
from harness.actions import Publish
from harness.certificates import SERVER_NAME, pem
from harness.checks import Answers, Shows
from harness.client import Exchange, GrpcClient, RestClient, Unreachable
from harness.player import Player, contents_needed
from harness.scenario import Scenario, Step
from harness.targets import StartError, Unsupported
from harness.targets.url import UrlTarget
from harness.terms import All, Capability, Model, Protocol, Request, State
from tests.harness.tiny import RIGHT, lines, run
from tests.miniatures import standins

pytest_plugins = "pytester"

OWN = Scenario("own", "t", (Model("own", "grid"),), ())
M = Model("m", "grid", versions=(1, 2), policy=All())
SCENARIO = Scenario("s", "t", (M,), (Step("a", "r", (Publish("m", 3),)),))


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[targets.Server]:
    """A server with a model of its own."""
    monkeypatch.setenv("TFSERVING_HARNESS_CACHE", str(tmp_path / "cache"))
    for scenario in (OWN, SCENARIO):
        standins.write(contents_needed(scenario))
    server = targets.parse(RIGHT).start(OWN)
    yield server
    server.stop()


def test_a_folder_makes_hot_plug_possible(remote: targets.Server, tmp_path: Path) -> None:
    """The models of a scenario come, change and go; the folder has another name on the server."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.symlink_to(here)
    rest, grpc_address = remote.addresses
    target = targets.parse(f"url:http://{rest},{grpc_address},models={here}={there}")
    assert {Capability.REPOSITORY, Capability.RELOAD} <= target.capabilities
    server = target.start(SCENARIO)
    assert server.models_root.startswith(f"{there}/")
    assert server.repository is not None
    assert server.repository.root.parent == here
    client = server.client(Protocol.GRPC, lambda _: None, 10)
    assert {entry.version for entry in client.status("m") if entry.state is State.AVAILABLE} == {1, 2}
    client.close()
    server.stop()
    assert list(here.iterdir()) == []


def test_what_a_server_remembers_does_not_confuse(remote: targets.Server, tmp_path: Path) -> None:
    """An earlier scenario had other contents under the same numbers, and a number that this one lacks."""
    rest, grpc_address = remote.addresses
    target = targets.parse(f"url:http://{rest},{grpc_address},models={tmp_path}={tmp_path}")
    earlier = replace(M, versions=(1, 2, 7), offset=10)
    standins.write(contents_needed(Scenario("e", "t", (earlier,), ())))
    for model in (earlier, M):
        shows = Shows("m", dict.fromkeys(model.versions, State.AVAILABLE), facts=())
        answers = Answers(Request("m", version=1), by=1, facts=())
        scenario = Scenario("c", "t", (model,), (Step("start", "r", checks=(shows, answers)),))
        player = Player(scenario, target, Protocol)
        for check in (shows, answers):
            player.verify(0, check, Protocol.GRPC)
        player.close()
    assert player.server.past == {"m": {1, 2, 7}}


def test_a_folder_that_cannot_be_written(remote: targets.Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    target = targets.parse(f"url:{remote.addresses.grpc},models={tmp_path}/file=/models")
    with pytest.raises(StartError, match="file cannot be written: Not a directory"):
        target.start(SCENARIO)


def test_a_folder_needs_grpc(remote: targets.Server, tmp_path: Path) -> None:
    target = targets.parse(f"url:http://{remote.addresses.rest},models={tmp_path}=/models")
    with pytest.raises(Unsupported, match="has no grpc address, over which it would be configured"):
        target.start(SCENARIO)
    assert not list(tmp_path.glob("tfserving-*"))


def test_what_names_no_model_runs_on_any_server(tiny: pytest.Pytester, remote: targets.Server) -> None:
    tiny.makepyfile(
        test_cases="""
        import pytest
        from harness.cases import Reply, RestCase, get
        from scenario import SCENARIO

        pytestmark = pytest.mark.scenario(SCENARIO)

        CASES = (
            RestCase("nobody", "r", get("/v1/models/nobody"), Reply(404), facts=("1",)),
            RestCase("ours", "r", get("/v1/models/m"), Reply(200), facts=("1",)),
        )

        @pytest.mark.cases(CASES)
        def test_case(case):
            case()
        """
    )
    result = run(tiny, "test_cases.py", target=f"url:http://{remote.addresses.rest}")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["1 skipped: target url:* does not serve what tiny needs: *"])
    passed = next(line for line in lines(tiny) if line.get("outcome") == "passed")
    assert passed["exchanges"][0]["request"]["target"] == "/v1/models/nobody"


# --------------------------------------------------------------------------- TLS and headers


class Handler(http.server.BaseHTTPRequestHandler):
    """Says which header it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.headers.get("X-Token", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        token = dict(details.invocation_metadata).get("x-token", "")
        return grpc.unary_unary_rpc_method_handler(lambda *_: str(token).encode())


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[UrlTarget]:
    """A target behind TLS that says which header it was sent."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    for name in ("server", "server-key", "authority"):
        (tmp_path / f"{name}.pem").write_text(pem(name))
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server-key.pem")
    rest = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    rest.socket = context.wrap_socket(rest.socket, server_side=True)
    thread = threading.Thread(target=rest.serve_forever)
    thread.start()
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, handlers=[Echo()])
        pair = (pem("server-key").encode(), pem("server").encode())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        server.start()
        headers = tmp_path / "headers"
        headers.write_text("X-Token: secret\n\n")
        target = targets.parse(
            f"url:https://127.0.0.1:{rest.server_port},grpcs://127.0.0.1:{port},"
            f"ca={tmp_path}/authority.pem,name={SERVER_NAME},headers={headers}"
        )
        assert isinstance(target, UrlTarget)
        yield target
        server.stop(0).wait()
    rest.shutdown()
    thread.join()
    rest.server_close()


def test_tls_and_headers(secure: UrlTarget) -> None:
    """The header reaches the server over every way there is, and nobody is told of it."""
    told: list[Exchange] = []
    rest = secure.way.client(Protocol.REST, told.append, 10)
    assert isinstance(rest, RestClient)
    assert rest.exchange("GET", "/").body == b"secret"
    connection = rest.connection(10)
    connection.send(b"GET / HTTP/1.1\r\nHost: h\r\nX-Token: raw\r\n\r\n")
    assert connection.receive("GET").body == b"raw"
    connection.close()
    rest.close()
    calls = secure.way.client(Protocol.GRPC, told.append, 10)
    assert isinstance(calls, GrpcClient)
    assert calls.exchange("/s/M", b"") == b"secret"
    calls.close()
    assert len(told) == 2
    assert all("secret" not in str((exchange.request_headers, secure.spec)) for exchange in told)
    assert Capability.LOAD not in secure.capabilities


def test_a_stranger_is_not_trusted(secure: UrlTarget) -> None:
    trusting = targets.parse(secure.spec.partition(",ca=")[0])
    assert isinstance(trusting, UrlTarget)
    client = trusting.way.client(Protocol.REST, None, 10)
    assert isinstance(client, RestClient)
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        client.exchange("GET", "/")
    client.close()
