"""Waiting for a moment to within microseconds, among greenlets.

The event loop under gevent rounds timers up to whole milliseconds: every arrival would come up to 1 ms
late, more than a fast server needs for its answer. A Linux timerfd is exact but for the wake-up itself
(about 0.1 ms), so it is set that much early and the rest is spent turning round the event loop, which
serves other greenlets meanwhile. Where there is no timerfd, the turning starts 1.5 ms before the moment.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

import gevent
from gevent.event import Event

#: Seconds before the moment at which the timer fires, to make up for the wake-up.
_EARLY = 150e-6
#: The same without a timerfd: the event loop's own timers have steps of 1 ms.
_EARLY_COARSE = 1.5e-3
#: A turn of the event loop that took less than this many seconds did nothing but turn.
_EMPTY_TURN = 20e-6

_CLOCK_MONOTONIC, _TFD_NONBLOCK, _TFD_TIMER_ABSTIME, _READ = 1, os.O_NONBLOCK, 1, 1

#: Seconds on the clock by which everything here is measured; on Linux it is CLOCK_MONOTONIC.
now = time.perf_counter


class _TimerSpec(ctypes.Structure):
    """``struct itimerspec``, flattened."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Alarm:
    """Lets one greenlet at a time sleep until a moment. ``spun`` adds up the seconds spent turning idly.

    Must be closed, and made in the process and thread that uses it.
    """

    def __init__(self) -> None:
        self.spun = 0.0
        self._stopped = Event()
        self._descriptor = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
        self._hub: Any = gevent.get_hub()
        self._io = self._hub.loop.io(self._descriptor, _READ) if self._descriptor >= 0 else None

    def close(self) -> None:
        """Give the timer back to the system."""
        if self._io is not None:
            self._io.close()
            os.close(self._descriptor)
            self._io = None

    def stop(self) -> None:
        """Wake whoever sleeps; from now on nobody sleeps any more."""
        self._stopped.set()
        if self._io is not None:
            self._set(now())

    def sleep_until(self, moment: float) -> None:
        """Return as soon as :func:`now` has reached ``moment``, or the alarm was stopped."""
        early = _EARLY_COARSE if self._io is None else _EARLY
        left = moment - now()
        if left > early:
            if self._io is None:
                self._stopped.wait(left - early)
            elif not self._stopped.is_set():
                self._set(moment - early)
                self._hub.wait(self._io)
                os.read(self._descriptor, 8)
        turn = now()
        while turn < moment and not self._stopped.is_set():
            gevent.sleep(0)
            last, turn = turn, now()
            if turn - last < _EMPTY_TURN:
                self.spun += turn - last

    def _set(self, moment: float) -> None:
        """Let the timer fire at ``moment``, at once if that is past."""
        seconds = int(moment)
        spec = _TimerSpec(0, 0, seconds, int((moment - seconds) * 1e9))
        self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)
