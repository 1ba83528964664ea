"""A gRPC client over raw bytes: grpcio carries them, our own messages read them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from harness.client.outcome import (
    BadReply,
    Exchange,
    Metadata,
    Observer,
    Prediction,
    Refusal,
    SignatureInfo,
    VersionStatus,
)
from harness.client.tls import Tls
from harness.terms import Code, Protocol, State, Tensors, TensorSpec
from harness.wire import messages as wire
from harness.wire import tensors

#: Seconds that a reply may take where the caller does not say otherwise.
TIMEOUT = 60.0
_CONNECT_TIMEOUT = 5.0

PREDICT = "/tensorflow.serving.PredictionService/Predict"
CLASSIFY = "/tensorflow.serving.PredictionService/Classify"
REGRESS = "/tensorflow.serving.PredictionService/Regress"
MULTI_INFERENCE = "/tensorflow.serving.PredictionService/MultiInference"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD_CONFIG = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"

M = TypeVar("M", bound=Message)

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A connection per client: a shared one would be the bottleneck of a load test.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]


def model_spec(
    model: str, version: int | None = None, label: str | None = None, signature: str | None = None
) -> wire.ModelSpec:
    """A ModelSpec; only what is given is set."""
    spec = wire.ModelSpec(name=model, signature_name=signature or "")
    if version is not None:
        spec.version.value = version
    elif label is not None:
        spec.version_label = label
    return spec


def predict_request(
    model: str,
    inputs: Tensors,
    *,
    version: int | None = None,
    label: str | None = None,
    signature: str | None = None,
    content: bool = True,
) -> wire.PredictRequest:
    """A PredictRequest; ``content`` chooses between ``tensor_content`` and typed fields."""
    request = wire.PredictRequest(model_spec=model_spec(model, version, label, signature))
    for alias, array in inputs.items():
        request.inputs[alias].CopyFrom(tensors.to_proto(array, content=content))
    return request


def prediction(reply: wire.PredictResponse) -> Prediction:
    """The outputs in a reply. Raises BadReply."""
    try:
        outputs = {alias: tensors.from_proto(proto) for alias, proto in reply.outputs.items()}
    except (ValueError, KeyError) as error:
        raise BadReply(f"an output is not a tensor: {error!r}") from error
    return Prediction(outputs, reply.model_spec.version.value)


class GrpcClient:
    """One channel to ``host:port``, opened by the first call; usable from several threads.

    ``on_exchange`` is told every exchange. ``content`` chooses how inputs travel, see ``predict_request``.
    ``address`` may also be ``unix:PATH``. ``headers`` go with every call and are told nobody.
    """

    protocol = Protocol.GRPC

    def __init__(
        self,
        address: str,
        *,
        content: bool = True,
        timeout: float = TIMEOUT,
        on_exchange: Observer | None = None,
        tls: Tls | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.address = address
        self.on_exchange = on_exchange
        self._content = content
        self._timeout = timeout
        self._metadata = tuple((name.lower(), value) for name, value in headers)
        if tls is None:
            self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        else:
            named = [] if tls.name is None else [("grpc.ssl_target_name_override", tls.name)]
            options = [*_OPTIONS, *named]
            self._channel = grpc.secure_channel(address, tls.credentials(), options=options)

    def predict(
        self,
        model: str,
        inputs: Tensors,
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
        content: bool | None = None,
        output_filter: Sequence[str] = (),
    ) -> Prediction:
        """Run a signature; with ``output_filter`` for these outputs alone. Raises Refusal, BadReply."""
        content = self._content if content is None else content
        request = predict_request(
            model, inputs, version=version, label=label, signature=signature, content=content
        )
        request.output_filter.extend(output_filter)
        return prediction(self._call(PREDICT, request, wire.PredictResponse()))

    def status(self, model: str, *, version: int | None = None) -> tuple[VersionStatus, ...]:
        """States of versions in the server's order. Raises Refusal, BadReply."""
        request = wire.GetModelStatusRequest(model_spec=model_spec(model, version))
        reply = self._call(GET_MODEL_STATUS, request, wire.GetModelStatusResponse())
        try:
            return tuple(
                VersionStatus(
                    entry.version,
                    State(entry.state),
                    Code(entry.status.error_code),
                    entry.status.error_message,
                )
                for entry in reply.model_version_status
            )
        except ValueError as error:
            raise BadReply(f"not a model status: {error}") from error

    def metadata(self, model: str, *, version: int | None = None, label: str | None = None) -> Metadata:
        """Signatures. Raises Refusal, BadReply."""
        request = wire.GetModelMetadataRequest(
            model_spec=model_spec(model, version, label), metadata_field=["signature_def"]
        )
        reply = self._call(GET_MODEL_METADATA, request, wire.GetModelMetadataResponse())
        packed = reply.metadata["signature_def"]
        signatures = wire.SignatureDefMap()
        if not packed.Unpack(signatures):
            raise BadReply(f"metadata hold {packed.type_url!r}, not a SignatureDefMap")
        return Metadata(
            reply.model_spec.version.value,
            {name: _signature(definition) for name, definition in signatures.signature_def.items()},
        )

    def reload(self, config: wire.ModelServerConfig) -> None:
        """Send a configuration and wait until it is in force [6.9]. Raises Refusal."""
        request = wire.ReloadConfigRequest(config=config)
        self._call(RELOAD_CONFIG, request, wire.ReloadConfigResponse())

    def exchange(self, method: str, request: bytes, *, timeout: float | None = None) -> bytes:
        """Send bytes to a method and give the reply's bytes. Raises Refusal."""
        # Without serialisers the bytes travel as they are.
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        started, clock = time.time(), time.perf_counter()
        code, text, reply = Code.OK, "", b""
        try:
            reply = call(request, timeout=timeout or self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            code, text = Code(error.code().value[0]), error.details() or ""
        if self.on_exchange is not None:
            self.on_exchange(
                Exchange(
                    protocol=Protocol.GRPC,
                    method=method,
                    request=request,
                    request_headers=(),
                    status=code.name,
                    text=text,
                    reply=reply,
                    reply_headers=(),
                    started=started,
                    duration_s=time.perf_counter() - clock,
                )
            )
        if code is not Code.OK:
            raise Refusal(text, code=code)
        return reply

    def connect(self) -> None:
        """Connect now, so that the timeout of the first call is for the call alone.

        That nobody can be reached is for that call to report.
        """
        with contextlib.suppress(grpc.FutureTimeoutError):
            grpc.channel_ready_future(self._channel).result(_CONNECT_TIMEOUT)

    def close(self) -> None:
        """Close the channel for good."""
        self._channel.close()

    def _call(self, method: str, request: Message, reply: M) -> M:
        received = self.exchange(method, request.SerializeToString())
        try:
            reply.ParseFromString(received)
        except DecodeError as error:
            raise BadReply(f"not a {reply.DESCRIPTOR.name}: {received[:100]!r}") from error
        return reply


def _signature(definition: wire.SignatureDef) -> SignatureInfo:
    return SignatureInfo(
        definition.method_name,
        {alias: _tensor_spec(info) for alias, info in definition.inputs.items()},
        {alias: _tensor_spec(info) for alias, info in definition.outputs.items()},
    )


def _tensor_spec(info: wire.TensorInfo) -> TensorSpec:
    shape = tuple(dim.size for dim in info.tensor_shape.dim)
    return TensorSpec(tensors.dtype_name(info.dtype), None if info.tensor_shape.unknown_rank else shape)
