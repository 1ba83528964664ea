"""Giving memory back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def release_to_system() -> None:
    """Give back what was freed but kept for later, as TensorFlow Serving does after each unload.

    TensorFlow's own allocator for large tensors keeps what it once had, and uses it for the next model;
    with ``TF_ENABLE_ONEDNN_OPTS=0`` in the environment it is not used, and an unload returns everything.
    """
    with suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
