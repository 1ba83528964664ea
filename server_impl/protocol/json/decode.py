"""Predict requests in JSON to tensors, in the order of checks of the real server [4.6, 5.1-5.7]."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from server_impl.errors import invalid_argument
from server_impl.protocol.json import bulk, fast
from server_impl.protocol.json.columns import InputSpec, column_tensors, row_tensors
from server_impl.protocol.json.encode import RequestFormat
from server_impl.protocol.json.envelope import (
    MISSING,
    Members,
    find,
    parse_object,
    signature_name,
    value_error,
)
from server_impl.protocol.json.examples import ParsedExamples, parse_examples
from server_impl.tensor import Tensor

__all__ = [
    "InputSpec",
    "ParsedExamples",
    "ParsedPredict",
    "RequestFormat",
    "parse_examples",
    "parse_predict",
]

#: What the fast readers give. A tuple, as making a union at each request takes longer than asking for it.
_QUICK = (fast.Request, bulk.Request)
#: Smaller bodies are not worth the preparations of the bulk reader.
_BULK_BYTES = 4096


class ParsedPredict(Struct, frozen=True):
    """A predict request whose values wait for the signature that tells their dtypes.

    ``signature_name`` is empty if the request names none [4.6.4].
    """

    signature_name: str
    _body: bytes
    _source: Members | fast.Request | bulk.Request

    def tensors(self, inputs: Mapping[str, InputSpec]) -> tuple[dict[str, Tensor], RequestFormat]:
        """The tensor for each of the signature's ``inputs``, and the form that the reply takes.

        Raises:
            ServingError: no inputs [5.2.3], wrong keys [5.2.1, 5.2.4], values that do not fit [5.3-5.7].
        """
        if not inputs:
            name = self.signature_name or "DEFAULT"
            raise invalid_argument(f"Failed to get input map for signature: {name}")
        source = self._source
        if isinstance(source, _QUICK):
            tensors = source.tensors(inputs)
            if tensors is not None:
                return tensors
            source = parse_object(self._body)
        return read_tensors(source, inputs)


def parse_predict(body: bytes) -> ParsedPredict:
    """The first stage: JSON, an object, the signature's name [4.6]; the servable lookup follows.

    The usual bodies take a fast reader that gives up wherever it cannot answer exactly as ``read_exactly``.

    Raises:
        ServingError: not JSON [5.1.2], not an object [5.1.3], a signature name of another type [5.2.2].
    """
    quick = (bulk.read(body) if len(body) >= _BULK_BYTES else None) or fast.read(body)
    return read_exactly(body) if quick is None else ParsedPredict(quick.signature_name, body, quick)


def read_exactly(body: bytes) -> ParsedPredict:
    """``parse_predict`` without the fast readers."""
    document = parse_object(body)
    return ParsedPredict(signature_name(document), body, document)


def read_tensors(
    document: Members, inputs: Mapping[str, InputSpec]
) -> tuple[dict[str, Tensor], RequestFormat]:
    """The tensors of a parsed request; errors as told for ``ParsedPredict.tensors``."""
    instances = find(document, b"instances")
    columns = find(document, b"inputs")
    if instances is MISSING:
        if columns is MISSING:
            raise invalid_argument("Missing 'inputs' or 'instances' key")
        return column_tensors(columns, inputs), RequestFormat.COLUMN
    if columns is not MISSING:
        complaint = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        raise value_error(document, complaint)
    if not isinstance(instances, list):
        raise value_error(document, "Expecting 'instances' to be an list/array")
    if not instances:
        raise value_error(document, "No values in 'instances' array")
    return row_tensors(instances, inputs), RequestFormat.ROW
