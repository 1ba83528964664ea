"""The REST API: HTTP requests in, HTTP responses out, no sockets [4]."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from server_impl.errors import HTTP_STATUS, Code, ServingError, invalid_argument
from server_impl.inference import classify, metadata, predict, regress, status
from server_impl.inference.examples import ExampleInput
from server_impl.inference.model_spec import DEFAULT_SIGNATURE_NAME, acquire
from server_impl.protocol.http.reader import Request
from server_impl.protocol.http.response import Fields, Response, page
from server_impl.protocol.json import decode, encode
from server_impl.protocol.reply import LARGE_BYTES, Reply, Steps, Work, complete
from server_impl.protocol.rest import prometheus
from server_impl.protocol.rest.documents import metadata_document, status_document
from server_impl.protocol.rest.routes import Action, Route, route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from server_impl.inference.model_spec import ModelSpec
    from server_impl.inference.run import Call, Settings
    from server_impl.lifecycle.monitor import Monitor
    from server_impl.lifecycle.snapshot import Lease, Serving
    from server_impl.protocol.json.encode import RequestFormat
    from server_impl.servable.servable import Servable
    from server_impl.tensor import Tensor

CORS_FIELDS: Fields = (
    (b"Access-Control-Allow-Origin", b"*"),
    (b"Access-Control-Allow-Methods", b"POST, GET"),
    (b"Access-Control-Allow-Headers", b"Content-Type"),
)
#: A request body may not inflate to more than this [4.9.5].
INFLATED_LIMIT = 100 * 1024 * 1024

_JSON: Fields = ((b"Content-Type", b"application/json"),)
_TEXT: Fields = ((b"Content-Type", b"text/plain"),)

#: Enumerations are slow to tell their names and their members.
_OK = Code.OK.name
_PREDICT = Action.PREDICT

R = TypeVar("R")


class RestApp:
    """Answers REST requests from what ``serving`` holds.

    ``timeout_ms`` bounds each run that may take long, None for no bound [1.2 #5]; ``cors`` adds the CORS
    fields to API replies [4.3]; the metrics page is at ``metrics_path``, None for nowhere [4.10].
    """

    def __init__(
        self,
        serving: Serving[Servable],
        monitor: Monitor,
        settings: Settings,
        *,
        timeout_ms: int | None = None,
        cors: bool = False,
        metrics_path: str | None = None,
    ) -> None:
        self._serving = serving
        self._monitor = monitor
        self._settings = settings
        self._metrics = settings.metrics
        self._timeout_ms = timeout_ms
        self._bare_fields = CORS_FIELDS if cors else ()
        self._json_fields = _JSON + self._bare_fields
        self._metrics_path = None if metrics_path is None else metrics_path.encode()

    def handle(self, request: Request) -> Reply[Response]:
        """The reply to one request. Every API request is counted, whatever becomes of it [7.2]."""
        started = perf_counter()
        head = request.head
        found = route(head.method, head.target)
        if found.path == self._metrics_path:
            return partial(self._metrics_page, found)
        if found.action is not _PREDICT:
            match found.action:
                case Action.REFUSE:
                    return page(400)
                case Action.MISS:
                    return page(404)
                case Action.PREFLIGHT:
                    return self._preflight(found, head.headers, started)
        encoding = head.headers.get(b"content-encoding")
        inflate = encoding is not None and b"gzip" in encoding
        steps = self._steps(found, request, inflate, started)
        if inflate or len(request.body) > LARGE_BYTES:
            return partial(complete, steps)
        return steps

    def _steps(self, found: Route, request: Request, inflate: bool, started: float) -> Steps[Response]:
        try:
            if found.action is _PREDICT:
                content = inflated(request.body) if inflate else request.body
                body = yield from self._predict(found.spec, content)
            elif found.action in (Action.CLASSIFY, Action.REGRESS):
                content = inflated(request.body) if inflate else request.body
                body = yield from self._with_examples(found, content)
            else:
                body = self._document(found, request.head.method)
        except ServingError as error:
            return self._failure(found, error)
        if callable(body):
            return partial(self._finish, found, started, body)
        yield
        return self._success(found, started, body)

    def _finish(self, found: Route, started: float, work: Callable[[], bytes]) -> Response:
        """The response whose body ``work`` makes."""
        try:
            body = work()
        except ServingError as error:
            return self._failure(found, error)
        return self._success(found, started, body)

    def _success(self, found: Route, started: float, body: bytes) -> Response:
        model_name, metrics = found.spec.name, self._metrics
        metrics.request_latency.record((perf_counter() - started) * 1e6, model_name, found.api, "REST")
        metrics.request_count.increment(model_name, _OK)
        return Response(200, self._json_fields, body)

    def _failure(self, found: Route, error: ServingError) -> Response:
        self._metrics.request_count.increment(found.spec.name, error.code.name)
        # The one error whose text never reaches the client [4.1.7].
        silent = found.action is Action.VERSION_TOO_LARGE
        return Response(
            HTTP_STATUS[error.code], self._json_fields, b"" if silent else encode.error_body(error.message)
        )

    def _preflight(self, found: Route, headers: Mapping[bytes, bytes], started: float) -> Response:
        """OPTIONS: allowed to a web page, whatever the path and the CORS flag [4.2.2]."""
        origin = headers.get(b"origin", b"")
        if b"http://" in origin or b"https://" in origin:
            return replace(self._success(found, started, b""), fields=self._bare_fields)
        self._metrics.request_count.increment("", Code.FAILED_PRECONDITION.name)
        return Response(400, self._bare_fields, b"")

    def _metrics_page(self, found: Route) -> Response:
        if found.resource != found.path:
            text = b"Unexpected path: %s. Should be %s" % (found.resource, found.path)
            return Response(400, _TEXT, text)
        return Response(200, _TEXT, prometheus.page(self._metrics))

    def _document(self, found: Route, method: bytes) -> Work[bytes]:
        """What is known of a model. Raises ServingError, also for what is no request at all."""
        match found.action:
            case Action.STATUS:
                return status_document(status.versions(self._monitor, found.spec))
            case Action.METADATA:
                return partial(self._describe, found.spec)
            case Action.MODEL_MISSING:
                raise invalid_argument("Missing model name in request.")
            case Action.VERSION_TOO_LARGE:
                raise invalid_argument(f"Failed to convert version: {found.spec.version} to numeric.")
        raise invalid_argument(
            f"Malformed request: {method.decode('ascii')} {found.resource.decode('ascii')}"
        )

    def _describe(self, spec: ModelSpec) -> bytes:
        with metadata.described(self._serving, spec) as lease:
            return metadata_document(lease.servable)

    def _predict(self, spec: ModelSpec, body: bytes) -> Steps[bytes]:
        """JSON first, then the model, its signature, and only then the values [4.6]."""
        parsed = decode.parse_predict(body)
        yield
        lease = acquire(self._serving, spec)
        try:
            name = parsed.signature_name or DEFAULT_SIGNATURE_NAME
            signature = lease.servable.signatures.get(name)
            if signature is None:
                raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
            yield
            inputs, layout = parsed.tensors(signature.inputs)
            yield
            call = predict.prepare(self._settings, lease.servable, name, inputs)
            yield
            return (yield from self._run(lease, call, partial(_predict_body, layout)))
        except BaseException:
            lease.release()
            raise

    def _with_examples(self, found: Route, body: bytes) -> Steps[bytes]:
        """Classify and Regress: all of the JSON is converted before the model is looked up [5.9.6]."""
        signature_name, examples, context = decode.parse_examples(body)
        examples_in = ExampleInput(examples, context or b"")
        lease = acquire(self._serving, found.spec)
        try:
            if found.action is Action.CLASSIFY:
                classification = classify.prepare(self._settings, lease.servable, signature_name, examples_in)
                return (yield from self._run(lease, classification, _classify_body))
            regression = regress.prepare(self._settings, lease.servable, signature_name, examples_in)
            return (yield from self._run(lease, regression, encode.regress_body))
        except BaseException:
            lease.release()
            raise

    def _run(self, lease: Lease[Servable], call: Call[R], write: Callable[[R], Work[bytes]]) -> Steps[bytes]:
        """Run ``call`` here if that is brief, otherwise give what runs it; ``write`` puts its result down."""
        run = call.prepared.begin()
        if run is None:
            return partial(self._run_later, lease, call, write)
        yield
        run.run()
        yield
        outputs = run.outputs()
        yield
        call.prepared.record(run.seconds)
        result = call.result(outputs)
        lease.release()
        yield
        return write(result)

    def _run_later(self, lease: Lease[Servable], call: Call[R], write: Callable[[R], Work[bytes]]) -> bytes:
        with lease:
            result = call.run(self._timeout_ms)
        body = write(result)
        return body() if callable(body) else body


def _predict_body(layout: RequestFormat, outputs: Mapping[str, Tensor]) -> Work[bytes]:
    """The body, or what writes it if it is large."""
    nbytes = 0
    for tensor in outputs.values():
        nbytes += tensor.array.nbytes
    if nbytes > LARGE_BYTES:
        return partial(encode.predict_body, outputs, layout)
    return encode.predict_body(outputs, layout)


def _classify_body(result: classify.Classifications) -> bytes:
    """Labels and scores in pairs; a missing label is empty, a missing score zero [5.10.1]."""
    known = result.scores if result.labels is None else result.labels
    classes = 0 if known is None else known.shape[1]
    labels = [[b""] * classes] * result.rows if result.labels is None else result.labels.tolist()
    scores = [[0.0] * classes] * result.rows if result.scores is None else result.scores.tolist()
    return encode.classify_body([[*zip(*row, strict=True)] for row in zip(labels, scores, strict=True)])


def inflated(body: bytes) -> bytes:
    """A gzipped body unpacked; nothing at all unless it is exactly one sound gzip member [4.9.5]."""
    gzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = gzip.decompress(body, INFLATED_LIMIT + 1)
    except zlib.error:
        return b""
    whole = gzip.eof and not gzip.unused_data and len(content) <= INFLATED_LIMIT
    return content if whole else b""
