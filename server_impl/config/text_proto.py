"""Files in protobuf text format, read with the errors of TensorFlow Serving [1.3.4, 2.1]."""

from __future__ import annotations

import errno
import logging
import os
import re
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from harness.wire.schema import POOL
from server_impl.errors import invalid_argument
from server_impl.filesystem import io_error, io_errors, local_path

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

# The words of the C++ parser for what the Python parser says in its own.
_WORDS = (
    (r"(?s)'.*': (?=Expected|Couldn't|Value|Enum|Invalid|String)", ""),  # the line, which C++ leaves out
    (r"Expected string but found: '(.*)'", r"Expected string, got: \1"),
    (r"Expected identifier or number, got (.*)\.", r"Expected identifier, got: \1"),
    (r"Couldn't parse integer: (.*)", r"Expected integer, got: \1"),
    (r"Value out of range: (-).*", r"Expected integer, got: \1"),
    (r"Value out of range: (.*)", r"Integer out of range (\1)"),
    (
        r'Message .* should not have multiple (".*") fields\.',
        r"Non-repeated field \1 is specified multiple times.",
    ),
    (r'(Field ".*" is specified along with .*) for message type ".*"\.', r"\1."),
    (r'Expected "([{}<>\]:])"\.', r'Expected "\1", found "".'),
)

_NO_SUCH_FIELD = re.compile(r'Message type ".*" has no field named')
_TO_NEXT_TOKEN = re.compile(r"[\w.]*(?:\s|#[^\n]*)*")


def read_text_proto(path: str, message: M) -> M:
    """Fill ``message`` from the text file at ``path``, and return it.

    Raises the system's error (``<path>; No such file or directory``, NOT_FOUND), INVALID_ARGUMENT
    ``<path>; Invalid argument`` for an empty file, which TensorFlow cannot map into memory, and
    INVALID_ARGUMENT ``Invalid protobuf file: '<path>'``, in which case line, column and reason are logged.
    """
    file = local_path(path)
    with io_errors(path):
        if file.is_dir():
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        raw = file.read_bytes()
    if not raw:
        raise io_error(path, OSError(errno.EINVAL, os.strerror(errno.EINVAL)))
    text = raw.decode("utf-8", "replace")
    try:
        # The pool holds what an ``Any`` in the text may be expanded to.
        return text_format.Parse(text, message, descriptor_pool=POOL)
    except text_format.ParseError as error:
        logger.error("Error parsing text-format %s: %s", message.DESCRIPTOR.full_name, _explain(text, error))
    raise invalid_argument(f"Invalid protobuf file: '{path}'")


def _explain(text: str, error: text_format.ParseError) -> str:
    line, column = error.GetLine() or 1, error.GetColumn() or 1
    reason = str(error).removeprefix(f"{line}:{column} : ")
    for pattern, words in _WORDS:
        reason = re.sub(pattern, words, reason)
    if _NO_SUCH_FIELD.match(reason):
        # C++ points to what follows the name of the field.
        lines = text.splitlines(keepends=True)
        start = sum(map(len, lines[: line - 1])) + column - 1
        token = _TO_NEXT_TOKEN.match(text, start)
        before = text[: token.end() if token else start]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f"{line}:{column}: {reason}"
