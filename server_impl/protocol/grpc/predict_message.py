"""PredictRequest and PredictResponse as bytes: the messages on which most time is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from harness.wire import messages as wire
from harness.wire import packed
from server_impl.inference import predict
from server_impl.inference.model_spec import ModelSpec
from server_impl.inference.run import Settings
from server_impl.protocol.grpc import tensor_proto, varint
from server_impl.tensor import Tensor

if TYPE_CHECKING:
    from server_impl.servable.servable import Servable


class PredictRequest(Struct, frozen=True):
    """A request as the inference core wants it; an input that is no valid tensor is None [6.4.7]."""

    spec: ModelSpec | None
    inputs: dict[str, Tensor | None]
    output_filter: Sequence[str]

    def prepare(self, settings: Settings, servable: Servable) -> predict.PredictCall:
        """Bind the request to a signature; see :func:`server_impl.inference.predict.prepare`."""
        spec = self.spec or ModelSpec("")
        return predict.prepare(
            settings, servable, spec.signature_name, self.inputs, self.output_filter, model_name=spec.name
        )


def parse(payload: bytes) -> PredictRequest:
    """Take a serialised PredictRequest apart. Raises protobuf's ``DecodeError`` if it is none."""
    return from_message(wire.PredictRequest.FromString(payload))


def from_message(message: wire.PredictRequest) -> PredictRequest:
    """Take a message apart."""
    spec = read_spec(message.model_spec) if message.HasField("model_spec") else None
    # Protobuf's items() is a generator in Python.
    sent = message.inputs
    inputs = {alias: tensor_proto.read(sent[alias]) for alias in sent}
    return PredictRequest(spec, inputs, message.output_filter)


def read_spec(message: wire.ModelSpec) -> ModelSpec:
    """The spec as a value; an empty ``version`` message means version 0 [6.3.1]."""
    match message.WhichOneof("version_choice"):
        case "version":
            return ModelSpec(message.name, message.version.value, None, message.signature_name)
        case "version_label":
            return ModelSpec(message.name, None, message.version_label, message.signature_name)
        case _:
            return ModelSpec(message.name, None, None, message.signature_name)


def serialize(
    servable: Servable, call: predict.PredictCall, outputs: Mapping[str, Tensor], *, as_content: bool = False
) -> bytes:
    """A serialised PredictResponse with the spec that was resolved [6.4.9, 6.4.12]."""
    parts: list[bytes | memoryview] = []
    for alias, tensor in outputs.items():
        head, body = tensor_proto.write(tensor, as_content=as_content)
        parts += (_entry(alias, head, len(body)), body)
    parts.append(_encoded_spec(servable.name, servable.version, call.signature_name))
    # One pass over the memory of the tensors, which may be long.
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _entry(alias: str, head: bytes, size: int) -> bytes:
    """An entry of ``outputs`` without the last ``size`` bytes of its tensor."""
    name = alias.encode()
    tensor = b"\x12" + varint.encode(len(head) + size) + head
    length = 1 + len(varint.encode(len(name))) + len(name) + len(tensor) + size
    return b"\n" + varint.encode(length) + b"\n" + varint.encode(len(name)) + name + tensor


@lru_cache(maxsize=1024)
def _encoded_spec(name: str, version: int, signature_name: str) -> bytes:
    response = wire.PredictResponse()
    write_spec(response.model_spec, name, version, signature_name)
    return response.SerializeToString()


def write_spec(
    message: wire.ModelSpec | packed.ModelSpec, name: str, version: int, signature_name: str
) -> None:
    """Fill the ``model_spec`` of a response: the resolved version and signature, never a label [6.4.12]."""
    message.name = name
    message.version.value = version
    message.signature_name = signature_name
