from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_impl.errors import Code
from server_impl.servable.tfrecord import DamagedRecordError, crc32c, masked_crc32c, read_records


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def bitwise_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [(b"", 0), (b"123456789", 0xE3069283), (b"\0" * 32, 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)],
)
def test_published_checksums(data, crc):
    assert crc32c(data) == crc


@given(st.binary(max_size=64), st.sampled_from([0, 960, 1024, 2048]))
def test_checksum_does_not_depend_on_how_it_is_computed(data, before):
    data = b"7" * before + data
    assert crc32c(data) == bitwise_crc32c(data)


def test_files_that_tensorflow_wrote(models):
    with (models / "three.tfrecord").open("rb") as file:
        assert list(read_records(file)) == [b"", b"one", b"two" * 1000]


@given(st.lists(st.binary(max_size=50)))
def test_records_come_back(records):
    assert list(read_records(io.BytesIO(b"".join(map(record, records))))) == records


FIRST, SECOND = record(b"one"), record(b"two" * 100)
BOTH = FIRST + SECOND


def flipped(offset: int) -> bytes:
    return BOTH[:offset] + bytes([BOTH[offset] ^ 1]) + BOTH[offset + 1 :]


@pytest.mark.parametrize(
    ("contents", "read", "text"),
    [
        (b"these are not records at all", 0, "corrupted record at 0 (Is this even a TFRecord file?)"),
        (flipped(0), 0, "corrupted record at 0 (Is this even a TFRecord file?)"),
        (flipped(13), 0, "corrupted record at 12"),
        (flipped(19), 1, "corrupted record at 19"),
        (flipped(40), 1, "corrupted record at 31"),
        (BOTH[:-1], 1, "truncated record at 19' failed with Read less bytes than requested"),
        (BOTH[:-5], 1, "truncated record at 19' failed with Read less bytes than requested"),
        (BOTH[:31], 1, "truncated record at 19' failed with Read less bytes than requested"),
        (FIRST[:14], 0, "truncated record at 0' failed with Read less bytes than requested"),
    ],
)
def test_damage(contents, read, text):
    records = read_records(io.BytesIO(contents))
    for _ in range(read):
        next(records)
    with pytest.raises(DamagedRecordError) as caught:
        next(records)
    assert (caught.value.code, caught.value.message) == (Code.DATA_LOSS, text)


@pytest.mark.parametrize(("contents", "read"), [(b"", 0), (b"short", 0), (BOTH[:24], 1), (BOTH[:30], 1)])
def test_a_file_that_ends_between_records_has_ended(contents, read):
    assert len(list(read_records(io.BytesIO(contents)))) == read
