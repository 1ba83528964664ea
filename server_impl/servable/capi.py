"""TensorFlow through its C API: sessions loaded from SavedModels, prepared runs, tensors.

The only module that handles pointers. It loads the library inside the ``tensorflow`` wheel with
``ctypes`` and never imports the Python package, which would take seconds and some 200 MB.

Short calls go through ``PyDLL`` and keep the GIL, because giving it up costs more than they do; those
that load, run or close a session go through ``CDLL`` and release it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint8, c_void_p
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError, unimplemented
from server_impl.tensor import DTYPE_NAME, NUMPY_DTYPE, OPAQUE_DTYPES, Tensor, shaped

#: Tensors up to this many bytes are copied in and out: sharing the memory takes a call back into
#: Python at the end of its life, which costs more.
_COPY_LIMIT = 16 * 1024
#: Dtypes that TensorFlow itself makes of a message; the others are copies of memory.
_SENT_AS_MESSAGE = OPAQUE_DTYPES | {wire.DT_STRING}
#: Reference dtypes are numbered this far above the dtype that they refer to.
_REFERENCE = 100

_TensorDeallocator = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)


class _Buffer(ctypes.Structure):
    """``TF_Buffer``: a serialised message on its way in or out."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


class _Output(ctypes.Structure):
    """``TF_Output``: one output of one operation of the graph."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


def _library() -> str:
    package = importlib.util.find_spec("tensorflow")
    folders = (package.submodule_search_locations if package else None) or ()
    for folder, name in itertools.product(folders, ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")):
        if (path := Path(folder, name)).exists():
            return str(path)
    raise ImportError("libtensorflow_cc was not found in the tensorflow wheel: pip install tensorflow")


_KEEP_GIL = ctypes.PyDLL(_library())
_RELEASE_GIL = ctypes.CDLL(_library())


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = library[name]  # each look-up gives a function object of its own
    function.restype, function.argtypes = result, arguments
    return function


_new_status = _function(_KEEP_GIL, "TF_NewStatus", c_void_p)
_delete_status = _function(_KEEP_GIL, "TF_DeleteStatus", None, c_void_p)
_get_code = _function(_KEEP_GIL, "TF_GetCode", c_int, c_void_p)
_message = _function(_KEEP_GIL, "TF_Message", c_char_p, c_void_p)

_tensor_arguments = (c_int, c_void_p, c_int)  # dtype, dimensions, rank
_allocate_tensor = _function(_KEEP_GIL, "TF_AllocateTensor", c_void_p, *_tensor_arguments, c_size_t)
_new_tensor = _function(
    _KEEP_GIL, "TF_NewTensor", c_void_p,
    *_tensor_arguments, c_void_p, c_size_t, _TensorDeallocator, c_void_p,
)  # fmt: skip
_tensor_from_proto = _function(_KEEP_GIL, "TF_TensorFromProto", None, POINTER(_Buffer), c_void_p, c_void_p)
_maybe_move = _function(_KEEP_GIL, "TF_TensorMaybeMove", c_void_p, c_void_p)
_delete_tensor = _function(_KEEP_GIL, "TF_DeleteTensor", None, c_void_p)
_tensor_data = _function(_KEEP_GIL, "TF_TensorData", c_void_p, c_void_p)
_num_dims = _function(_KEEP_GIL, "TF_NumDims", c_int, c_void_p)
_dim = _function(_KEEP_GIL, "TF_Dim", c_int64, c_void_p, c_int)
_FIRST_AXIS = c_int(0)  # as ctypes would make it at each call
_string_data = _function(_KEEP_GIL, "TF_StringGetDataPointer", c_void_p, c_void_p)
_string_size = _function(_KEEP_GIL, "TF_StringGetSize", c_size_t, c_void_p)
# Their namesakes in ctypes release the GIL, which costs more than copying a small tensor.
_memmove = _function(_KEEP_GIL, "memmove", None, c_void_p, c_char_p, c_size_t)
_bytes_at = _function(ctypes.pythonapi, "PyBytes_FromStringAndSize", ctypes.py_object, c_void_p, c_size_t)

_new_graph = _function(_KEEP_GIL, "TF_NewGraph", c_void_p)
_delete_graph = _function(_RELEASE_GIL, "TF_DeleteGraph", None, c_void_p)
_operation_by_name = _function(_KEEP_GIL, "TF_GraphOperationByName", c_void_p, c_void_p, c_char_p)
_operation_num_outputs = _function(_KEEP_GIL, "TF_OperationNumOutputs", c_int, c_void_p)
_operation_output_type = _function(_KEEP_GIL, "TF_OperationOutputType", c_int, _Output)

_new_session_options = _function(_KEEP_GIL, "TF_NewSessionOptions", c_void_p)
_set_config = _function(_KEEP_GIL, "TF_SetConfig", None, c_void_p, c_char_p, c_size_t, c_void_p)
_delete_session_options = _function(_KEEP_GIL, "TF_DeleteSessionOptions", None, c_void_p)
_new_buffer = _function(_KEEP_GIL, "TF_NewBuffer", POINTER(_Buffer))
_delete_buffer = _function(_KEEP_GIL, "TF_DeleteBuffer", None, POINTER(_Buffer))
_load_session = _function(
    _RELEASE_GIL, "TF_LoadSessionFromSavedModel", c_void_p,
    c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, POINTER(_Buffer), c_void_p,
)  # fmt: skip
_session_run = _function(
    _RELEASE_GIL, "TF_SessionRun", None,
    c_void_p, c_void_p,  # session, RunOptions
    c_void_p, c_void_p, c_int,  # feeds, their tensors, how many
    c_void_p, c_void_p, c_int,  # fetches, their tensors, how many
    c_void_p, c_int, c_void_p, c_void_p,  # no target operations, no metadata, status
)  # fmt: skip
_close_session = _function(_RELEASE_GIL, "TF_CloseSession", None, c_void_p, c_void_p)
_delete_session = _function(_RELEASE_GIL, "TF_DeleteSession", None, c_void_p, c_void_p)

#: Bytes of one ``TF_TString`` in a string tensor.
_STRING_BYTES = 24
#: The bits of its first byte that tell of which kind it is; 0 is a short string.
_STRING_KIND = 3


def _check(status: int) -> None:
    """Raises what ``status`` reports, with TensorFlow's own code and text."""
    if code := _get_code(status):
        raise ServingError(Code(code), _message(status).decode("utf-8", "surrogateescape"))


class RunOptions:
    """A serialised ``RunOptions`` message that runs can be given again and again."""

    __slots__ = ("_buffer", "_message", "pointer")

    def __init__(self, message: wire.RunOptions) -> None:
        self._message = message.SerializeToString()
        self._buffer = _buffer_of(self._message)
        self.pointer = ctypes.addressof(self._buffer)


def _buffer_of(message: bytes) -> _Buffer:
    """A buffer over the memory of ``message``, which the caller keeps alive."""
    return _Buffer(ctypes.cast(c_char_p(message), c_void_p), len(message), None)


# --- tensors ------------------------------------------------------------------------------------------

#: Arrays whose memory TensorFlow is using, by the number that its tensor carries.
_lent: dict[int, np.ndarray[Any, Any]] = {}
_loans = itertools.count(1)

# TensorFlow calls this, on any of its threads, when it has no use for the memory any more.
_give_back = _TensorDeallocator(lambda _data, _length, loan: _lent.pop(loan))


@lru_cache(maxsize=1024)
def _dimensions(shape: tuple[int, ...]) -> ctypes.Array[c_int64]:
    """``shape`` as C wants it. Only ever read, so equal shapes share it."""
    return (c_int64 * len(shape))(*shape)


def _to_native(tensor: Tensor) -> int:
    """A new ``TF_Tensor`` with the contents of ``tensor``; big ones share its memory."""
    dtype, array = tensor.dtype, tensor.array
    if dtype in _SENT_AS_MESSAGE:
        return _message_to_native(dtype, array)
    shape = array.shape
    nbytes = array.nbytes
    if nbytes <= _COPY_LIMIT:
        native: int = _allocate_tensor(dtype, _dimensions(shape), len(shape), nbytes)
        if nbytes:
            # tobytes() is the quickest way to the elements, whatever the strides.
            _memmove(_tensor_data(native), array.tobytes(), nbytes)
        return native
    array = np.ascontiguousarray(array)
    loan = next(_loans)
    _lent[loan] = array
    # Where the address is not aligned as TensorFlow wants it, it copies and gives back at once.
    shared: int = _new_tensor(
        dtype, _dimensions(shape), len(shape), array.ctypes.data, nbytes, _give_back, loan
    )
    return shared


def _elements(native: int, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The memory of ``native``, to be used while that exists, in the shape and dtype of ``like``."""
    memory = (c_uint8 * like.nbytes).from_address(_tensor_data(native))
    return np.ndarray(like.shape, like.dtype, memoryview(memory))


def _message_to_native(dtype: int, array: np.ndarray[Any, Any]) -> int:
    if dtype == wire.DT_RESOURCE:  # a handle without a name, as a message; anything but one is an error
        shape = () if array.size == 1 else array.shape
        handle: int = _allocate_tensor(dtype, _dimensions(shape), len(shape), 0)
        return handle
    # By way of a message: one call instead of one for each string, and TensorFlow owns the result.
    message = wire.TensorProto(dtype=dtype)  # type: ignore[arg-type]
    if dtype == wire.DT_VARIANT:  # the shape changes no error, and one object costs nothing
        return _parse_tensor(message)
    message.string_val.extend(array.ravel().tolist())
    dims = message.tensor_shape.dim
    for size in array.shape:
        dims.add(size=size)
    return _parse_tensor(message)


def _parse_tensor(message: wire.TensorProto) -> int:
    serialized = message.SerializeToString()
    native: int = _allocate_tensor(message.dtype, _dimensions((0,)), 1, 0)
    status = _new_status()
    try:
        _tensor_from_proto(byref(_buffer_of(serialized)), native, status)
        _check(status)
    except ServingError:
        _delete_tensor(native)
        raise
    finally:
        _delete_status(status)
    return native


def tensor_from_proto(message: wire.TensorProto) -> Tensor:
    """The tensor that TensorFlow itself reads from ``message``. Raises ServingError if it cannot."""
    return _from_native(_parse_tensor(message), message.dtype)


class _Owner:
    """Keeps a ``TF_Tensor`` alive for the array that looks at its memory."""

    __slots__ = ("__array_interface__", "_native")

    def __init__(self, native: int, nbytes: int) -> None:
        self._native = native
        self.__array_interface__ = {
            "data": (_tensor_data(native), True),
            "shape": (nbytes,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        _delete_tensor(self._native)


def _from_native(native: int, dtype: int) -> Tensor:
    """The contents of ``native``, which from now on belongs to the result or is gone."""
    rank = _num_dims(native)
    shape = (_dim(native, _FIRST_AXIS),) if rank == 1 else tuple([_dim(native, axis) for axis in range(rank)])
    if dtype == wire.DT_STRING:
        strings = np.empty(prod(shape), object)
        strings[:] = _strings(native, strings.size)
        _delete_tensor(native)
        return Tensor(dtype, shaped(strings, shape))
    element = NUMPY_DTYPE[dtype]
    nbytes = element.itemsize
    for length in shape:
        nbytes *= length
    if nbytes > _COPY_LIMIT:
        return Tensor(dtype, shaped(np.asarray(_Owner(native, nbytes)).view(element), shape))
    elements = _bytes_at(_tensor_data(native), nbytes) if nbytes else b""
    _delete_tensor(native)
    try:
        array = np.ndarray(shape, element, elements)
    except ValueError:  # a shape beyond numpy's
        array = shaped(np.ndarray(nbytes // element.itemsize, element, elements), shape)
    return Tensor(dtype, array)


def _strings(native: int, count: int) -> list[bytes]:
    if not count:
        return []
    data = _tensor_data(native)
    # Short strings lie in the tensor itself, after a byte that holds their length: no call for each.
    raw = _bytes_at(data, count * _STRING_BYTES)
    strings = []
    for start in range(0, len(raw), _STRING_BYTES):
        head = raw[start]
        if head & _STRING_KIND == 0:
            strings.append(raw[start + 1 : start + 1 + (head >> 2)])
        else:
            strings.append(_bytes_at(_string_data(data + start), _string_size(data + start)))
    return strings


# --- sessions -----------------------------------------------------------------------------------------


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
        self.status = _new_status()

    def __del__(self) -> None:
        for native in (*self.fed, *self.fetched):
            if native is not None:
                _delete_tensor(native)
        _delete_status(self.status)


class PreparedRun:
    """One combination of feeds and fetches of a session, resolved to operations of its graph.

    A run has three steps: ``begin``, ``run`` of the frame that it gives, which is TensorFlow's alone, and
    ``results``, which tells what went wrong.
    """

    __slots__ = ("_dtypes", "_feeds", "_fetches", "_frames", "_native")

    def __init__(
        self, native: int, feeds: Sequence[_Output], fetches: Sequence[_Output], dtypes: Sequence[int]
    ) -> None:
        self._native = native
        self._feeds = (_Output * len(feeds))(*feeds)
        self._fetches = (_Output * len(fetches))(*fetches)
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
                _delete_tensor(fed[index])
                fed[index] = kept[index] = None
            native = fed[index] = _to_native(tensor)
            if array.nbytes <= _COPY_LIMIT and dtype not in _SENT_AS_MESSAGE and type(array) is np.ndarray:
                kept[index] = (dtype, array.shape), _elements(native, array)
        return frame

    def _runner(self, frame: Frame, options: RunOptions | None) -> Callable[[], None]:
        """The call that runs the session in ``frame``, its arguments as ctypes would make them each time."""
        arrays = (self._feeds, frame.fed, self._fetches, frame.fetched)
        feeds, fed, fetches, fetched = [c_void_p(ctypes.addressof(array)) for array in arrays]
        return partial(
            _session_run,
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
            if _get_code(frame.status):
                _check(frame.status)
            tensors = []
            for index, dtype in enumerate(self._dtypes):
                native: Any = fetched[index]
                fetched[index] = None
                tensors.append(_from_native(native, dtype))
            return tensors
        finally:
            fed, kept = frame.fed, frame.kept
            for index, native in enumerate(fed):
                # A model may hold on to what it was fed, in a variable for instance.
                if kept[index] is None or _maybe_move(native) is None:
                    _delete_tensor(native)
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

    def _output(self, name: str, index: int) -> _Output:
        operation = _operation_by_name(self._graph, name.encode("utf-8", "surrogateescape"))
        if operation is None:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Tensor {name}:{index}, specified in either feed_devices or fetch_devices "
                "was not found in the Graph",
            )
        return _Output(operation, index)

    def _dtype(self, output: _Output, name: str, index: int) -> int:
        if not 0 <= index < _operation_num_outputs(output.operation):
            return int(wire.DT_INVALID)  # running will say that this output is missing
        dtype: int = _operation_output_type(output)
        dtype = dtype - _REFERENCE if dtype > _REFERENCE else dtype
        if dtype not in NUMPY_DTYPE:
            raise unimplemented(
                f"Tensor {name}:{index} is of type {DTYPE_NAME.get(dtype, dtype)}, which is not served"
            )
        return dtype

    def close(self) -> None:
        """Frees the session and its graph. Every run must have returned."""
        status = _new_status()
        _close_session(self._native, status)
        _delete_session(self._native, status)
        _delete_graph(self._graph)
        _delete_status(status)


def load_session(path: str, tags: Sequence[str], config: wire.ConfigProto) -> tuple[LoadedSession, bytes]:
    """Loads the SavedModel in folder ``path`` as TensorFlow Serving does.

    Gives the session and the serialised MetaGraphDef with exactly the tag set ``tags``. Raises
    ServingError with TensorFlow's code and text.
    """
    serialized = config.SerializeToString()
    status, options, graph = _new_status(), _new_session_options(), _new_graph()
    meta_graph = _new_buffer()
    native = None
    try:
        _set_config(options, serialized, len(serialized), status)
        _check(status)
        names = (c_char_p * len(tags))(*[tag.encode() for tag in tags])
        folder = path.encode("utf-8", "surrogateescape")
        native = _load_session(options, None, folder, names, len(names), graph, meta_graph, status)
        _check(status)
        contents = meta_graph.contents
        return LoadedSession(native, graph), ctypes.string_at(contents.data, contents.length)
    finally:
        if native is None:
            _delete_graph(graph)
        _delete_buffer(meta_graph)
        _delete_session_options(options)
        _delete_status(status)


def disable_xla() -> None:
    """Refuses from now on to compile with XLA what a model wants compiled: INTERNAL, when it is run."""
    # Not in the C API, so by the compiler's name for it; a TensorFlow that calls it otherwise just compiles.
    with suppress(AttributeError):
        _function(_KEEP_GIL, "_ZN10tensorflow21DisableXlaCompilationEv", None)()
