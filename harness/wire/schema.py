"""The message classes of TensorFlow Serving's API, in a descriptor pool of their own.

``tensorflow-serving-api`` registers messages of the same names in protobuf's default pool, and
importing it imports TensorFlow. Keeping ours in a private pool lets both live in one process, and
lets clients and server start without TensorFlow.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool


def _load() -> DescriptorPool:
    pool = DescriptorPool()
    schema = (resources.files("harness.wire") / "schema.binpb").read_bytes()
    for file in descriptor_pb2.FileDescriptorSet.FromString(schema).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


POOL = _load()


def exports(*files: str) -> dict[str, Any]:
    """Top-level message classes, enums and enum values of the named proto files, by name."""
    names: dict[str, Any] = {}
    for file in files:
        descriptor = POOL.FindFileByName(file)
        for name, message in descriptor.message_types_by_name.items():
            names[name] = message_factory.GetMessageClass(message)
        for enum in descriptor.enum_types_by_name.values():
            names.update((value.name, value.number) for value in enum.values)
    return names
