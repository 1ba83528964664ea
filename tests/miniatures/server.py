"""Both fronts of a miniature: ``python -m tests.miniatures.server FAULT --port=P --rest_api_port=R ...``."""

from __future__ import annotations

import argparse
import base64
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import numpy as np
from google.protobuf import text_format

from harness.client.outcome import HTTP_STATUS
from harness.terms import Array, Code, Tensors, TensorSpec
from harness.wire import messages as wire
from harness.wire import tensors
from tests.miniatures.core import Miniature, Refused, Servable
from tests.miniatures.faults import FAULTS

NUMPY = {"DT_FLOAT": np.float32, "DT_INT64": np.int64, "DT_INT32": np.int32, "DT_STRING": object}
PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?(:predict|/metadata)?")


# ---------------------------------------------------------------------- REST


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written one after the other
    server: RestFront

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply()

    def log_message(self, *_: Any) -> None:
        pass

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, text = 200, self._answer(body)
        except Refused as error:
            status = self.server.core.http_status(HTTP_STATUS[error.code])
            text = json.dumps({"error": error.text}, indent=4)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def _answer(self, body: bytes) -> str:
        found = PATH.fullmatch(self.path)
        if found is None:
            raise Refused(Code.INVALID_ARGUMENT, f"Malformed request: {self.command} {self.path}")
        name = unquote(found[1])
        version = None if found[2] is None else int(found[2])
        label = None if found[3] is None else unquote(found[3])
        core = self.server.core
        if found[4] is None:
            listed = [
                {
                    "version": str(number),
                    "state": state.name,
                    "status": {"error_code": "OK", "error_message": ""},
                }
                for number, state in core.status(name, version)
            ]
            return json.dumps({"model_version_status": listed})
        with core.lease(name, version, label) as servable:
            if found[4] == "/metadata":
                return json.dumps(metadata_document(core, servable))
            request = json.loads(body)
            signature = request.get("signature_name", "")
            inputs = rows(request["instances"], servable.builder.signature(signature).inputs)
            outputs = core.run(servable, inputs, signature)
        return predictions(outputs)


class RestFront(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, core: Miniature) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.core = core


def rows(instances: list[Any], specs: dict[str, TensorSpec]) -> Tensors:
    """The inputs in row format."""
    if len(specs) == 1:
        instances = [{next(iter(specs)): row} for row in instances]
    return {alias: tensor([row[alias] for row in instances], spec) for alias, spec in specs.items()}


def tensor(values: list[Any], spec: TensorSpec) -> Array:
    if spec.dtype == "DT_STRING":
        return np.array([value.encode() for value in values], object)
    return np.array(values, NUMPY[spec.dtype])


def predictions(outputs: Tensors) -> str:
    """The outputs in row format; a single one without its alias."""
    columns = {alias: [plain(alias, value) for value in array] for alias, array in outputs.items()}
    if len(columns) == 1:
        return '{\n    "predictions": [' + ", ".join(map(json.dumps, *columns.values())) + "\n    ]\n}"
    instances = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return json.dumps({"predictions": instances})


def plain(alias: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()} if alias.endswith("_bytes") else value.decode()
    return value.tolist()


def metadata_document(core: Miniature, servable: Servable) -> dict[str, Any]:
    signatures = {
        name: {
            "method_name": "tensorflow/serving/predict",
            "inputs": {alias: tensor_info(spec) for alias, spec in signature.inputs.items()},
            "outputs": {alias: tensor_info(spec) for alias, spec in signature.outputs.items()},
        }
        for name, signature in servable.builder.signatures.items()
    }
    spec = {"name": servable.model, "version": str(core.told_version(servable)), "signature_name": ""}
    return {"model_spec": spec, "metadata": {"signature_def": {"signature_def": signatures}}}


def tensor_info(spec: TensorSpec) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in spec.shape or ()]
    return {"dtype": spec.dtype, "tensor_shape": {"dim": dims, "unknown_rank": False}}


# ---------------------------------------------------------------------- gRPC


class GrpcFront(grpc.GenericRpcHandler):
    def __init__(self, core: Miniature) -> None:
        self.core = core
        self.methods = {
            "Predict": self.predict,
            "GetModelMetadata": self.metadata,
            "GetModelStatus": self.status,
            "HandleReloadConfigRequest": self.reload,
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        method = self.methods.get(details.method.rpartition("/")[2])
        return method and grpc.unary_unary_rpc_method_handler(
            lambda data, context: self._call(method, data, context)
        )

    def _call(self, method: Any, data: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return method(data).SerializeToString()
        except Refused as error:
            if not self.core.grpc_errors:
                return b""
            context.abort(next(c for c in grpc.StatusCode if c.value[0] == error.code), error.text)
            raise AssertionError("abort raises") from None

    def predict(self, data: bytes) -> wire.PredictResponse:
        request = wire.PredictRequest.FromString(data)
        with self.core.lease(*spec_of(request)) as servable:
            inputs = {alias: tensors.from_proto(proto) for alias, proto in request.inputs.items()}
            outputs = self.core.run(servable, inputs, request.model_spec.signature_name)
        reply = wire.PredictResponse()
        reply.model_spec.name = servable.model
        reply.model_spec.version.value = self.core.told_version(servable)
        for alias, array in outputs.items():
            reply.outputs[alias].CopyFrom(tensors.to_proto(array, content=False))
        return reply

    def metadata(self, data: bytes) -> wire.GetModelMetadataResponse:
        request = wire.GetModelMetadataRequest.FromString(data)
        with self.core.lease(*spec_of(request)) as servable:
            document = metadata_document(self.core, servable)
        reply = wire.GetModelMetadataResponse()
        reply.model_spec.name = servable.model
        reply.model_spec.version.value = int(document["model_spec"]["version"])
        signatures = wire.SignatureDefMap()
        for name, signature in servable.builder.signatures.items():
            definition = signatures.signature_def[name]
            for side, specs in (
                (definition.inputs, signature.inputs),
                (definition.outputs, signature.outputs),
            ):
                for alias, spec in specs.items():
                    side[alias].dtype = getattr(wire, spec.dtype)
                    for size in spec.shape or ():
                        side[alias].tensor_shape.dim.add(size=size)
        reply.metadata["signature_def"].Pack(signatures)
        return reply

    def status(self, data: bytes) -> wire.GetModelStatusResponse:
        name, version, _ = spec_of(wire.GetModelStatusRequest.FromString(data))
        reply = wire.GetModelStatusResponse()
        for number, state in self.core.status(name, version):
            reply.model_version_status.add(version=number, state=int(state)).status.SetInParent()
        return reply

    def reload(self, data: bytes) -> wire.ReloadConfigResponse:
        self.core.reload(wire.ReloadConfigRequest.FromString(data).config)
        return wire.ReloadConfigResponse()


def spec_of(request: Any) -> tuple[str, int | None, str | None]:
    spec = request.model_spec
    choice = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


# ---------------------------------------------------------------------- process


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("fault", choices=FAULTS)
    parser.add_argument("--version", action="version", version="Miniature: 1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--rest_api_port", type=int)
    parser.add_argument("--model_config_file", type=Path)
    options, _ = parser.parse_known_args()
    config = text_format.Parse(options.model_config_file.read_text(), wire.ModelServerConfig())
    core = FAULTS[options.fault](config)
    server = grpc.server(
        ThreadPoolExecutor(32), handlers=[GrpcFront(core)], options=[("grpc.max_receive_message_length", -1)]
    )
    server.add_insecure_port(f"127.0.0.1:{options.port}")
    server.start()
    rest = RestFront(options.rest_api_port, core)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
