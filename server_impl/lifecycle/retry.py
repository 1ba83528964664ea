"""Trying again: loads and resource estimates are attempted several times [3.7.1]."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from server_impl.errors import Code, ServingError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Waits that many seconds; True if the server stops.
Sleep = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``max_retries`` further attempts after the first, ``interval_micros`` apart.

    The number is taken modulo 2**32, as the flag is: -1 means one attempt, lower numbers do not end.
    """

    max_retries: int = 5
    interval_micros: int = 60_000_000

    def run(
        self, description: str, attempt: Callable[[], T], may_retry: Callable[[], bool], sleep: Sleep
    ) -> T:
        """Result of the first ``attempt`` that does not raise a ServingError.

        Gives up with the last error after all attempts, or after one that fails while ``may_retry()``
        is false. Raises CANCELLED if ``sleep`` says that the server stops.
        """
        attempts = (self.max_retries + 1) % 2**32
        done = 0
        while True:
            error: ServingError | None = None
            try:
                result = attempt()
            except ServingError as failed:
                logger.error("%s failed: %s", description, failed)
                error = failed
            done += 1
            if error is None or done >= attempts or not may_retry():
                break
            if sleep(max(self.interval_micros, 0) / 1e6):
                raise ServingError(Code.CANCELLED, "The server is shutting down.")
            logger.info("Retrying of %s retry: %d", description, done)
        if not may_retry():
            logger.info("Retrying of %s was cancelled.", description)
        if done == attempts:
            logger.info("Retrying of %s exhausted max_num_retries: %d", description, self.max_retries % 2**32)
        if error is not None:
            raise error
        return result
