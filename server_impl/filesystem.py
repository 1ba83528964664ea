"""Local files, named by path or ``file://`` URI, with the error texts of TensorFlow's file systems."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server_impl.errors import Code, ServingError, unimplemented

_URI = re.compile(r"([a-zA-Z][0-9a-zA-Z.]*)://([^/]*)(.*)", re.S)

_NUMBERS_OF_CODE: dict[Code, tuple[int, ...]] = {
    Code.NOT_FOUND: (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESRCH),
    Code.INVALID_ARGUMENT: (errno.EINVAL, errno.ENAMETOOLONG, errno.EFAULT, errno.EILSEQ, errno.ESPIPE),
    Code.PERMISSION_DENIED: (errno.EPERM, errno.EACCES, errno.EROFS),
    Code.FAILED_PRECONDITION: (errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.EBADF, errno.EBUSY),
    Code.RESOURCE_EXHAUSTED: (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    Code.OUT_OF_RANGE: (errno.EFBIG, errno.EOVERFLOW, errno.ERANGE),
    Code.UNAVAILABLE: (errno.EAGAIN, errno.EINTR, errno.ENETDOWN, errno.ENETUNREACH, errno.ENOLINK),
    Code.DEADLINE_EXCEEDED: (errno.ETIMEDOUT,),
}
_CODE = {number: code for code, numbers in _NUMBERS_OF_CODE.items() for number in numbers}


def io_error(path: str, error: OSError) -> ServingError:
    """``error`` as TensorFlow reports it: ``<path>; No such file or directory`` with the code for it."""
    number = error.errno or 0
    return ServingError(_CODE.get(number, Code.UNKNOWN), f"{path}; {os.strerror(number)}")


@contextmanager
def io_errors(path: str) -> Iterator[None]:
    """Turn each OSError within the block into ``io_error(path, ...)``."""
    try:
        yield
    except OSError as error:
        raise io_error(path, error) from None


def is_absolute(path: str) -> bool:
    """Whether ``path`` is a URI with a scheme or starts at the root [2.3.4]."""
    return path.startswith("/") or _URI.match(path) is not None


def local_path(path: str) -> Path:
    """The local file that ``path`` names; UNIMPLEMENTED for a URI that is not ``file://``."""
    uri = _URI.match(path)
    if uri is None:
        return Path(path)
    if uri[1] != "file":
        raise unimplemented(f"File system scheme '{uri[1]}' not implemented (file: '{path}')")
    return Path(uri[3])


def join(path: str, name: str) -> str:
    """``name`` within ``path``, one slash between them and ``path`` untouched otherwise."""
    return f"{path}{name}" if path.endswith("/") else f"{path}/{name}"
