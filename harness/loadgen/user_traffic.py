"""Traffic for servers without a scenario: any model by its own metadata, or a file of requests.

Nobody knows the right answers there. The first reply to a request is the measure (of each version, where
the protocol tells it), and every later one must agree with it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from harness.client import Metadata
from harness.client.grpc import PREDICT
from harness.loadgen.checking import FIRST_REPLY_TOLERANCE, Expected
from harness.loadgen.collector import Endpoint
from harness.loadgen.plan import Prepared
from harness.loadgen.traffic import Mix, TrafficError, prepare, samples
from harness.models import SERVING_DEFAULT
from harness.terms import Array, Protocol, Request, Tensors, TensorSpec
from harness.wire import messages as wire

#: Gives the metadata of the model (and version) that a request addresses.
Describe = Callable[[Request], Metadata]

#: Right is what every version answered first.
SEEN = Expected({}, FIRST_REPLY_TOLERANCE, learns=True)
SEEN_BYTES = Expected({}, 0.0, exact=True)

_MODEL = re.compile(
    r"(?P<name>[^@:=,]+)(?:@(?P<pin>[^@:=,]+))?(?::(?P<signature>[^@:=,]+))?(?:=(?P<weight>[0-9.]+))?"
)
_NUMPY = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    "DT_BOOL": "bool",
    "DT_STRING": "object",
}


def parse_models(text: str) -> list[tuple[Request, float]]:
    """Read ``a, b@2=3, c@stable:signature``: models, pins, signatures, weights. Raises TrafficError."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _MODEL.fullmatch(part)
        if match is None:
            raise TrafficError(
                f"model {part!r} does not parse: write name, name@version, name@label, name:signature, "
                "each with =weight behind it if it has one"
            )
        pin = match["pin"]
        version = int(pin) if pin is not None and pin.isdigit() else None
        label = pin if version is None else None
        request = Request(match["name"], version=version, label=label, signature=match["signature"])
        found.append((request, float(match["weight"] or 1)))
    return found


def of_models(models: Iterable[tuple[Request, float]], mix: Mix, describe: Describe) -> list[Prepared]:
    """Requests with made-up inputs that fit the models' metadata. Raises TrafficError, Refusal."""
    prepared: list[Prepared] = []
    for request, weight in models:
        inputs = _signature_inputs(request, describe(request))
        variants = samples(lambda k, specs=inputs: _made_up(specs, k), mix.batch)  # type: ignore[misc]
        for variant in variants:
            prepared += prepare(request, variant, mix, weight / len(variants), SEEN)
    return prepared


def _signature_inputs(request: Request, metadata: Metadata) -> Mapping[str, TensorSpec]:
    name = request.signature or SERVING_DEFAULT
    if name not in metadata.signatures:
        known = ", ".join(sorted(metadata.signatures))
        raise TrafficError(f"model {request.model} has no signature {name!r}; it has {known}")
    return metadata.signatures[name].inputs


def _made_up(specs: Mapping[str, TensorSpec], k: int) -> Tensors:
    """Inputs with one for every unknown size, always the same for the same ``k``."""
    random = np.random.default_rng(k)
    return {alias: _values(random, spec, k) for alias, spec in sorted(specs.items())}


def _values(random: np.random.Generator, spec: TensorSpec, k: int) -> Array:
    shape = tuple(1 if size < 0 else size for size in ((-1,) if spec.shape is None else spec.shape))
    dtype = _dtype(spec.dtype)
    if dtype.kind == "O":
        return np.full(shape, b"text %d" % k, object)
    if dtype.kind in "iub":
        return random.integers(0, 2 if dtype.kind == "b" else 10, shape).astype(dtype)
    return random.random(shape).astype(dtype)


def _dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(_NUMPY.get(name, name.removeprefix("DT_").lower()))
    except TypeError:
        raise TrafficError(f"no inputs of dtype {name} can be made up; use --requests") from None


def of_file(path: Path, mix: Mix, describe: Describe) -> list[Prepared]:
    """The requests in a file, one JSON object a line. Raises TrafficError, Refusal.

    Either ``{"model": ..., "inputs": {alias: nested lists}}``, with ``version``, ``label``, ``signature``,
    ``weight`` and ``expected`` (outputs by alias) if wanted, sent as ``mix`` says; or a request as records
    keep it, sent as it is: ``{"method": "POST", "target": "/v1/...", "body": ...}`` or
    ``{"method": "/tensorflow.serving...", "body_b64": ...}``, also under the key ``request``.
    """
    prepared: list[Prepared] = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrafficError(f"requests file {path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            prepared += _of_line(json.loads(line), mix, describe)
        except (ValueError, KeyError, TypeError, AttributeError, TrafficError) as error:
            raise TrafficError(f"requests file {path}, line {number}: {_reason(error)}") from error
    if not prepared:
        raise TrafficError(f"requests file {path} has no request for {' and '.join(mix.protocols)}")
    return prepared


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _of_line(given: Any, mix: Mix, describe: Describe) -> Iterator[Prepared]:
    given = given.get("request", given)
    weight = float(given.get("weight", 1))
    if "method" in given:
        one = _as_recorded(given, weight)
        if one.protocol in mix.protocols:
            yield one
        return
    request = Request(
        given["model"],
        version=given.get("version"),
        label=given.get("label"),
        signature=given.get("signature"),
    )
    specs = _signature_inputs(request, describe(request))
    inputs = {}
    for alias, value in given["inputs"].items():
        if alias not in specs:
            raise TrafficError(f"model {request.model} has no input {alias!r}; it has {', '.join(specs)}")
        inputs[alias] = _array(value, _dtype(specs[alias].dtype))
    expected = SEEN
    if "expected" in given:
        outputs = {alias: _array(value, None) for alias, value in given["expected"].items()}
        expected = Expected({None: [outputs]}, FIRST_REPLY_TOLERANCE)
    yield from prepare(request, inputs, mix, weight, expected)


def _array(value: Any, dtype: np.dtype[Any] | None) -> Array:
    """Nested lists as a tensor; strings become bytes, ``{"b64": ...}`` too."""
    array = np.array(value, dtype)
    if array.dtype == object or array.dtype.kind == "U":
        flat = [_bytes(item) for item in array.ravel().tolist()]
        strings = np.empty(array.shape, object)
        strings.ravel()[:] = flat
        return strings
    return array


def _bytes(item: Any) -> bytes:
    return base64.b64decode(item["b64"]) if isinstance(item, dict) else str(item).encode()


def _as_recorded(given: Mapping[str, Any], weight: float) -> Prepared:
    method = given["method"]
    body = given.get("body", "")
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    if "body_b64" in given:
        try:
            data = base64.b64decode(given["body_b64"], validate=True)
        except binascii.Error as error:
            raise TrafficError(f"body_b64 is not base64: {error}") from error
    if "sha256" in given:
        raise TrafficError("the record kept only the beginning of this body")
    if method.startswith("/"):
        model = _message_model(data) if method == PREDICT else "?"
        name = f"grpc {method.rpartition('/')[2].lower()} {model}"
        expected = SEEN if method == PREDICT else SEEN_BYTES
        return Prepared(Protocol.GRPC, Endpoint("grpc", model, name), method, data, weight, expected)
    if method != "POST":
        raise TrafficError(f"method {method!r}: only POST and gRPC methods can be sent")
    path = given["target"]
    found = re.match(r"/v1/models/([^/:]+).*?:(\w+)$", path)
    model, verb = (unquote(found[1]), found[2]) if found else ("?", path)
    expected = SEEN if verb == "predict" else SEEN_BYTES
    return Prepared(
        Protocol.REST, Endpoint("rest", model, f"rest {verb} {model}"), path, data, weight, expected
    )


def _message_model(data: bytes) -> str:
    return wire.PredictRequest.FromString(data).model_spec.name or "?"
