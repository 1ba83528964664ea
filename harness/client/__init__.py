"""Clients for both protocols. They import no TensorFlow and share one small interface."""

from __future__ import annotations

from typing import Protocol as Interface

from harness.client.grpc import GrpcClient
from harness.client.outcome import (
    BadReply,
    Exchange,
    Metadata,
    Observer,
    Prediction,
    Refusal,
    Unreachable,
    VersionStatus,
)
from harness.client.rest import RestClient
from harness.client.tls import Tls
from harness.terms import Protocol, Tensors

__all__ = [
    "BadReply",
    "Client",
    "Exchange",
    "GrpcClient",
    "Metadata",
    "Observer",
    "Prediction",
    "Refusal",
    "RestClient",
    "Tls",
    "Unreachable",
    "VersionStatus",
]


class Client(Interface):
    """What both clients offer. Each call raises Refusal, BadReply or Unreachable."""

    protocol: Protocol
    address: str

    def predict(
        self,
        model: str,
        inputs: Tensors,
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
    ) -> Prediction:
        """Run a signature."""
        ...

    def status(self, model: str, *, version: int | None = None) -> tuple[VersionStatus, ...]:
        """States of a model's versions, in the server's order."""
        ...

    def metadata(self, model: str, *, version: int | None = None, label: str | None = None) -> Metadata:
        """Signatures of the version that would answer."""
        ...

    def close(self) -> None:
        """Give back the connection."""
        ...
