"""The two forms of predict requests: rows (``instances``) and columns (``inputs``) [5.3, 5.4]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from server_impl.errors import ServingError, invalid_argument
from server_impl.protocol.json.envelope import MISSING, Members, find, is_base64, member_name
from server_impl.protocol.json.message import embed
from server_impl.protocol.json.tensor import Dense, to_tensor
from server_impl.protocol.json.text import Json
from server_impl.protocol.json.values import collect
from server_impl.tensor import Tensor


class InputSpec(Protocol):
    """The part of a signature's input that JSON needs."""

    @property
    def dtype(self) -> int:
        """A number of ``wire.DataType``."""


def column_tensors(value: Json, inputs: Mapping[str, InputSpec]) -> dict[str, Tensor]:
    """Tensors from the value of ``inputs``: one for each signature input.

    Raises:
        ServingError: with the texts of 5.4 to 5.7, not wrapped.
    """
    if not isinstance(value, tuple) or is_base64(value):
        if len(inputs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple"
                " input tensors required as per tensorinfo_map"
            )
        name, spec = next(iter(inputs.items()))
        return {name: to_tensor(name, spec.dtype, collect(value, spec.dtype))}
    columns = {}
    for name, spec in inputs.items():
        item = find(value, name.encode())
        if item is MISSING:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        columns[name] = collect(item, spec.dtype)
    return {name: to_tensor(name, inputs[name].dtype, dense) for name, dense in columns.items()}


def row_tensors(rows: list[Json], inputs: Mapping[str, InputSpec]) -> dict[str, Tensor]:
    """Tensors from the list of ``instances``, with a leading batch dimension.

    Raises:
        ServingError: with the texts of 5.3 and, wrapped, those of 5.5 to 5.7.
    """
    if type(rows[0]) is not tuple and len(inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple"
            " input tensors required as per tensorinfo_map"
        )
    columns: dict[str, _Column] = {}
    named = _is_named(rows[0])
    for index, row in enumerate(rows):
        if named:
            if not _is_named(row):
                raise invalid_argument(f"Expecting object but got list at item {index} of input list")
            assert isinstance(row, tuple)
            _add_members(row, index, inputs, columns)
        else:
            if _is_named(row):
                raise invalid_argument(f"Expecting value/list but got object at item {index} of input list")
            try:
                _add(row, next(iter(inputs)), inputs, columns)
            except ServingError as error:
                raise invalid_argument(
                    f"Failed to process element: {index} of 'instances' list. Error: {error}"
                ) from None
    return {
        name: to_tensor(name, inputs[name].dtype, column.dense(len(rows))) for name, column in columns.items()
    }


class _Column:
    """The values gathered for one input. The first one fixes size and shape [5.3.6]."""

    def __init__(self, first: Dense) -> None:
        self._shape = first.shape
        self._size = len(first.leaves)
        self._leaves = [*first.leaves]

    def add(self, value: Dense) -> None:
        if len(value.leaves) != self._size:
            raise invalid_argument(f"Expecting tensor size: {self._size} but got: {len(value.leaves)}")
        if value.shape != self._shape:
            expected, got = _shape_text(self._shape), _shape_text(value.shape)
            raise invalid_argument(f"Expecting shape {expected} but got: {got}")
        self._leaves += value.leaves

    def dense(self, rows: int) -> Dense:
        """All rows as one. A name given twice in a row leaves a surplus, which is cut off at the end."""
        return Dense((rows, *self._shape), self._leaves[: rows * self._size])


def _add_members(
    row: Members, index: int, inputs: Mapping[str, InputSpec], columns: dict[str, _Column]
) -> None:
    names = set()
    for raw, value in row:
        name = member_name(raw)
        names.add(name)
        try:
            _add(value, name, inputs, columns)
        except ServingError as error:
            raise invalid_argument(
                f"Failed to process element: {index} key: {name} of 'instances' list. Error: {error}"
            ) from None
    if names != inputs.keys():
        expected = ",".join(sorted(inputs, key=str.encode))
        raise invalid_argument(
            f"Failed to process element: {index} of 'instances' list."
            f" JSON object: {embed(row)} keys must be equal to: {expected}"
        )


def _add(value: Json, name: str, inputs: Mapping[str, InputSpec], columns: dict[str, _Column]) -> None:
    if name not in inputs:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    dense = collect(value, inputs[name].dtype)
    if name in columns:
        columns[name].add(dense)
    else:
        columns[name] = _Column(dense)


def _is_named(row: Json) -> bool:
    return type(row) is tuple and not is_base64(row)


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
