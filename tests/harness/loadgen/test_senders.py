"""The light senders against the null server, against grpcio's own server, and against awkward replies."""

import concurrent.futures
import contextlib
import socket

import gevent
import grpc
import pytest

from harness.client import GrpcClient, Refusal, Unreachable
from harness.loadgen import grpc_sender, rest_sender
from harness.loadgen.calibration import NullServer, reply_header
from harness.loadgen.grpc_sender import GrpcSender
from harness.loadgen.rest_sender import RestSender
from harness.terms import Code

METHOD = "/test.Echo/Call"
BIG = bytes(range(256)) * 20_000  # 5 MB: more than any flow-control window


@pytest.fixture(scope="module")
def null():
    with NullServer([b"first", b"", BIG]) as server:
        yield server


def test_rest_requests_get_the_reply_they_name(null):
    sender = RestSender(null.addresses["rest"], 5)
    for number, reply in enumerate([b"first", b"", BIG]):
        headers = reply_header(number)
        prepared = rest_sender.prepare(null.addresses["rest"], "/", BIG if number else b"x", headers)
        assert sender.send(prepared) == reply
    sender.close()


def test_many_connections_at_once(null):
    def user():
        sender = RestSender(null.addresses["rest"], 5)
        prepared = rest_sender.prepare(null.addresses["rest"], "/", b"x")
        replies = {sender.send(prepared) for _ in range(20)}
        sender.close()
        return replies

    users = [gevent.spawn(user) for _ in range(10)]
    gevent.joinall(users, timeout=10, raise_error=True)
    assert all(user.value == {b"first"} for user in users)


@contextlib.contextmanager
def canned(*replies):
    """A server that accepts once for each entry, and for each request on it sends the next bytes."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve():
        for connection_replies in replies:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                for reply in connection_replies:
                    if not connection.recv(65536):
                        break
                    for part in reply:
                        connection.sendall(part)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.close()
            with contextlib.suppress(OSError):
                served.result(10)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "parts",
    [
        (OK,),
        (b"HTTP/1.1 200 OK\r\ncontent-length:2\r", b"\n\r\no", b"k"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\n", b"k\r\n0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\no", b"k"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",),
    ],
    ids=["plain", "in pieces", "chunked", "until closed", "closing"],
)
def test_rest_replies_of_every_form_are_read(parts):
    with canned([parts]) as address:
        sender = RestSender(address, 5)
        assert sender.send(rest_sender.prepare(address, "/", b"x")) == b"ok"
        sender.close()


def test_a_refusal_keeps_status_and_text_and_the_connection():
    refused = b'HTTP/1.1 404 Not Found\r\nContent-Length: 17\r\n\r\n{"error": "gone"}'
    with canned([(refused,), (OK,)]) as address:
        sender = RestSender(address, 5)
        with pytest.raises(Refusal) as refusal:
            sender.send(rest_sender.prepare(address, "/", b"x"))
        assert (refusal.value.http_status, refusal.value.text) == (404, "gone")
        assert sender.send(rest_sender.prepare(address, "/", b"x")) == b"ok"
        sender.close()


def test_an_idle_connection_that_was_closed_is_opened_again_but_half_a_reply_is_a_failure():
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"
    with canned([(OK,)], [(OK,), (half,)]) as address:
        sender = RestSender(address, 5)
        prepared = rest_sender.prepare(address, "/", b"x")
        assert sender.send(prepared) == sender.send(prepared) == b"ok"
        with pytest.raises(Unreachable, match="before the reply was complete"):
            sender.send(prepared)
        sender.close()


def test_nobody_there_and_nobody_answering():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        for sender, prepared in (
            (RestSender(address, 0.2), rest_sender.prepare(address, "/", b"x")),
            (GrpcSender(address, 0.2), grpc_sender.prepare(address, METHOD, b"x")),
        ):
            with pytest.raises(Unreachable, match="timed out"):
                sender.send(prepared)
            sender.close()
    for sender in (RestSender(address, 1), GrpcSender(address, 1)):
        with pytest.raises(Unreachable, match="refused"):
            sender.connect()


class Echo(grpc.GenericRpcHandler):
    """Answers with the request, or with the status that the request's first byte says."""

    def __init__(self):
        self.metadata = []

    def service(self, details):
        if details.method != METHOD:
            return None
        self.metadata.append(dict(details.invocation_metadata))
        return grpc.unary_unary_rpc_method_handler(self.call)

    def call(self, request, context):
        if request[:1] == b"!":
            code = {code.value[0]: code for code in grpc.StatusCode}[request[1]]
            context.abort(code, request[2:].decode())
        return request


@pytest.fixture(scope="module")
def echo():
    # Unlimited message sizes, as TensorFlow Serving has them.
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Echo()], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait(5)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"hello",
        BIG,
        b"!\x05no such model: caf\xc3\xa9, 100%\n",
        b"!\x0e",
        b"!\x03" + b"x" * 5000,
    ],
    ids=["empty", "short", "large", "not found", "unavailable", "long text"],
)
def test_the_light_sender_and_grpcio_get_the_same_answers(echo, message):
    """For every message: what grpcio gets, the light sender gets, on a connection that goes on being used."""
    client, sender = GrpcClient(echo), GrpcSender(echo, 10)

    def outcome(call):
        try:
            return call()
        except Refusal as refusal:
            return refusal.code, refusal.text

    by_grpcio = outcome(lambda: client.exchange(METHOD, message))
    for _ in range(3):
        assert outcome(lambda: sender.send(grpc_sender.prepare(echo, METHOD, message))) == by_grpcio
    client.close()
    sender.close()


def test_an_unknown_method_is_refused(echo):
    sender = GrpcSender(echo, 10)
    with pytest.raises(Refusal) as refusal:
        sender.send(grpc_sender.prepare(echo, "/test.Echo/Nothing", b""))
    assert refusal.value.code is Code.UNIMPLEMENTED
    sender.close()


def test_a_server_that_went_away_is_called_again_on_a_new_connection():
    pool = concurrent.futures.ThreadPoolExecutor(2)
    first = grpc.server(pool, handlers=[Echo()])
    port = first.add_insecure_port("127.0.0.1:0")
    first.start()
    address = f"127.0.0.1:{port}"
    sender = GrpcSender(address, 10)
    prepared = grpc_sender.prepare(address, METHOD, b"a")
    assert sender.send(prepared) == b"a"
    first.stop(None).wait(5)
    second = grpc.server(pool, handlers=[Echo()])
    assert second.add_insecure_port(address) == port
    second.start()
    assert sender.send(prepared) == b"a"
    sender.close()
    second.stop(None).wait(5)
    pool.shutdown()


def test_the_null_server_ends_with_its_owner(null):
    own = NullServer([b"x"])
    host, _, port = own.addresses["rest"].rpartition(":")
    own.close()
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0
