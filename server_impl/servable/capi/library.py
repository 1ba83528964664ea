"""TensorFlow's C library and those of its functions that are called.

It is the library inside the ``tensorflow`` wheel, loaded with ``ctypes``: to import the Python package would
take seconds and some 200 MB.

Short calls go through ``PyDLL`` and keep the GIL, because giving it up costs more than they do; those
that load, run or close a session go through ``CDLL`` and release it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
from contextlib import suppress
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from server_impl.errors import Code, ServingError

TensorDeallocator = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)


class Buffer(ctypes.Structure):
    """``TF_Buffer``: a serialised message on its way in or out."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


class Output(ctypes.Structure):
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


tf_new_status = _function(_KEEP_GIL, "TF_NewStatus", c_void_p)
tf_delete_status = _function(_KEEP_GIL, "TF_DeleteStatus", None, c_void_p)
tf_get_code = _function(_KEEP_GIL, "TF_GetCode", c_int, c_void_p)
tf_message = _function(_KEEP_GIL, "TF_Message", c_char_p, c_void_p)

_tensor_arguments = (c_int, c_void_p, c_int)  # dtype, dimensions, rank
tf_allocate_tensor = _function(_KEEP_GIL, "TF_AllocateTensor", c_void_p, *_tensor_arguments, c_size_t)
tf_new_tensor = _function(
    _KEEP_GIL, "TF_NewTensor", c_void_p,
    *_tensor_arguments, c_void_p, c_size_t, TensorDeallocator, c_void_p,
)  # fmt: skip
tf_tensor_from_proto = _function(_KEEP_GIL, "TF_TensorFromProto", None, POINTER(Buffer), c_void_p, c_void_p)
tf_maybe_move = _function(_KEEP_GIL, "TF_TensorMaybeMove", c_void_p, c_void_p)
tf_delete_tensor = _function(_KEEP_GIL, "TF_DeleteTensor", None, c_void_p)
tf_tensor_data = _function(_KEEP_GIL, "TF_TensorData", c_void_p, c_void_p)
tf_num_dims = _function(_KEEP_GIL, "TF_NumDims", c_int, c_void_p)
tf_dim = _function(_KEEP_GIL, "TF_Dim", c_int64, c_void_p, c_int)
FIRST_AXIS = c_int(0)  # as ctypes would make it at each call
tf_string_data = _function(_KEEP_GIL, "TF_StringGetDataPointer", c_void_p, c_void_p)
tf_string_size = _function(_KEEP_GIL, "TF_StringGetSize", c_size_t, c_void_p)
# Their namesakes in ctypes release the GIL, which costs more than copying a small tensor.
memmove = _function(_KEEP_GIL, "memmove", None, c_void_p, c_char_p, c_size_t)
bytes_at = _function(ctypes.pythonapi, "PyBytes_FromStringAndSize", ctypes.py_object, c_void_p, c_size_t)

tf_new_graph = _function(_KEEP_GIL, "TF_NewGraph", c_void_p)
tf_delete_graph = _function(_RELEASE_GIL, "TF_DeleteGraph", None, c_void_p)
tf_operation_by_name = _function(_KEEP_GIL, "TF_GraphOperationByName", c_void_p, c_void_p, c_char_p)
tf_operation_num_outputs = _function(_KEEP_GIL, "TF_OperationNumOutputs", c_int, c_void_p)
tf_operation_output_type = _function(_KEEP_GIL, "TF_OperationOutputType", c_int, Output)

tf_new_session_options = _function(_KEEP_GIL, "TF_NewSessionOptions", c_void_p)
tf_set_config = _function(_KEEP_GIL, "TF_SetConfig", None, c_void_p, c_char_p, c_size_t, c_void_p)
tf_delete_session_options = _function(_KEEP_GIL, "TF_DeleteSessionOptions", None, c_void_p)
tf_new_buffer = _function(_KEEP_GIL, "TF_NewBuffer", POINTER(Buffer))
tf_delete_buffer = _function(_KEEP_GIL, "TF_DeleteBuffer", None, POINTER(Buffer))
tf_load_session = _function(
    _RELEASE_GIL, "TF_LoadSessionFromSavedModel", c_void_p,
    c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, POINTER(Buffer), c_void_p,
)  # fmt: skip
tf_session_run = _function(
    _RELEASE_GIL, "TF_SessionRun", None,
    c_void_p, c_void_p,  # session, RunOptions
    c_void_p, c_void_p, c_int,  # feeds, their tensors, how many
    c_void_p, c_void_p, c_int,  # fetches, their tensors, how many
    c_void_p, c_int, c_void_p, c_void_p,  # no target operations, no metadata, status
)  # fmt: skip
tf_close_session = _function(_RELEASE_GIL, "TF_CloseSession", None, c_void_p, c_void_p)
tf_delete_session = _function(_RELEASE_GIL, "TF_DeleteSession", None, c_void_p, c_void_p)


def check(status: int) -> None:
    """Raises what ``status`` reports, with TensorFlow's own code and text."""
    if code := tf_get_code(status):
        raise ServingError(Code(code), tf_message(status).decode("utf-8", "surrogateescape"))


def buffer_of(message: bytes) -> Buffer:
    """A buffer over the memory of ``message``, which the caller keeps alive."""
    return Buffer(ctypes.cast(c_char_p(message), c_void_p), len(message), None)


def disable_xla() -> None:
    """Refuses from now on to compile with XLA what a model wants compiled: INTERNAL, when it is run."""
    # Not in the C API, so by the compiler's name for it; a TensorFlow that calls it otherwise just compiles.
    with suppress(AttributeError):
        _function(_KEEP_GIL, "_ZN10tensorflow21DisableXlaCompilationEv", None)()
