"""Log lines on standard error in the shape that TensorFlow Serving's users search [10.4]."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

_LETTER = {logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}
_ROOT = Path(__file__).parent.parent


class ServingFormatter(logging.Formatter):
    """``2026-01-31 12:00:00.123456: I server_impl/server.py:42] text``."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one record as one line; a traceback, if any, follows on lines of its own."""
        seconds = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        micros = int(record.created % 1 * 1e6)
        path = Path(record.pathname)
        source = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path.name
        letter = _LETTER.get(record.levelno, "I")
        line = f"{seconds}.{micros:06d}: {letter} {source}:{record.lineno}] {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up() -> None:
    """Send the server's own log, from INFO upwards, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ServingFormatter())
    logger = logging.getLogger("server_impl")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
