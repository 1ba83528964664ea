"""The values of one tensor in a JSON request, visited in the order of the text [5.5-5.7].

The first thing wrong in that order is what the server complains about.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.wire import messages as wire
from server_impl.errors import ServingError, invalid_argument, unimplemented
from server_impl.protocol.json.envelope import Members, is_base64, type_name, value_error
from server_impl.protocol.json.message import embed
from server_impl.protocol.json.strings import decode_base64
from server_impl.protocol.json.tensor import INTEGER_RANGE, Dense
from server_impl.protocol.json.text import Json
from server_impl.tensor import DTYPE_NAME


def collect(value: Json, dtype: int) -> Dense:
    """The leaves of nested lists, checked for ``dtype``, and their shape.

    Raises:
        ServingError: ragged lists [5.5.1], a value of the wrong kind or range [5.6], bad base64 [5.7.2];
            UNIMPLEMENTED if JSON cannot hold the dtype.
    """
    shape = _infer_shape(value)
    rank = len(shape)
    leaves: list[object] = []
    open_lists: list[Iterator[Json]] = [iter((value,))]
    while open_lists:
        level = len(open_lists) - 1
        for item in open_lists[-1]:
            if type(item) is not list:
                if level != rank:
                    raise value_error(
                        item,
                        f"found at incorrect level: {level + 1} in the JSON DOM. Expected at level: {rank}",
                    )
                leaves.append(_to_leaf(item, dtype))
                continue
            if level >= rank:
                raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {rank}")
            if len(item) != shape[level]:
                raise invalid_argument(
                    f"Encountered list at unexpected size: {len(item)} at level: {level}"
                    f" expected size: {shape[level]}"
                )
            open_lists.append(iter(item))
            break
        else:
            open_lists.pop()
    return Dense(shape, leaves)


def base64_value(value: Members) -> bytes:
    """The bytes of a ``{"b64": "..."}`` object.

    Raises:
        ServingError: an object of another form, or text that is not base64.
    """
    if not is_base64(value):
        raise value_error(value, "not formatted correctly for base64 data")
    encoded = value[0][1]
    assert isinstance(encoded, bytes)
    decoded = decode_base64(encoded)
    if decoded is None:
        raise invalid_argument("Unable to base64 decode")
    return decoded


def _infer_shape(value: Json) -> tuple[int, ...]:
    """The sizes of the first list at each level."""
    shape = []
    while type(value) is list:
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _to_leaf(value: Json, dtype: int) -> object:
    if type(value) is tuple:
        if dtype == wire.DT_STRING:
            return base64_value(value)
        raise _type_error(value, dtype)
    if dtype in (wire.DT_FLOAT, wire.DT_DOUBLE):
        accepted = type(value) in (int, float)
    elif dtype in INTEGER_RANGE:
        least, most = INTEGER_RANGE[dtype]
        accepted = type(value) is int and least <= value <= most
    elif dtype == wire.DT_BOOL:
        accepted = type(value) is bool
    elif dtype == wire.DT_STRING:
        accepted = type(value) is bytes
    else:
        raise unimplemented(f"Conversion of JSON Value: {embed(value)} to type: {DTYPE_NAME[dtype]}")
    if not accepted:
        raise _type_error(value, dtype)
    return value


def _type_error(value: Json, dtype: int) -> ServingError:
    return value_error(value, f"Type: {type_name(value)} is not of expected type: {DTYPE_NAME[dtype]}")
