"""Predict requests that differ from an earlier one in nothing but the numbers of their tensors.

A client sends the same message again and again with other numbers in it. Protobuf writes how long a field is
before the field: whatever bytes replace the elements of a tensor, all others keep their meaning. So a request
that has the same bytes around its tensors as one that was taken apart before need not be taken apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
from msgspec import Struct

from harness.wire import messages as wire
from server_impl.inference.model_spec import ModelSpec
from server_impl.protocol.grpc import varint
from server_impl.protocol.grpc.predict_message import PredictRequest, parse
from server_impl.tensor import Tensor

#: Longer requests are worth a parse.
LONGEST: Final = 256 * 1024
#: The most that a template may hold of a request.
_LONGEST_AROUND: Final = 4096
#: Templates of one length that are kept, and lengths.
_PER_LENGTH: Final = 8
_LENGTHS: Final = 256
#: One in so many requests that fit no template becomes one.
_LEARN_EVERY: Final = 8
#: Kinds of elements of which every bit pattern is one.
_KINDS: Final = "fiu"

#: The start of a field that holds the elements of a tensor as they lie in memory.
_TAGS: Final = tuple(
    varint.encode(wire.TensorProto.DESCRIPTOR.fields_by_name[name].number << 3 | 2)
    for name in ("tensor_content", "float_val", "double_val")
)


class _Slot(Struct, frozen=True):
    """Where in a request the elements of an input lie, and what they are."""

    alias: str
    dtype: int
    element: np.dtype[Any]
    shape: tuple[int, ...]
    count: int
    start: int

    @property
    def end(self) -> int:
        """The place behind the last element."""
        return self.start + self.count * self.element.itemsize


class Template(Struct, frozen=True):
    """Requests of one length with the same bytes around ``slots``; ``around`` has these and their places."""

    spec: ModelSpec | None
    output_filter: tuple[str, ...]
    slots: tuple[_Slot, ...]
    around: tuple[tuple[int, bytes], ...]

    def fill(self, payload: bytes) -> PredictRequest | None:
        """The request that ``payload``, of the right length, holds; None if it does not follow this template.

        The arrays are read-only views of ``payload``.
        """
        for start, literal in self.around:
            if not payload.startswith(literal, start):
                return None
        inputs: dict[str, Tensor | None] = {}
        for slot in self.slots:
            array = np.frombuffer(payload, slot.element, slot.count, slot.start)
            shape = slot.shape
            inputs[slot.alias] = Tensor(slot.dtype, array if len(shape) == 1 else array.reshape(shape))
        return PredictRequest(self.spec, inputs, self.output_filter)


def learn(payload: bytes, request: PredictRequest) -> Template | None:
    """The template of ``payload``, which gave ``request``; None unless all its inputs are numbers."""
    slots = []
    for alias, tensor in request.inputs.items():
        slot = None if tensor is None else _slot(payload, alias, tensor)
        if slot is None:
            return None
        slots.append(slot)
    places = sorted(slots, key=lambda slot: slot.start)
    if any(slot.end > following.start for slot, following in pairwise(places)):
        return None  # inputs with equal numbers were found in one place
    around = tuple(_around(payload, places))
    if sum(len(literal) for _, literal in around) > _LONGEST_AROUND:
        return None
    template = Template(request.spec, tuple(request.output_filter), tuple(slots), around)
    # The bytes that were found may be others than the input's: those that count make a difference.
    probe = bytearray(payload)
    for slot in slots:
        np.frombuffer(probe, np.uint8)[slot.start : slot.end] ^= 0xFF
    other = bytes(probe)
    filled = template.fill(other)
    return template if filled is not None and _alike(filled, parse(other)) else None


def _slot(payload: bytes, alias: str, tensor: Tensor) -> _Slot | None:
    array = tensor.array
    if array.dtype.kind not in _KINDS or type(array) is not np.ndarray or not array.size:
        return None
    elements = array.tobytes()
    for tag in _TAGS:
        head = tag + varint.encode(len(elements))
        place = payload.find(head + elements)
        if place >= 0:
            return _Slot(alias, tensor.dtype, array.dtype, array.shape, array.size, place + len(head))
    return None


def _around(payload: bytes, places: list[_Slot]) -> Iterator[tuple[int, bytes]]:
    end = 0
    for slot in places:
        yield end, payload[end : slot.start]
        end = slot.end
    yield end, payload[end:]


def _alike(one: PredictRequest, other: PredictRequest) -> bool:
    return (
        one.spec == other.spec
        and [*one.output_filter] == [*other.output_filter]
        and [*map(_contents, one.inputs.items())] == [*map(_contents, other.inputs.items())]
    )


def _contents(entry: tuple[str, Tensor | None]) -> object:
    alias, tensor = entry
    return tensor and (alias, tensor.dtype, tensor.array.shape, tensor.array.tobytes())


class Templates:
    """Parses requests as ``predict_message.parse`` does, those that follow a template in a tenth of the time.

    For any number of threads: the worst that can happen between them is that a template is learnt again.
    """

    def __init__(self) -> None:
        self._by_length: dict[int, tuple[Template, ...]] = {}
        self._until_next = 0

    def parse(self, payload: bytes) -> PredictRequest:
        """Take a serialised PredictRequest apart. Raises protobuf's ``DecodeError`` if it is none."""
        for template in self._by_length.get(len(payload), ()):
            request = template.fill(payload)
            if request is not None:
                return request
        request = parse(payload)
        if len(payload) <= LONGEST:
            self._until_next -= 1
            if self._until_next < 0:
                self._until_next = _LEARN_EVERY
                self._add(payload, request)
        return request

    def _add(self, payload: bytes, request: PredictRequest) -> None:
        template = learn(payload, request)
        if template is None:
            return
        if len(self._by_length) >= _LENGTHS:
            self._by_length.clear()
        known = self._by_length.get(len(payload), ())
        self._by_length[len(payload)] = (template, *known[: _PER_LENGTH - 1])
