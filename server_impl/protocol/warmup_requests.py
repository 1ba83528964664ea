"""Requests from a warm-up file, executed as those that come over gRPC are [9.2-9.4]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from server_impl.inference.run import Settings
from server_impl.protocol import predict_message
from server_impl.protocol.example_messages import ClassifyRequest, MultiInferenceRequest, RegressRequest

if TYPE_CHECKING:
    from server_impl.servable.servable import Servable
    from server_impl.servable.warmup import Kind, WarmupRequest

_FROM_MESSAGE: Mapping[Kind, Callable[[Any], Any]] = {
    "predict": predict_message.from_message,
    "classify": ClassifyRequest.from_message,
    "regress": RegressRequest.from_message,
    "multi_inference": MultiInferenceRequest.from_message,
}


def execute(settings: Settings, servable: Servable, kind: Kind, request: WarmupRequest) -> None:
    """Run ``request`` on ``servable``, whatever model and version it names [9.4]; its answer is dropped."""
    _FROM_MESSAGE[kind](request).prepare(settings, servable).run(None)
