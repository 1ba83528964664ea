"""Compiles ``protos/*.proto`` into ``schema.binpb`` and the type stubs in ``stubs/``.

Run after editing a ``.proto`` file: ``python -m harness.wire.compile``. Needs ``grpcio-tools`` and
``mypy-protobuf`` (both in the ``dev`` extra); what it writes is committed, so that installing the
project needs neither.
"""

from __future__ import annotations

from pathlib import Path

import grpc_tools
from grpc_tools import protoc

HERE = Path(__file__).parent
PROTOS = HERE / "protos"
STUBS = HERE / "stubs"
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"


def compile_schema() -> None:
    """Writes one FileDescriptorSet (imports included) and one ``_pb2.pyi`` for each proto file."""
    STUBS.mkdir(exist_ok=True)
    files = sorted(path.name for path in PROTOS.glob("*.proto"))
    arguments = [
        "protoc",
        f"--proto_path={PROTOS}",
        f"--proto_path={WELL_KNOWN}",
        "--include_imports",
        f"--descriptor_set_out={HERE / 'schema.binpb'}",
        f"--mypy_out=quiet:{STUBS}",
        *files,
    ]
    if protoc.main(arguments):
        raise SystemExit("protoc failed: see its message above")
    for stub in STUBS.glob("*_pb2.pyi"):
        text = stub.read_text(encoding="utf-8")
        for name in files:
            module = name.replace(".proto", "_pb2")
            text = text.replace(f"import {module} as", f"from harness.wire.stubs import {module} as")
        stub.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    compile_schema()
