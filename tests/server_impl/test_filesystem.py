from __future__ import annotations

import errno
from pathlib import Path

import pytest

from server_impl.errors import Code, ServingError
from server_impl.filesystem import io_error, io_errors, is_absolute, join, local_path


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (errno.ENOENT, Code.NOT_FOUND, "No such file or directory"),
        (errno.ENODEV, Code.NOT_FOUND, "No such device"),
        (errno.EINVAL, Code.INVALID_ARGUMENT, "Invalid argument"),
        (errno.EACCES, Code.PERMISSION_DENIED, "Permission denied"),
        (errno.ENOTDIR, Code.FAILED_PRECONDITION, "Not a directory"),
        (errno.EMFILE, Code.RESOURCE_EXHAUSTED, "Too many open files"),
        (errno.EIO, Code.UNKNOWN, "Input/output error"),
    ],
)
def test_errors_of_the_system(number: int, code: Code, text: str) -> None:
    error = io_error("/p", OSError(number, "what Python says"))
    assert (error.code, error.message) == (code, f"/p; {text}")


def test_errors_within_a_block(tmp_path: Path) -> None:
    with (
        pytest.raises(ServingError, match=r"^NOT_FOUND: a name; No such file or directory$"),
        io_errors("a name"),
    ):
        (tmp_path / "none").read_bytes()


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("/", True),
        ("/m", True),
        ("gs://b", True),
        ("a.1://", True),
        ("", False),
        ("m", False),
        ("1a://m", False),
    ],
)
def test_absolute_paths(path: str, absolute: bool) -> None:
    assert is_absolute(path) == absolute


def test_local_paths() -> None:
    assert local_path("/m") == local_path("file:///m") == local_path("file://host/m") == Path("/m")
    with pytest.raises(ServingError) as caught:
        local_path("gs://b/m")
    assert str(caught.value) == ("UNIMPLEMENTED: File system scheme 'gs' not implemented (file: 'gs://b/m')")


def test_join() -> None:
    assert (join("/m", "1"), join("/m/", "1"), join("/m//", "1")) == ("/m/1", "/m/1", "/m//1")
