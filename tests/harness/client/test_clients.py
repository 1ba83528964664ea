"""Both clients against a server in miniature, and against one that says what a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import grpc
import numpy as np
import pytest

from harness import model_config
from harness.client import BadReply, Client, Exchange, GrpcClient, Refusal, RestClient, Unreachable
from harness.client.rest import model_path, raw
from harness.models import BUILDERS
from harness.terms import All, Code, Model, Protocol, State
from harness.wire import messages as wire
from tests.miniatures.faults import Right
from tests.miniatures.server import GrpcFront, RestFront
from tests.miniatures.standins import stand_in


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """REST and gRPC addresses of a server with the model ``a/b`` in versions 1 and 2."""
    base: Path = tmp_path_factory.mktemp("models")
    for version in (1, 2):
        stand_in(base / str(version), "two_in_two_out", version)
    model = Model("a/b", "two_in_two_out", policy=All(), folder=base.name)
    core = Right(model_config.message([model], str(base.parent)))
    rest = RestFront(0, core)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[GrpcFront(core)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{rest.server_port}", f"127.0.0.1:{port}"
    server.stop(None).wait(10)
    rest.shutdown()
    rest.server_close()


@pytest.fixture(params=list(Protocol), ids=str)
def client(request: pytest.FixtureRequest, addresses: tuple[str, str]) -> Iterator[Client]:
    made: Client = RestClient(addresses[0]) if request.param is Protocol.REST else GrpcClient(addresses[1])
    yield made
    made.close()


INPUTS = BUILDERS["two_in_two_out"].signature(None).sample(7)


@pytest.mark.parametrize("version", [None, 1, 2])
def test_predict(client: Client, version: int | None) -> None:
    answer = client.predict("a/b", INPUTS, version=version)
    expected = BUILDERS["two_in_two_out"].signature(None).expected(version or 2, INPUTS)
    assert answer.version == (None if client.protocol is Protocol.REST else version or 2)
    assert {alias: array.tolist() for alias, array in answer.outputs.items()} == {
        alias: array.tolist() for alias, array in expected.items()
    }


def test_status(client: Client) -> None:
    listed = client.status("a/b")
    assert [(entry.version, entry.state, entry.code) for entry in listed] == [
        (2, State.AVAILABLE, Code.OK),
        (1, State.AVAILABLE, Code.OK),
    ]
    assert [entry.version for entry in client.status("a/b", version=1)] == [1]


def test_metadata(client: Client) -> None:
    metadata = client.metadata("a/b", version=1)
    assert metadata.version == 1
    signature = BUILDERS["two_in_two_out"].signature(None)
    assert metadata.signatures["serving_default"].inputs == signature.inputs
    assert metadata.signatures["serving_default"].outputs == signature.outputs


def test_refusals_are_one_thing_over_both_protocols(client: Client) -> None:
    for call in (
        lambda: client.predict("a/b", INPUTS, version=3),
        lambda: client.metadata("a/b", version=3),
    ):
        with pytest.raises(Refusal) as caught:
            call()
        assert caught.value.agrees(Code.NOT_FOUND, "Servable not found for request: Specific(a/b, 3)")
        assert not caught.value.agrees(Code.INVALID_ARGUMENT, caught.value.text)
        assert not caught.value.agrees(Code.NOT_FOUND, "servable not found")
    with pytest.raises(Refusal) as caught:
        client.predict("a/b", INPUTS, label="x")
    assert caught.value.agrees(Code.INVALID_ARGUMENT, "Unrecognized servable version label: x")


def test_exchanges_are_told(addresses: tuple[str, str]) -> None:
    told: list[Exchange] = []
    for client in (
        RestClient(addresses[0], on_exchange=told.append),
        GrpcClient(addresses[1], on_exchange=told.append),
    ):
        client.status("a/b")
        with pytest.raises(Refusal):
            client.status("nobody")
        client.close()
    assert [(exchange.protocol, exchange.method, exchange.status) for exchange in told] == [
        ("rest", "GET /v1/models/a%2Fb", "200 OK"),
        ("rest", "GET /v1/models/nobody", "404 Not Found"),
        ("grpc", "/tensorflow.serving.ModelService/GetModelStatus", "OK"),
        ("grpc", "/tensorflow.serving.ModelService/GetModelStatus", "NOT_FOUND"),
    ]
    assert told[3].text == "Could not find any versions of model nobody"
    assert wire.GetModelStatusRequest.FromString(told[2].request).model_spec.name == "a/b"
    assert all(exchange.duration_s > 0 for exchange in told)


def test_connected_before_the_first_call(addresses: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    client = GrpcClient(addresses[1])
    client.connect()
    states: SimpleQueue[grpc.ChannelConnectivity] = SimpleQueue()
    client._channel.subscribe(states.put)
    assert states.get(timeout=10) is grpc.ChannelConnectivity.READY
    client.close()
    # That there is nobody is told by the call.
    monkeypatch.setattr("harness.client.grpc._CONNECT_TIMEOUT", 0.1)
    client = GrpcClient("127.0.0.1:1")
    client.connect()
    with pytest.raises(Refusal, match="UNAVAILABLE"):
        client.status("m")
    client.close()


def test_typed_fields_and_content_mean_the_same(addresses: tuple[str, str]) -> None:
    told: list[Exchange] = []
    for content in (True, False):
        client = GrpcClient(addresses[1], content=content, on_exchange=told.append)
        client.predict("a/b", INPUTS)
        client.close()
    assert told[0].request != told[1].request
    np.testing.assert_array_equal(
        *(wire.PredictResponse.FromString(one.reply).outputs["b"].int64_val for one in told)
    )


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("m",), "/v1/models/m"),
        (("m", 2), "/v1/models/m/versions/2"),
        (("m", None, "a b"), "/v1/models/m/labels/a%20b"),
        (("ü/x:y",), "/v1/models/%C3%BC%2Fx%3Ay"),
    ],
)
def test_paths(arguments: tuple[str], path: str) -> None:
    assert model_path(*arguments) == path


@contextmanager
def scripted(*replies: bytes, requests: bool = True) -> Iterator[str]:
    """A server that gives each connection one reply, to a request or to any bytes, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def work() -> None:
            for reply in replies:
                connection, _ = listener.accept()
                with connection:
                    # Closing with unread bytes would reset the connection.
                    _read_request(connection) if requests else connection.recv(65536)
                    connection.sendall(reply)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def _read_request(connection: socket.socket) -> None:
    with connection.makefile("rb") as stream:
        head = list(iter(stream.readline, b"\r\n"))
        stream.read(sum(int(line[15:]) for line in head if line.lower().startswith(b"content-length:")))


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (http(b'{"error": "x"}'), BadReply, "neither"),
        (http(b"oops"), BadReply, "not JSON"),
        (http(b"<HTML>", "404 Not Found"), Refusal, "404: <HTML>"),
        (http(b"", "400 Bad Request"), Refusal, "400: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Unreachable, "IncompleteRead"),
        (b"nonsense\r\n\r\n", Unreachable, "BadStatusLine"),
        (b"", Unreachable, "RemoteDisconnected"),
    ],
)
def test_replies_of_a_broken_server(reply: bytes, error: type[Exception], text: str) -> None:
    with scripted(reply) as address:
        client = RestClient(address, timeout=10)
        with pytest.raises(error, match=text):
            client.predict("m", {"x": np.zeros(1)})
        client.close()


def test_a_closed_connection_is_opened_again() -> None:
    with scripted(http(b'{"predictions": [1]}'), http(b'{"predictions": [2]}')) as address:
        client = RestClient(address, timeout=10)
        answers = [client.predict("m", {"x": np.zeros(1)}).outputs[""].tolist() for _ in range(2)]
        client.close()
    assert answers == [[1], [2]]


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    client = RestClient(address, timeout=10)
    with pytest.raises(Unreachable, match="refused"):
        client.status("m")
    with pytest.raises(Unreachable):
        raw(address, b"GET / HTTP/1.0\r\n\r\n")


def test_any_bytes_can_be_sent() -> None:
    with scripted(b"whatever\xff", requests=False) as address:
        assert raw(address, b"\x00\x01", timeout=10) == b"whatever\xff"
