"""Flushing denormal numbers to zero on the calling thread, as TensorFlow's own threads do.

The setting is part of C's floating-point environment, which each thread has for itself. Where the
layout of that environment is not known, or a trial shows no effect, the two functions do nothing and
arithmetic keeps its denormals.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

#: More than any C library's ``fenv_t``.
_ENVIRONMENT_BYTES = 256


class _ControlWord(NamedTuple):
    """The byte offset of a 32-bit word in ``fenv_t``, and the bits in it that flush denormals."""

    offset: int
    bits: int


# x86: MXCSR with "flush to zero" and "denormals are zero"; ARM: FPCR with FZ. Alike in glibc and musl.
_CONTROL_WORDS = {
    ("Linux", "x86_64"): _ControlWord(28, 0x8040),
    ("Linux", "aarch64"): _ControlWord(0, 1 << 24),
    ("Darwin", "arm64"): _ControlWord(8, 1 << 24),
}


#: The memory of the two settings: C is given their bare addresses, which is quickest.
_environments: list[ctypes.Array[ctypes.c_uint8]] = []


def _nothing() -> None:
    """Stands in where denormals cannot be flushed."""


def _switches() -> tuple[Callable[[], object], Callable[[], object]]:
    """The functions that start and stop flushing, or two that do nothing."""
    word = _CONTROL_WORDS.get((platform.system(), platform.machine()))
    library = ctypes.util.find_library("m")
    if word is None or library is None:
        return _nothing, _nothing
    # PyDLL: releasing the GIL would cost more than the call itself.
    libm = ctypes.PyDLL(library)
    usual = (ctypes.c_uint8 * _ENVIRONMENT_BYTES)()
    flushing = (ctypes.c_uint8 * _ENVIRONMENT_BYTES)()
    libm.fegetenv(usual)
    ctypes.memmove(flushing, usual, _ENVIRONMENT_BYTES)
    ctypes.c_uint32.from_buffer(flushing, word.offset).value |= word.bits
    _environments.extend((usual, flushing))
    libm.fesetenv.argtypes = (ctypes.c_void_p,)
    start, stop = (partial(libm.fesetenv, ctypes.addressof(kept)) for kept in (flushing, usual))
    start()
    works = sys.float_info.min * 0.5 == 0.0
    stop()
    return (start, stop) if works else (_nothing, _nothing)


#: From ``start_flushing()`` to ``stop_flushing()`` the calling thread takes denormals for zero.
start_flushing, stop_flushing = _switches()
