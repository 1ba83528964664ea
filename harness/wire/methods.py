"""The unary methods of TensorFlow Serving's API: what goes in, and what comes out."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from harness.wire import messages as wire
from harness.wire.schema import POOL


class Method(NamedTuple):
    """The types of a method's request and reply."""

    request: type[Message]
    reply: type[Message]


METHODS = {
    f"/tensorflow.serving.{name}": Method(request, reply)
    for name, request, reply in (
        ("PredictionService/Predict", wire.PredictRequest, wire.PredictResponse),
        ("PredictionService/Classify", wire.ClassificationRequest, wire.ClassificationResponse),
        ("PredictionService/Regress", wire.RegressionRequest, wire.RegressionResponse),
        ("PredictionService/MultiInference", wire.MultiInferenceRequest, wire.MultiInferenceResponse),
        ("PredictionService/GetModelMetadata", wire.GetModelMetadataRequest, wire.GetModelMetadataResponse),
        ("ModelService/GetModelStatus", wire.GetModelStatusRequest, wire.GetModelStatusResponse),
        ("ModelService/HandleReloadConfigRequest", wire.ReloadConfigRequest, wire.ReloadConfigResponse),
    )
}


def text(kind: type[Message], data: bytes) -> str | None:
    """A message in protobuf's text format; None for bytes that are no such message."""
    try:
        return text_format.MessageToString(kind.FromString(data), descriptor_pool=POOL)
    except DecodeError:
        return None
