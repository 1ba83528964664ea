"""Sessions loaded from SavedModels, and prepared runs of them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from ctypes import c_char_p, c_int, c_void_p
from functools import partial
from typing import Any

import numpy as np

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, unimplemented
from server_impl.servable.capi.library import (
    Output,
    buffer_of,
    check,
    tf_close_session,
    tf_delete_buffer,
    tf_delete_graph,
    tf_delete_session,
    tf_delete_session_options,
    tf_delete_status,
    tf_delete_tensor,
    tf_get_code,
    tf_load_session,
    tf_maybe_move,
    tf_new_buffer,
    tf_new_graph,
    tf_new_session_options,
    tf_new_status,
    tf_operation_by_name,
    tf_operation_num_outputs,
    tf_operation_output_type,
    tf_session_run,
    tf_set_config,
)
from server_impl.servable.capi.tensors import (
    COPY_LIMIT,
    SENT_AS_MESSAGE,
    elements_of,
    from_native,
    to_native,
)
from server_impl.tensor import DTYPE_NAME, NUMPY_DTYPE, Tensor

#: Reference dtypes are numbered this far above the dtype that they refer to.
_REFERENCE = 100


class RunOptions:
    """A serialised ``RunOptions`` message that runs can be given again and again."""

    __slots__ = ("_buffer", "_message", "pointer")

    def __init__(self, message: wire.RunOptions) -> None:
        self._message = message.SerializeToString()
        self._buffer = buffer_of(self._message)
        self.pointer = ctypes.addressof(self._buffer)


#: Dtype and shape.
_Kind = tuple[int, tuple[int, ...]]


class Frame:
    """The arrays and the status that one run needs at a time, and what it owns of TensorFlow's memory.

    ``kept`` has for each feed the kind and the elements of a small tensor that the next run may fill anew:
    aligned memory is slow to get. ``run`` runs the session with ``options``, and never raises.
    """

    __slots__ = ("fed", "fetched", "kept", "options", "run", "status")

    def __init__(self, feeds: int, fetches: int) -> None:
        self.run: Callable[[], None]
        self.options: object = ()  # none yet, for which there is no ``run``
        self.fed = (c_void_p * feeds)()
        self.kept: list[tuple[_Kind, np.ndarray[Any, Any]] | None] = [None] * feeds
        self.fetched = (c_void_p * fetches)()
        self.status = tf_new_status()

    def __del__(self) -> None:
        for native in (*self.fed, *self.fetched):
            if native is not None:
                tf_delete_tensor(native)
        tf_delete_status(self.status)


class PreparedRun:
    """One combination of feeds and fetches of a session, resolved to operations of its graph.

    A run has three steps: ``begin``, ``run`` of the frame that it gives, which is TensorFlow's alone, and
    ``results``, which tells what went wrong.
    """

    __slots__ = ("_dtypes", "_feeds", "_fetches", "_frames", "_native")

    def __init__(
        self, native: int, feeds: Sequence[Output], fetches: Sequence[Output], dtypes: Sequence[int]
    ) -> None:
        self._native = native
        self._feeds = (Output * len(feeds))(*feeds)
        self._fetches = (Output * len(fetches))(*fetches)
        self._dtypes = tuple(dtypes)
        self._frames: list[Frame] = []

    def begin(self, tensors: Iterable[Tensor], options: RunOptions | None) -> Frame:
        """Hands ``tensors``, in the order of the feeds, to TensorFlow."""
        try:
            # Frames are used again, as making one costs as much as a small run. Lists pop atomically.
            frame = self._frames.pop()
        except IndexError:
            frame = Frame(len(self._feeds), len(self._fetches))
        if frame.options is not options:
            frame.run, frame.options = self._runner(frame, options), options
        fed, kept = frame.fed, frame.kept
        for index, tensor in enumerate(tensors):
            dtype, array = tensor.dtype, tensor.array
            known = kept[index]
            if known is not None:
                kind, elements = known
                if kind == (dtype, array.shape):
                    elements[...] = array
                    continue
                tf_delete_tensor(fed[index])
                fed[index] = kept[index] = None
            native = fed[index] = to_native(tensor)
            if array.nbytes <= COPY_LIMIT and dtype not in SENT_AS_MESSAGE and type(array) is np.ndarray:
                kept[index] = (dtype, array.shape), elements_of(native, array)
        return frame

    def _runner(self, frame: Frame, options: RunOptions | None) -> Callable[[], None]:
        """The call that runs the session in ``frame``, its arguments as ctypes would make them each time."""
        arrays = (self._feeds, frame.fed, self._fetches, frame.fetched)
        feeds, fed, fetches, fetched = [c_void_p(ctypes.addressof(array)) for array in arrays]
        return partial(
            tf_session_run,
            c_void_p(self._native), c_void_p(None if options is None else options.pointer),
            feeds, fed, c_int(len(frame.fed)),
            fetches, fetched, c_int(len(self._dtypes)),
            c_void_p(), c_int(0), c_void_p(), c_void_p(frame.status),
        )  # fmt: skip

    def results(self, frame: Frame) -> list[Tensor]:
        """The tensors that a run gave, in the order of the fetches; ends the use of ``frame``.

        Raises ServingError with TensorFlow's code and text.
        """
        fetched = frame.fetched
        try:
            if tf_get_code(frame.status):
                check(frame.status)
            tensors = []
            for index, dtype in enumerate(self._dtypes):
                native: Any = fetched[index]
                fetched[index] = None
                tensors.append(from_native(native, dtype))
            return tensors
        finally:
            fed, kept = frame.fed, frame.kept
            for index, native in enumerate(fed):
                # A model may hold on to what it was fed, in a variable for instance.
                if kept[index] is None or tf_maybe_move(native) is None:
                    tf_delete_tensor(native)
                    fed[index] = kept[index] = None
            self._frames.append(frame)


class LoadedSession:
    """A session made from a SavedModel. Runs may overlap; ``close`` may not overlap with a run."""

    def __init__(self, native: int, graph: int) -> None:
        self._native = native
        self._graph = graph

    def prepare(self, feeds: Sequence[tuple[str, int]], fetches: Sequence[tuple[str, int]]) -> PreparedRun:
        """A run with these feeds and fetches, each an operation's name and the index of its output.

        Raises ServingError, with TensorFlow's text if the graph has no such operation, and UNIMPLEMENTED
        for a fetch that has no elements, such as a resource.
        """
        fed = [self._output(*feed) for feed in feeds]
        fetched = [self._output(*fetch) for fetch in fetches]
        dtypes = [self._dtype(output, *fetch) for output, fetch in zip(fetched, fetches, strict=True)]
        return PreparedRun(self._native, fed, fetched, dtypes)

    def _output(self, name: str, index: int) -> Output:
        operation = tf_operation_by_name(self._graph, name.encode("utf-8", "surrogateescape"))
        if operation is None:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Tensor {name}:{index}, specified in either feed_devices or fetch_devices "
                "was not found in the Graph",
            )
        return Output(operation, index)

    def _dtype(self, output: Output, name: str, index: int) -> int:
        if not 0 <= index < tf_operation_num_outputs(output.operation):
            return int(wire.DT_INVALID)  # running will say that this output is missing
        dtype: int = tf_operation_output_type(output)
        dtype = dtype - _REFERENCE if dtype > _REFERENCE else dtype
        if dtype not in NUMPY_DTYPE:
            raise unimplemented(
                f"Tensor {name}:{index} is of type {DTYPE_NAME.get(dtype, dtype)}, which is not served"
            )
        return dtype

    def close(self) -> None:
        """Frees the session and its graph. Every run must have returned."""
        status = tf_new_status()
        tf_close_session(self._native, status)
        tf_delete_session(self._native, status)
        tf_delete_graph(self._graph)
        tf_delete_status(status)


def load_session(path: str, tags: Sequence[str], config: wire.ConfigProto) -> tuple[LoadedSession, bytes]:
    """Loads the SavedModel in folder ``path`` as TensorFlow Serving does.

    Gives the session and the serialised MetaGraphDef with exactly the tag set ``tags``. Raises
    ServingError with TensorFlow's code and text.
    """
    serialized = config.SerializeToString()
    status, options, graph = tf_new_status(), tf_new_session_options(), tf_new_graph()
    meta_graph = tf_new_buffer()
    native = None
    try:
        tf_set_config(options, serialized, len(serialized), status)
        check(status)
        names = (c_char_p * len(tags))(*[tag.encode() for tag in tags])
        folder = path.encode("utf-8", "surrogateescape")
        native = tf_load_session(options, None, folder, names, len(names), graph, meta_graph, status)
        check(status)
        contents = meta_graph.contents
        return LoadedSession(native, graph), ctypes.string_at(contents.data, contents.length)
    finally:
        if native is None:
            tf_delete_graph(graph)
        tf_delete_buffer(meta_graph)
        tf_delete_session_options(options)
        tf_delete_status(status)
