"""Warm-up files, as a version brings them along: TFRecords of ``PredictionLog`` [9.1]."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from harness.client.grpc import predict_request
from harness.terms import Tensors
from harness.wire import messages as wire

#: Where a version folder keeps its warm-up requests.
PATH = "assets.extra/tf_serving_warmup_requests"

_POLYNOMIAL = 0x82F63B78  # CRC-32C, reversed


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_crc_of_byte(byte) for byte in range(256)]


def predict_log(model: str, inputs: Tensors, signature: str | None = None) -> bytes:
    """A record that asks for a prediction."""
    request = predict_request(model, inputs, signature=signature)
    return wire.PredictionLog(predict_log=wire.PredictLog(request=request)).SerializeToString()


def records(payloads: Iterable[bytes]) -> bytes:
    """A TFRecord file of these records."""
    return b"".join(map(_record, payloads))


def _record(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + _checksum(length) + payload + _checksum(payload)


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C of ``data``."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
