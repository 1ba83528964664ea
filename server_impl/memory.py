"""Keeping memory for the next request, and giving it back to the system."""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from pathlib import Path

#: Names of glibc's ``mallopt``, and the bytes that are set.
_MMAP_THRESHOLD, _LARGE = -3, 32 << 20
_TRIM_THRESHOLD, _KEPT = -1, 64 << 20

#: ``MADV_DONTNEED``, and the lines of ``/proc/self/maps`` that it is for.
_DONTNEED = 4
_TENSORFLOW_CODE = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) r-xp .*/libtensorflow[^/\n]*$", re.MULTILINE)


def keep_for_requests() -> None:
    """Keep up to 64 MiB that requests have freed for the next ones, blocks above 32 MiB apart.

    By itself glibc gives the memory of a large request back when it is answered, and asks for it again at the
    next one: for an image in JSON the system then spends as much time on clearing pages as its parsing takes.
    """
    with suppress(AttributeError):  # only glibc has it
        allocator = ctypes.CDLL(None)
        allocator.mallopt(_MMAP_THRESHOLD, _LARGE)
        allocator.mallopt(_TRIM_THRESHOLD, _KEPT)


def unmap_loading_code() -> None:
    """Have TensorFlow's code count as resident only from when it runs again.

    To load the library and a model takes much code that no request needs: a hundred megabytes stay mapped. It
    remains in the system's file cache, and what runs again is mapped again.
    """
    with suppress(AttributeError, OSError):  # only Linux has both
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        # Never written to, so nothing is lost.
        for begin, end in _TENSORFLOW_CODE.findall(Path("/proc/self/maps").read_bytes()):
            advise(int(begin, 16), int(end, 16) - int(begin, 16), _DONTNEED)


def release_to_system() -> None:
    """Give back what was freed but kept for later, as TensorFlow Serving does after each unload.

    The code that loading took is unmapped as well.
    TensorFlow's own allocator for large tensors keeps what it once had, and uses it for the next model;
    with ``TF_ENABLE_ONEDNN_OPTS=0`` in the environment it is not used, and an unload returns everything.
    """
    with suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
    unmap_loading_code()
