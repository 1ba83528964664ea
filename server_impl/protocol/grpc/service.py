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
from server_impl.protocol.grpc.predict_template import Templates
from server_impl.protocol.reply import Reply, Steps, complete

if TYPE_CHECKING:
    from server_impl.lifecycle.monitor import Monitor, VersionStatus
    from server_impl.lifecycle.snapshot import Lease, Serving
    from server_impl.metrics import ServingMetrics
    from server_impl.servable.servable import Servable

#: Requests of more bytes are not even parsed on the thread that reads requests.
LARGE_REQUEST = 256 * 1024

#: Enumerations are slow to tell their names.
_OK = Code.OK.name

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

    def tally(self, metrics: ServingMetrics, request: _Request, status: str) -> None:
        """Count a request that ended with ``status``, the name of a code [7.2]."""
        if self.api is not None:
            metrics.request_count.increment(request.spec.name if request.spec else "", status)


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
            "Predict": _Inference("Predict", Templates().parse, serialize_outputs),
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
        steps = self._steps(how, payload, deadline, perf_counter())
        if len(payload) > LARGE_REQUEST:
            return partial(complete, steps)
        return steps

    def _steps(self, how: _Inference, payload: bytes, deadline: float | None, start: float) -> Steps[bytes]:
        request = _parsed(how.parse, payload)
        yield
        try:
            lease = acquire(self._serving, request.spec)
            try:
                yield
                call = request.prepare(self._settings, lease.servable)
                yield
                run = call.prepared.begin()
                if run is None:
                    return partial(self._finish, how, request, lease, call, deadline, start)
                # Too short a run for a deadline to matter, and one without is cheaper.
                yield
                run.run()
                yield
                outputs = run.outputs()
                yield
                call.prepared.record(run.seconds)
                result = call.result(outputs)
                yield
                reply = how.serialize(lease.servable, call, result)
            except BaseException:
                lease.release()
                raise
        except ServingError as error:
            how.tally(self._metrics, request, error.code.name)
            raise
        lease.release()
        yield
        self._succeeded(how, request, lease.servable, start)
        return reply

    def _finish(
        self,
        how: _Inference,
        request: _Request,
        lease: Lease[Servable],
        call: Call[Any],
        deadline: float | None,
        start: float,
    ) -> bytes:
        """A run that is not brief, and everything after it."""
        try:
            with lease:
                reply = how.serialize(lease.servable, call, call.run(_timeout_ms(deadline)))
        except ServingError as error:
            how.tally(self._metrics, request, error.code.name)
            raise
        self._succeeded(how, request, lease.servable, start)
        return reply

    def _succeeded(self, how: _Inference, request: _Request, servable: Servable, start: float) -> None:
        if how.api is not None:
            microseconds = (perf_counter() - start) * 1e6
            self._metrics.request_latency.record(microseconds, servable.name, how.api, "GRPC")
            how.tally(self._metrics, request, _OK)

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
