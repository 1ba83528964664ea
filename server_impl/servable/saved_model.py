"""Loading a SavedModel from a version directory, with the checks and texts of TensorFlow Serving."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from harness.wire import messages as wire
from server_impl.errors import not_found, unimplemented
from server_impl.filesystem import io_errors, join, local_path
from server_impl.servable.capi import load_session, tensor_from_proto
from server_impl.servable.graph import waiting_nodes
from server_impl.servable.model_options import with_overrides
from server_impl.servable.servable import Signature, TensorSpec
from server_impl.servable.session import Session

if TYPE_CHECKING:
    from server_impl.metrics import ServingMetrics

#: The tag set that is loaded unless the server was started with others.
SERVING_TAGS = ("serve",)

_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")


class SavedModel(NamedTuple):
    """What a SavedModel consists of once it is loaded."""

    session: Session
    signatures: Mapping[str, Signature]
    signature_def_map: wire.SignatureDefMap


def estimate(path: str) -> int:
    """Bytes of all files under the version directory ``path``, for which memory is set aside before a load.

    Raises ServingError if the directory cannot be read, such as FAILED_PRECONDITION
    ``P/5; Not a directory`` for a plain file [3.7.6].
    """
    if not local_path(path).exists():
        raise not_found(f"{path} not found")
    total = 0
    folders = deque([path])
    while folders:
        folder = folders.popleft()
        with io_errors(folder):
            children = list(local_path(folder).iterdir())
        for child in children:
            name = join(folder, child.name)
            if child.is_dir():
                folders.append(name)
                continue
            with io_errors(name):
                total += child.stat().st_size
    return total


def load(
    path: str,
    *,
    tags: Sequence[str] = SERVING_TAGS,
    config: wire.ConfigProto | None = None,
    metrics: ServingMetrics | None = None,
) -> SavedModel:
    """Loads the meta graph with exactly the tag set ``tags`` from the version directory ``path``.

    No tags means ``serve``. ``config`` are TensorFlow's session options, some of which the version may
    override [11.7]; ``metrics`` count the load and the runs. Raises ServingError with the code and text
    that TensorFlow Serving reports for the version [11.1-11.4].
    """
    folder = local_path(path)
    if (folder / "export.meta").exists():
        raise unimplemented("Session Bundle is deprecated and removed.")
    if not any((folder / name).exists() for name in _MODEL_FILES):
        raise not_found(
            "Specified file path does not appear to contain a SavedModel bundle "
            f"(should have a file called `saved_model.pb`)\nSpecified file path: {path}"
        )
    with _timed(path, metrics):
        loaded, serialized = load_session(
            path, tags or SERVING_TAGS, with_overrides(config or wire.ConfigProto(), path)
        )
    meta_graph = wire.MetaGraphDef.FromString(serialized)
    signatures = {
        name: _signature(name, meta_graph.signature_def[name]) for name in sorted(meta_graph.signature_def)
    }
    results = {
        spec.name.partition(":")[0]
        for signature in signatures.values()
        for spec in signature.outputs.values()
    }
    waiting = waiting_nodes(meta_graph.graph_def, results)
    session = (
        Session(loaded, waiting)
        if metrics is None
        else Session(loaded, waiting, metrics.graph_runs.increment)
    )
    definitions = wire.SignatureDefMap(signature_def=meta_graph.signature_def)
    return SavedModel(session, signatures, definitions)


@contextmanager
def _timed(path: str, metrics: ServingMetrics | None) -> Iterator[None]:
    """Count an attempt to load the SavedModel in ``path``, and the time that it takes [7.2.3]."""
    start, status = perf_counter(), "fail"
    try:
        yield
        status = "success"
    finally:
        if metrics is not None:
            metrics.load_attempt_count.increment(path, status)
            metrics.load_latency.increment(path, by=round((perf_counter() - start) * 1e6))


def _signature(name: str, message: wire.SignatureDef) -> Signature:
    definition = wire.SignatureDef()
    definition.CopyFrom(message)  # a message of its own does not keep the whole graph alive
    return Signature(
        name=name,
        method_name=definition.method_name,
        inputs=_specs(definition.inputs),
        outputs=_specs(definition.outputs),
        defaults={
            alias: tensor_from_proto(definition.defaults[alias]) for alias in sorted(definition.defaults)
        },
        definition=definition,
    )


def _specs(tensors: Mapping[str, wire.TensorInfo]) -> dict[str, TensorSpec]:
    return {alias: _spec(tensors[alias]) for alias in sorted(tensors)}


def _spec(info: wire.TensorInfo) -> TensorSpec:
    shape = None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim)
    return TensorSpec(info.name, info.dtype, shape)
