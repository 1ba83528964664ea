"""TensorFlow through its C API: sessions loaded from SavedModels, prepared runs, tensors.

The only package that handles pointers.
"""

from server_impl.servable.capi.library import disable_xla
from server_impl.servable.capi.sessions import Frame, LoadedSession, PreparedRun, RunOptions, load_session
from server_impl.servable.capi.tensors import tensor_from_proto

__all__ = [
    "Frame",
    "LoadedSession",
    "PreparedRun",
    "RunOptions",
    "disable_xla",
    "load_session",
    "tensor_from_proto",
]
