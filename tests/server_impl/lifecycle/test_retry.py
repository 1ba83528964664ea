from __future__ import annotations

import contextlib
import logging

import pytest

from server_impl.errors import Code, ServingError
from server_impl.lifecycle.retry import RetryPolicy


class Attempts:
    """Fails the first ``failures`` times, and is wanted for the first ``wanted`` ones."""

    def __init__(self, failures: int, wanted: int = 10**9) -> None:
        self.failures = failures
        self.wanted = wanted
        self.made = 0
        self.slept: list[float] = []

    def attempt(self) -> str:
        self.made += 1
        if self.made <= self.failures:
            raise ServingError(Code.DATA_LOSS, f"number {self.made}")
        return "done"

    def may_retry(self) -> bool:
        return self.made < self.wanted

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        return False

    def run(self, policy: RetryPolicy) -> str:
        return policy.run("X", self.attempt, self.may_retry, self.sleep)


@pytest.mark.parametrize(
    ("retries", "failures", "made", "result"),
    [
        (0, 0, 1, "done"),
        (0, 1, 1, "DATA_LOSS: number 1"),
        (2, 1, 2, "done"),
        (2, 2, 3, "done"),
        (2, 3, 3, "DATA_LOSS: number 3"),
        (-1, 1, 1, "DATA_LOSS: number 1"),
        (-2, 50, 51, "done"),  # a number modulo 2**32
    ],
)
def test_number_of_attempts(retries: int, failures: int, made: int, result: str) -> None:
    attempts = Attempts(failures)
    try:
        outcome = attempts.run(RetryPolicy(retries, 500_000))
    except ServingError as error:
        outcome = str(error)
    assert (attempts.made, outcome) == (made, result)
    assert attempts.slept == [0.5] * (made - 1)


def test_negative_interval_is_none() -> None:
    attempts = Attempts(2)
    attempts.run(RetryPolicy(2, -5))
    assert attempts.slept == [0, 0]


def test_no_attempt_follows_once_nobody_wants_it() -> None:
    attempts = Attempts(failures=9, wanted=2)
    with pytest.raises(ServingError, match="number 2"):
        attempts.run(RetryPolicy(5, 0))
    assert attempts.made == 2


def test_the_end_of_the_server_ends_the_attempts() -> None:
    attempts = Attempts(9)
    with pytest.raises(ServingError) as caught:
        RetryPolicy(5, 0).run("X", attempts.attempt, attempts.may_retry, lambda _: True)
    assert caught.value.code is Code.CANCELLED
    assert attempts.made == 1


@pytest.mark.parametrize(
    ("retries", "failures", "wanted", "lines"),
    [
        (1, 0, 9, []),
        (0, 0, 9, ["Retrying of X exhausted max_num_retries: 0"]),  # even after success
        (-1, 0, 9, []),
        (
            1,
            2,
            9,
            [
                "X failed: DATA_LOSS: number 1",
                "Retrying of X retry: 1",
                "X failed: DATA_LOSS: number 2",
                "Retrying of X exhausted max_num_retries: 1",
            ],
        ),
        (5, 9, 1, ["X failed: DATA_LOSS: number 1", "Retrying of X was cancelled."]),
        (5, 0, 1, ["Retrying of X was cancelled."]),
    ],
)
def test_log(
    retries: int, failures: int, wanted: int, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    attempts = Attempts(failures, wanted)
    with contextlib.suppress(ServingError):
        attempts.run(RetryPolicy(retries, 0))
    assert caplog.messages == lines
