"""Checks of TLS, of the Unix socket and of the health service."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest

from harness import starting
from harness.certificates import SERVER_NAME, pem
from harness.client import GrpcClient, Refusal, Tls
from harness.startup import ONE_MODEL, M, Serves, StartUp
from harness.targets import Launched
from harness.terms import Code, Protocol, State
from harness.verdict import Mismatch

Launch = Callable[[StartUp], Launched]

HEALTH_CHECK = "/grpc.health.v1.Health/Check"
#: What the health service answers: status SERVING.
SERVING = b"\x08\x01"


#: What a plaintext client sees of a server with TLS.
REST_ALONE = StartUp("rest", "REST is served.", (), Serves(over=(Protocol.REST,), alone=False), facts=())


def tls_server(name: str, **fields: str | bool) -> StartUp:
    """A server with a certificate. The configuration holds the texts of keys and certificates, not paths."""
    config = {"server_key": pem("server-key"), "server_cert": pem("server"), **fields}
    return StartUp(
        name,
        "The gRPC port speaks TLS, the REST port does not.",
        (*ONE_MODEL, "--ssl_config_file=$FILES/ssl.config"),
        Serves(),
        files={"ssl.config": "".join(f"{field}: {json.dumps(value)}\n" for field, value in config.items())},
        facts=(),
    )


PLAIN_TLS = tls_server("tls")
MUTUAL_TLS = tls_server("mutual-tls", custom_ca=pem("authority"), client_verify=True)
OPTIONAL_TLS = tls_server("optional-tls", custom_ca=pem("authority"), client_verify=False)

NOBODY = Tls(pem("authority"), SERVER_NAME)
CLIENT = Tls(pem("authority"), SERVER_NAME, pem("client-key"), pem("client"))
STRANGER = Tls(pem("authority"), SERVER_NAME, pem("stranger-key"), pem("stranger"))


def start(launch: Launch, start_up: StartUp) -> Launched:
    """A server whose REST port, which opens last, is open."""
    launched = launch(start_up)
    starting.play(REST_ALONE, launched)
    return launched


def expect_status(address: str | None, tls: Tls | None = None) -> None:
    """Check that the server tells the status of its model at ``address``."""
    assert address is not None
    with contextlib.closing(GrpcClient(address, tls=tls, timeout=10)) as client:
        try:
            states = [entry.state for entry in client.status("m")]
        except Refusal as refusal:
            raise Mismatch("the status of model m", str(refusal)) from refusal
    if states != [State.AVAILABLE]:
        raise Mismatch("an available version of model m", str(states))


def expect_unavailable(address: str | None, tls: Tls | None = None) -> None:
    """Check that a client gets no connection at ``address``. The text is gRPC's own affair."""
    assert address is not None
    with contextlib.closing(GrpcClient(address, tls=tls, timeout=10)) as client:
        try:
            came = str(client.status("m"))
        except Refusal as refusal:
            if refusal.code is Code.UNAVAILABLE:
                return
            came = str(refusal)
    raise Mismatch("UNAVAILABLE", came)


@pytest.mark.fact("10.2", "SEC-01", protocol=Protocol.GRPC)
def test_tls_client_is_served(launch: Launch) -> None:
    """A client that trusts the server's authority is served over TLS; it needs no certificate."""
    expect_status(start(launch, PLAIN_TLS).addresses.grpc, NOBODY)


@pytest.mark.fact("10.2", "SEC-01", protocol=Protocol.GRPC)
def test_plaintext_client_is_not_served(launch: Launch) -> None:
    """A client without TLS gets no connection to a port that speaks TLS."""
    expect_unavailable(start(launch, PLAIN_TLS).addresses.grpc)


@pytest.mark.fact("10.2", "SEC-03", protocol=Protocol.REST)
def test_rest_stays_plaintext(launch: Launch) -> None:
    """TLS is for gRPC alone: REST goes on without."""
    start(launch, PLAIN_TLS)


@pytest.mark.fact("10.2", "SEC-02", protocol=Protocol.GRPC)
def test_client_with_a_certificate_is_served(launch: Launch) -> None:
    """Where client certificates are demanded, a client with one of the right authority is served."""
    expect_status(start(launch, MUTUAL_TLS).addresses.grpc, CLIENT)


@pytest.mark.parametrize("tls", [NOBODY, STRANGER, None], ids=["none", "foreign", "plaintext"])
@pytest.mark.fact("10.2", "SEC-02", protocol=Protocol.GRPC)
def test_client_without_a_good_certificate_is_not_served(launch: Launch, tls: Tls | None) -> None:
    """Where client certificates are demanded, others get no connection: none, one of a foreign authority."""
    expect_unavailable(start(launch, MUTUAL_TLS).addresses.grpc, tls)


@pytest.mark.fact("10.2", level="UNVERIFIED", protocol=Protocol.GRPC)
def test_client_certificates_are_not_demanded_by_an_authority_alone(launch: Launch) -> None:
    """An authority for clients without client_verify demands nothing."""
    expect_status(start(launch, OPTIONAL_TLS).addresses.grpc, NOBODY)


SOCKET = "$FILES/s"
SOCKET_ALONE = StartUp(
    "socket-alone",
    "gRPC over a Unix socket, and no port for it.",
    (*ONE_MODEL, "--port=0", f"--grpc_socket_path={SOCKET}"),
    Serves(over=(Protocol.REST,), log=f"Running gRPC ModelServer at UNIX socket {SOCKET} ..."),
    facts=(),
)
SOCKET_AND_PORT = StartUp(
    "socket-and-port",
    "gRPC over a Unix socket and a port.",
    (*ONE_MODEL, f"--grpc_socket_path={SOCKET}"),
    Serves(log=f"Running gRPC ModelServer at UNIX socket {SOCKET} ..."),
    facts=(),
)


@pytest.mark.parametrize("server", [SOCKET_ALONE, SOCKET_AND_PORT], ids=lambda server: server.id)
@pytest.mark.fact("10.3", "6.10.3", "CLI-21", protocol=Protocol.GRPC)
def test_unix_socket(launch: Launch, server: StartUp) -> None:
    """A Unix socket serves gRPC, beside the port or, with port 0, instead of it."""
    launched = launch(server)
    starting.play(server, launched)
    expect_status(launched.here(f"unix:{SOCKET}"))


HEALTHY = StartUp(
    "health",
    "A server with the health service.",
    (*ONE_MODEL, "--enable_grpc_healthcheck_service"),
    Serves(),
    facts=(),
)
WITHOUT_HEALTH = StartUp(
    "no-health", "A server as it is by default.", ONE_MODEL, Serves(), models=(M,), facts=()
)


def ask_for_health(launch: Launch, start_up: StartUp, service: str) -> bytes:
    """The reply to a health check of ``service``. Raises Refusal."""
    launched = launch(start_up)
    starting.play(start_up, launched)
    assert launched.addresses.grpc is not None
    name = service.encode()
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    with contextlib.closing(GrpcClient(launched.addresses.grpc)) as client:
        return client.exchange(HEALTH_CHECK, request)


@pytest.mark.parametrize(
    "service", ["", "ModelService", "PredictionService"], ids=lambda name: name or "server"
)
@pytest.mark.fact("6.10.5", protocol=Protocol.GRPC)
def test_health(launch: Launch, service: str) -> None:
    """The health service says SERVING for the server and for both of its services."""
    try:
        reply = ask_for_health(launch, HEALTHY, service)
    except Refusal as refusal:
        raise Mismatch("SERVING", str(refusal)) from refusal
    if reply != SERVING:
        raise Mismatch(f"SERVING, the bytes {SERVING!r}", repr(reply))


@pytest.mark.parametrize(
    ("server", "service", "code"),
    [
        pytest.param(HEALTHY, "tensorflow.serving.PredictionService", Code.NOT_FOUND, id="full-name"),
        pytest.param(HEALTHY, "nobody", Code.NOT_FOUND, id="unknown"),
        pytest.param(WITHOUT_HEALTH, "", Code.UNIMPLEMENTED, id="off-by-default"),
    ],
)
@pytest.mark.fact("6.10.5", level="QUIRK", protocol=Protocol.GRPC)
def test_no_health(launch: Launch, server: StartUp, service: str, code: Code) -> None:
    """The names of services are not the full ones; without the flag there is no health service."""
    try:
        came = repr(ask_for_health(launch, server, service))
    except Refusal as refusal:
        if refusal.code is code:
            return
        came = str(refusal)
    raise Mismatch(code.name, came)
