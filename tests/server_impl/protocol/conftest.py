"""A REST API over servables that need no TensorFlow: several versions of ``y = x / 2 + version``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from harness.wire import messages as wire
from server_impl.inference.run import Settings
from server_impl.lifecycle.monitor import Monitor
from server_impl.lifecycle.snapshot import Serving
from server_impl.lifecycle.states import Event, ServableId, State
from server_impl.metrics import ServingMetrics
from server_impl.protocol.rest.app import RestApp
from server_impl.servable.servable import Servable, Signature, TensorSpec
from server_impl.tensor import Tensor
from tests.server_impl.inference.fakes import FakeBriefRun

#: What the recordings of the real server were made with.
VERSIONS = {"lin": (1, 2, 3), "a name/with:odd%chars": (4,), "metadata": (5,), "münchen": (6,)}
LABELS = {"lin": {"stable": 1, "canary": 3, "has space": 2, "gone": 77, "été": 2, "7": 1, "": 2}}

RestAppFactory = Callable[..., RestApp]


class LinearRunner:
    """Computes ``y = x / 2 + version``; ``inline`` and ``on_run`` let a test steer it."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.inline = True
        self.on_run: Callable[[int | None], None] = lambda timeout_ms: None

    def run(
        self, feeds: Mapping[str, Tensor], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[Tensor]:
        self.on_run(timeout_ms)
        (x,) = feeds.values()
        return [Tensor(x.dtype, (x.array / 2 + self.version).astype(np.float32)) for _ in fetches]

    def begin(self, feeds: Mapping[str, Tensor], fetches: Sequence[str]) -> FakeBriefRun | None:
        return FakeBriefRun(lambda: self.run(feeds, fetches)) if self.inline else None

    def close(self) -> None:
        pass


def _tensor_info(name: str, dtype: int) -> wire.TensorInfo:
    info = wire.TensorInfo(name=name, dtype=dtype)
    if dtype == wire.DT_INVALID:
        info.tensor_shape.unknown_rank = True
    else:
        info.tensor_shape.dim.add(size=-1)
    return info


def _signature_def_map() -> wire.SignatureDefMap:
    """As Keras and TensorFlow 2 export it, the initialisation signature included."""
    signatures = wire.SignatureDefMap()
    default = signatures.signature_def["serving_default"]
    default.inputs["x"].CopyFrom(_tensor_info("serving_default_x:0", wire.DT_FLOAT))
    default.outputs["y"].CopyFrom(_tensor_info("StatefulPartitionedCall:0", wire.DT_FLOAT))
    which = signatures.signature_def["which"]
    which.inputs["x"].CopyFrom(_tensor_info("which_x:0", wire.DT_FLOAT))
    which.outputs["version"].CopyFrom(_tensor_info("PartitionedCall:0", wire.DT_INT64))
    default.method_name = which.method_name = "tensorflow/serving/predict"
    init = signatures.signature_def["__saved_model_init_op"]
    init.outputs["__saved_model_init_op"].CopyFrom(_tensor_info("NoOp", wire.DT_INVALID))
    return signatures


def linear_servable(name: str, version: int, runner: LinearRunner) -> Servable:
    definitions = _signature_def_map()
    signatures = {
        key: Signature(
            key,
            definition.method_name,
            {alias: TensorSpec(info.name, info.dtype, (-1,)) for alias, info in definition.inputs.items()},
            {alias: TensorSpec(info.name, info.dtype, (-1,)) for alias, info in definition.outputs.items()},
            {},
            definition,
        )
        for key, definition in definitions.signature_def.items()
    }
    return Servable(name, version, signatures, definitions, runner)


@pytest.fixture
def runners() -> dict[ServableId, LinearRunner]:
    """What runs each servable of ``make_rest_app``."""
    return {
        ServableId(name, version): LinearRunner(version)
        for name, versions in VERSIONS.items()
        for version in versions
    }


@pytest.fixture
def make_rest_app(runners: dict[ServableId, LinearRunner]) -> RestAppFactory:
    """Makes a REST API over the models that the real server was recorded with."""

    def make(**options: object) -> RestApp:
        serving: Serving[Servable] = Serving()
        serving.labels = LABELS
        serving.publish(
            [(id_, linear_servable(*id_, runner)) for id_, runner in runners.items()], lambda: False
        )
        monitor = Monitor()
        for id_ in runners:
            monitor.handle(Event(id_, State.AVAILABLE))
        return RestApp(serving, monitor, Settings(ServingMetrics()), **options)

    return make
