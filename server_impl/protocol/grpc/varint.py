"""Writing protobuf's variable-length integers, one at a time and whole arrays at once."""

from __future__ import annotations

from typing import Any

import numpy as np

_ONE_BYTE = [bytes((value,)) for value in range(0x80)]
#: The smallest numbers that need 2, 3 ... 10 bytes.
_THRESHOLDS = [np.uint64(1 << shift) for shift in range(7, 70, 7)]


def encode(value: int) -> bytes:
    """One number of 0 to 2**64-1."""
    if value < 0x80:
        return _ONE_BYTE[value]
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def size(value: int) -> int:
    """How many bytes ``encode(value)`` has."""
    return 1 if value < 0x80 else (value.bit_length() + 6) // 7


def encode_array(values: np.ndarray[Any, Any]) -> bytes:
    """The elements of an integer array one after the other, negative ones as 64 bits whatever the dtype."""
    if not values.size:
        return b""
    numbers = values.reshape(-1)
    if numbers.dtype != np.uint64:
        numbers = numbers.astype(np.int64, copy=False).view(np.uint64)
    highest = int(numbers.max())
    if highest < 0x80:
        return numbers.astype(np.uint8).tobytes()
    lengths = np.ones(len(numbers), np.int64)
    for threshold in _THRESHOLDS[: size(highest) - 1]:
        lengths += numbers >= threshold
    ends = np.cumsum(lengths)
    starts = ends - lengths
    encoded = np.empty(int(ends[-1]), np.uint8)
    for index in range(size(highest)):
        chosen = lengths > index
        septet = (numbers[chosen] >> np.uint64(7 * index)).astype(np.uint8) & 0x7F
        septet[lengths[chosen] > index + 1] |= 0x80
        encoded[starts[chosen] + index] = septet
    return encoded.tobytes()
