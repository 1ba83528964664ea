"""The innermost loop of the bulk reader, compiled by numba: the text of an array of numbers to doubles.

To import this module compiles it, which takes a second or two, or loads what an earlier process compiled.
Positions and digits are unsigned throughout: numba would make a double of signed and unsigned, and look for
negative positions at each access.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numba import njit

Text: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
Numbers: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Sizes: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
#: As ``_read_array``.
ReadArray: TypeAlias = Callable[[Text, int, Numbers, Sizes], tuple[int, int]]

P = ParamSpec("P")
R = TypeVar("R")
_U64 = np.uint64

_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_SIGNATURE: Final = "UniTuple(int64, 2)(Array(uint8, 1, 'C', readonly=True), int64, float64[::1], int64[::1])"

_ONE, _EIGHT, _TEN, _ZERO = _U64(1), _U64(8), _U64(10), _U64(0)
_CHAR_ZERO = _U64(ord("0"))
_COMMA, _OPEN, _CLOSE, _POINT = ord(","), ord("["), ord("]"), ord(".")
_MINUS, _PLUS, _SMALL_E = ord("-"), ord("+"), ord("e")

#: The server gathers digits in an integer up to here, and goes on in a double [5.1.7].
_MAX_EXACT = _U64(2**53 - 1)
#: With eight more digits this is still below that.
_BEFORE_EIGHT = _U64(900_719_924)
_EIGHT_DIGITS = _U64(10**8)
_SEVENTEEN_DIGITS = _U64(10**16)
#: So many digits the server looks at.
_SIGNIFICANT = 17
#: More of them before the point are counted in another way.
_MOST_DIGITS = _U64(17)

#: No more powers than these: every result is a normal double.
_MAX_EXPONENT = 99
_LEAST_POWER = -290
_POWERS = np.array([float(f"1e{n}") for n in range(308)])


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    compiled: Callable[P, R] = njit(**_OPTIONS)(function)
    return compiled


@_compiled
def _digit(char: Any) -> Any:
    """The value of a digit; more than nine of another character."""
    return _U64(char) - _CHAR_ZERO


@_compiled
def _all_digits(word: Any) -> Any:
    """Whether all eight bytes are digits: their upper halves are 3, and stay it when 6 is added."""
    upper = _U64(0xF0F0F0F0F0F0F0F0)
    carried = (word + _U64(0x0606060606060606)) & upper
    return (word & upper | carried >> _U64(4)) == _U64(0x3333333333333333)


@_compiled
def _eight_digits(word: Any) -> Any:
    """What eight digits say, the first in the lowest byte: pairs, then fours, then all are put together."""
    word &= _U64(0x0F0F0F0F0F0F0F0F)
    word = (word * _TEN + (word >> _EIGHT)) & _U64(0x00FF00FF00FF00FF)
    word = (word * _U64(100) + (word >> _U64(16))) & _U64(0x0000FFFF0000FFFF)
    return (word * _U64(10_000) + (word >> _U64(32))) & _U64(0xFFFFFFFF)


@_compiled
def _behind_blanks(text: Any, at: Any) -> Any:
    while text[at] <= 32 and (text[at] == 32 or text[at] == 10 or text[at] == 13 or text[at] == 9):
        at += _ONE
    return at


def _read_array(text: Any, start: Any, numbers: Any, sizes: Any) -> Any:
    """Read the array of numbers that begins at ``start``; how many there are, and where it ends.

    ``text`` must end with a character that no array holds: it ends every loop, as no position is checked
    otherwise. ``numbers`` has room for one number for every two characters, ``sizes`` for the shape: lengths
    from the outermost list to the innermost, zeros behind. The doubles are the server's, as
    ``number.read_number`` gives them, with ``-0`` being 0.

    (0, 0) is given for everything else: no regular array, no number, integers above 2**53, very many
    digits before a point, very large or small powers of ten.
    """
    nothing = 0, 0
    last = _U64(text.size - 1)
    at = _U64(start)
    rank = 0
    while text[at] == _OPEN:
        if rank == sizes.size:
            return nothing
        sizes[rank] = 0
        rank += 1
        at = _behind_blanks(text, at + _ONE)
    counts = np.zeros(rank, np.int64)
    count = 0
    while True:
        # A number: its digits before the point ...
        negative = text[at] == _MINUS
        if negative:
            at += _ONE
        begin = at
        digits = _ZERO
        if _digit(text[at]) == _ZERO:
            at += _ONE
        else:
            while _digit(text[at]) < _TEN:
                digits = digits * _TEN + _digit(text[at])
                at += _ONE
        if at == begin or at - begin > _MOST_DIGITS:
            return nothing
        value = float(digits)
        power: Any = 0
        # ... those behind it, the first one before it being forgotten when they are counted ...
        if text[at] == _POINT:
            at += _ONE
            if _digit(text[at]) >= _TEN:
                return nothing
            begin = at
            uncounted = 1 if digits else 0
            while digits <= _BEFORE_EIGHT and at + _EIGHT <= last:
                word = (
                    (_U64(text[at]) | _U64(text[at + _ONE]) << _EIGHT)
                    | (_U64(text[at + _U64(2)]) << _U64(16) | _U64(text[at + _U64(3)]) << _U64(24))
                    | (_U64(text[at + _U64(4)]) << _U64(32) | _U64(text[at + _U64(5)]) << _U64(40))
                    | (_U64(text[at + _U64(6)]) << _U64(48) | _U64(text[at + _U64(7)]) << _U64(56))
                )
                if not _all_digits(word):
                    break
                digits = digits * _EIGHT_DIGITS + _eight_digits(word)
                at += _EIGHT
            while digits <= _MAX_EXACT and _digit(text[at]) < _TEN:
                digits = digits * _TEN + _digit(text[at])
                at += _ONE
            power = np.int64(begin) - np.int64(at)
            value = float(digits)
            if digits > _MAX_EXACT:
                taken = (_SIGNIFICANT if digits >= _SEVENTEEN_DIGITS else _SIGNIFICANT - 1) - uncounted
                while _digit(text[at]) < _TEN:
                    if taken < _SIGNIFICANT:
                        value = value * 10.0 + float(_digit(text[at]))
                        power -= 1
                        taken += 1
                    at += _ONE
        elif text[at] | 0x20 != _SMALL_E:
            if digits > _MAX_EXACT:
                return nothing
            negative = negative and digits != _ZERO
        # ... and its exponent.
        if text[at] | 0x20 == _SMALL_E:
            at += _ONE
            less = text[at] == _MINUS
            if less or text[at] == _PLUS:
                at += _ONE
            begin = at
            exponent: Any = 0
            while _digit(text[at]) < _TEN and exponent <= _MAX_EXPONENT:
                exponent = exponent * 10 + np.int64(_digit(text[at]))
                at += _ONE
            if at == begin or exponent > _MAX_EXPONENT:
                return nothing
            power += -exponent if less else exponent
        if power < 0:
            if power < _LEAST_POWER:
                return nothing
            value /= _POWERS[-power]
        elif power > 0:
            value *= _POWERS[power]
        numbers[count] = -value if negative else value
        count += 1
        counts[rank - 1] += 1
        # What follows: another number, or the ends and beginnings of lists.
        at = _behind_blanks(text, at)
        if text[at] == _COMMA:
            at = _behind_blanks(text, at + _ONE)
            continue
        level = rank
        while text[at] == _CLOSE:
            level -= 1
            if sizes[level] == 0:
                sizes[level] = counts[level]
            elif sizes[level] != counts[level]:
                return nothing
            if level == 0:
                return count, np.int64(at + _ONE)
            counts[level] = 0
            counts[level - 1] += 1
            at = _behind_blanks(text, at + _ONE)
        if level == rank or text[at] != _COMMA:
            return nothing
        at = _behind_blanks(text, at + _ONE)
        while level < rank:
            if text[at] != _OPEN:
                return nothing
            level += 1
            at = _behind_blanks(text, at + _ONE)


def _compile() -> ReadArray:
    try:
        compiled: ReadArray = njit(_SIGNATURE, cache=True, **_OPTIONS)(_read_array)
    except (RuntimeError, OSError):  # there is no place where it could be kept for the next process
        compiled = njit(_SIGNATURE, **_OPTIONS)(_read_array)
    return compiled


read_array: Final = _compile()
