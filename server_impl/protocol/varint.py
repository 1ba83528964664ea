"""Protobuf's variable-length integers, one at a time and whole arrays at once."""

from __future__ import annotations

from typing import Any

import numpy as np

#: A varint of more bytes is malformed.
_LONGEST = 10
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
    numbers = values.reshape(-1)
    if numbers.dtype != np.uint64:
        numbers = numbers.astype(np.int64, copy=False).view(np.uint64)
    if not len(numbers):
        return b""
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


def decode_array(encoded: bytes) -> np.ndarray[Any, Any] | None:
    """All numbers in ``encoded`` as uint64; None if it is not a sequence of well-formed varints."""
    octets = np.frombuffer(encoded, np.uint8)
    last = octets < 0x80
    if last.all():
        return octets.astype(np.uint64)
    if not last[-1]:
        return None
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    longest = int(lengths.max())
    # The tenth byte holds the 64th bit alone.
    if longest > _LONGEST or (longest == _LONGEST and (octets[ends[lengths == _LONGEST]] > 1).any()):
        return None
    numbers = (octets[starts] & 0x7F).astype(np.uint64)
    for index in range(1, longest):
        chosen = lengths > index
        septet = (octets[starts[chosen] + index] & 0x7F).astype(np.uint64)
        numbers[chosen] |= septet << np.uint64(7 * index)
    return numbers
