"""Reading TFRecord files, with the checks and texts of TensorFlow's own reader."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, BinaryIO

import numpy as np

from server_impl.errors import Code, ServingError

_POLYNOMIAL = 0x82F63B78  # CRC-32C, reversed
_BLOCK = 1024


@cache
def _contributions() -> np.ndarray[Any, np.dtype[np.uint32]]:
    """``[i, b]``: what byte ``b`` at place ``i`` of a block adds to the CRC after the block."""
    last = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        last = np.where(last & 1, (last >> 1) ^ np.uint32(_POLYNOMIAL), last >> 1)
    table = np.empty((_BLOCK, 256), np.uint32)
    table[-1] = last
    for place in range(_BLOCK - 2, -1, -1):
        after = table[place + 1]
        table[place] = last[after & 0xFF] ^ (after >> 8)
    return table


def crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of ``data``.

    A CRC is linear, so that of a block is the exclusive or of what each byte adds: some hundred
    times faster with numpy than byte by byte.
    """
    table = _contributions()
    crc = 0xFFFFFFFF
    for start in range(0, len(data), _BLOCK):
        block = np.frombuffer(data, np.uint8, min(_BLOCK, len(data) - start), start)
        # What came before meets the first four bytes of the block; a shorter block leaves a rest.
        head = np.frombuffer(crc.to_bytes(4, "little"), np.uint8)[: len(block)]
        mixed = block.copy()
        mixed[: len(head)] ^= head
        added = table[np.arange(_BLOCK - len(block), _BLOCK), mixed]
        crc = crc >> 8 * len(head) ^ int(np.bitwise_xor.reduce(added))
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """The checksum that a TFRecord carries for ``data``."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class DamagedRecordError(ServingError):
    """A record of a TFRecord file that is cut short, or does not match its checksum."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.DATA_LOSS, message)


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Gives each record of ``file``.

    Raises DamagedRecordError, with TensorFlow's text, at the first record that is damaged. A file that ends
    within the twelve bytes before a record simply ends there, as for TensorFlow [9.5].
    """
    offset = 0
    while len(header := file.read(12)) == 12:
        length, checksum = struct.unpack("<QI", header)
        if masked_crc32c(header[:8]) != checksum:
            raise _corrupted(offset)
        if length > 2**64 - 5:
            raise DamagedRecordError("record size too large")
        record, footer = file.read(length), file.read(4)
        if len(footer) < 4:
            raise DamagedRecordError(
                f"truncated record at {offset}' failed with Read less bytes than requested"
            )
        if masked_crc32c(record) != int.from_bytes(footer, "little"):
            raise _corrupted(offset + 12)
        yield record
        offset += 12 + length + 4


def _corrupted(offset: int) -> DamagedRecordError:
    hint = "" if offset else " (Is this even a TFRecord file?)"
    return DamagedRecordError(f"corrupted record at {offset}{hint}")
