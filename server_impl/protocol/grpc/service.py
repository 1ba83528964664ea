"""The methods of PredictionService and ModelService as functions from bytes to bytes [6.1]."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from google.protobuf.message import DecodeError

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.inference import metadata, status
from server_impl.inference.model_spec import ModelSpec, acquire
from server_impl.inference.run import Call, Settings
from server_impl.protocol.grpc import example_messages, predict_message
from server_impl.protocol.grpc.example_messages import ClassifyRequest, MultiInferenceRequest, RegressRequest
from server_impl.protocol.grpc.front import Handler
from server_impl.protocol.reply import Brief, Reply

if TYPE_CHECKING:
    from server_impl.lifecycle.monitor import Monitor, VersionStatus
    from server_impl.lifecycle.snapshot import Lease, Serving
    from server_impl.metrics import ServingMetrics
    from server_impl.servable.servable import Servable
    from server_impl.tensor import Tensor

#: Requests of more bytes are not even parsed on the thread that reads requests.
LARGE_REQUEST = 256 * 1024

_M = TypeVar("_M")


class _Request(Protocol):
    """What parsing gives."""

    @property
    def spec(self) -> ModelSpec | None: ...

    def prepare(self, settings: Settings, servable: Servable) -> Call[Any]: ...


class _Inference(NamedTuple):
    """One of the inference methods. ``api`` is its name in the metrics, None if not counted [7.2.1]."""

    api: Literal["Predict", "Classify", "Regress"] | None
    parse: Callable[[bytes], _Request]
    serialize: Callable[[Servable, Any, Any], bytes]

    def tally(self, metrics: ServingMetrics, request: _Request, code: Code) -> None:
        """Count a request that ended with ``code`` [7.2]."""
        if self.api is not None:
            metrics.request_count.increment(request.spec.name if request.spec else "", code.name)


class _Pending(NamedTuple):
    """A request that is ready to run. Whatever comes of it is counted, and its lease given back."""

    metrics: ServingMetrics
    how: _Inference
    request: _Request
    lease: Lease[Servable]
    call: Call[Any]
    start: float

    def begin(self, deadline: float | None) -> Reply[bytes]:
        """Begin the run if it is brief; if not, give what makes it."""
        try:
            run = self.call.prepared.begin()
        except ServingError as error:
            self.lease.release()
            self.how.tally(self.metrics, self.request, error.code)
            raise
        if run is None:
            return partial(self.finish, deadline)
        # Too short a run for a deadline to matter, and one without is cheaper.
        return Brief(run.run, partial(self.reply, partial(self.call.prepared.outputs_of, run)))

    def finish(self, deadline: float | None) -> bytes:
        """The run and everything after it."""
        return self.reply(lambda: self.call.prepared.outputs(_timeout_ms(deadline)))

    def reply(self, outputs: Callable[[], list[Tensor]]) -> bytes:
        """Everything after the run, which gave ``outputs``."""
        _, how, request, lease, call, start = self
        servable = lease.servable
        try:
            reply = how.serialize(servable, call, call.result(outputs()))
        except ServingError as error:
            how.tally(self.metrics, request, error.code)
            raise
        finally:
            lease.release()
        if how.api is not None:
            microseconds = (perf_counter() - start) * 1e6
            self.metrics.request_latency.record(microseconds, servable.name, how.api, "GRPC")
            how.tally(self.metrics, request, Code.OK)
        return reply


class GrpcService:
    """The handlers over one server's inference core and life cycle.

    ``reload_config`` applies the config of a request or refuses it, waits for its models and raises
    ServingError on failure [2.5, 6.9.1].
    ``as_content`` is the flag ``enable_serialization_as_tensor_content`` [6.4.9].
    """

    def __init__(
        self,
        settings: Settings,
        serving: Serving[Servable],
        monitor: Monitor,
        reload_config: Callable[[wire.ModelServerConfig], None],
        *,
        as_content: bool = False,
    ) -> None:
        self._settings = settings
        self._metrics = settings.metrics
        self._serving = serving
        self._monitor = monitor
        self._reload_config = reload_config
        serialize_outputs = predict_message.serialize
        if as_content:
            serialize_outputs = partial(serialize_outputs, as_content=True)
        self._inferences = {
            "Predict": _Inference("Predict", predict_message.parse, serialize_outputs),
            "Classify": _Inference(
                "Classify",
                lambda payload: ClassifyRequest.from_message(wire.ClassificationRequest.FromString(payload)),
                example_messages.serialize_classifications,
            ),
            "Regress": _Inference(
                "Regress",
                lambda payload: RegressRequest.from_message(wire.RegressionRequest.FromString(payload)),
                example_messages.serialize_regressions,
            ),
            "MultiInference": _Inference(
                None,
                lambda payload: MultiInferenceRequest.from_message(
                    wire.MultiInferenceRequest.FromString(payload)
                ),
                example_messages.serialize_results,
            ),
        }

    def methods(self) -> dict[str, Handler]:
        """The handlers by path."""
        prediction = "/tensorflow.serving.PredictionService/"
        model = "/tensorflow.serving.ModelService/"
        return {
            **{prediction + name: partial(self._infer, how) for name, how in self._inferences.items()},
            prediction + "GetModelMetadata": self._get_model_metadata,
            model + "GetModelStatus": self._get_model_status,
            model + "HandleReloadConfigRequest": self._handle_reload_config_request,
        }

    def _infer(self, how: _Inference, payload: bytes, deadline: float | None) -> Reply[bytes]:
        start = perf_counter()
        if len(payload) > LARGE_REQUEST:
            return lambda: self._prepare(how, payload, start).finish(deadline)
        return self._prepare(how, payload, start).begin(deadline)

    def _prepare(self, how: _Inference, payload: bytes, start: float) -> _Pending:
        """Everything up to the run."""
        request = _parsed(how.parse, payload)
        try:
            lease = acquire(self._serving, request.spec)
            try:
                call = request.prepare(self._settings, lease.servable)
            except BaseException:
                lease.release()
                raise
        except ServingError as error:
            how.tally(self._metrics, request, error.code)
            raise
        return _Pending(self._metrics, how, request, lease, call, start)

    def _get_model_metadata(self, payload: bytes, _: float | None) -> bytes:
        request = _parsed(wire.GetModelMetadataRequest.FromString, payload)
        response = wire.GetModelMetadataResponse()
        with metadata.described(self._serving, _spec(request), request.metadata_field) as lease:
            servable = lease.servable
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            packed = response.metadata[metadata.SIGNATURE_DEF]
            packed.type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
            packed.value = servable.signature_def_map.SerializeToString()
        return response.SerializeToString()

    def _get_model_status(self, payload: bytes, _: float | None) -> bytes:
        request = _parsed(wire.GetModelStatusRequest.FromString, payload)
        response = wire.GetModelStatusResponse()
        for version in status.versions(self._monitor, _spec(request)):
            _write_status(response.model_version_status.add(), version)
        return response.SerializeToString()

    def _handle_reload_config_request(self, payload: bytes, _: float | None) -> Reply[bytes]:
        return partial(self._reload, payload)

    def _reload(self, payload: bytes) -> bytes:
        """Apply a new config; a client that gives up changes nothing about that [6.9]."""
        request = _parsed(wire.ReloadConfigRequest.FromString, payload)
        # Names may be repeated, and are reported once.
        before = {name: self._metrics.value(name) for name in request.metric_names}
        self._reload_config(request.config)
        response = wire.ReloadConfigResponse()
        response.status.SetInParent()
        for name, value in before.items():
            response.metric.add(name=name, int64_value_increase=self._metrics.value(name) - value)
        return response.SerializeToString()


def _parsed(parse: Callable[[bytes], _M], payload: bytes) -> _M:
    """``parse(payload)``, or what gRPC says of bytes that are no such message: INTERNAL, no text."""
    try:
        return parse(payload)
    except DecodeError:
        raise ServingError(Code.INTERNAL, "") from None


def _spec(request: wire.GetModelMetadataRequest | wire.GetModelStatusRequest) -> ModelSpec | None:
    return predict_message.read_spec(request.model_spec) if request.HasField("model_spec") else None


def _timeout_ms(deadline: float | None) -> int | None:
    """Milliseconds that are left [6.4.11]. Raises DEADLINE_EXCEEDED if there are none: nobody waits."""
    if deadline is None:
        return None
    left = int((deadline - monotonic()) * 1000)
    if left <= 0:
        raise ServingError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")
    return left


def _write_status(message: wire.ModelVersionStatus, version: VersionStatus) -> None:
    message.version = version.version
    message.state = version.state  # type: ignore[assignment]  # numbered alike
    message.status.SetInParent()
    if version.error is not None:
        message.status.error_code = version.error.code  # type: ignore[assignment]
        # File names need not be UTF-8, but a string field must.
        raw = version.error.message.encode("utf-8", "surrogateescape")
        message.status.error_message = raw.decode("utf-8", "replace")
