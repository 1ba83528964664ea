"""The yardstick: a bare ``grpc.aio`` server that sends every message back.

Run as ``python -m tests.bench.echo --port=P``; other arguments are ignored.
"""

from __future__ import annotations

import sys

import grpc

from harness.client.grpc import PREDICT


async def _echo(request: bytes, _context: object) -> bytes:
    return request


class _Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return grpc.unary_unary_rpc_method_handler(_echo) if details.method == PREDICT else None


async def _serve(port: str) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Echo(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    import uvloop

    (port,) = (argument.partition("=")[2] for argument in sys.argv if argument.startswith("--port="))
    uvloop.run(_serve(port))
