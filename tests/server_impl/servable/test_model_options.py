"""Session options that a version brings along [11.7]."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from harness.wire import messages as wire
from server_impl.metrics import ServingMetrics
from server_impl.servable import saved_model
from server_impl.servable.model_options import with_overrides
from server_impl.tensor import Tensor


@pytest.fixture
def version(tmp_path: Path) -> Path:
    (tmp_path / "assets.extra").mkdir()
    return tmp_path


def bring(version: Path, content: bytes) -> None:
    (version / "assets.extra" / "saved_model_config.pb").write_bytes(content)


BASE = wire.ConfigProto(intra_op_parallelism_threads=2)


def test_no_file_changes_nothing(version: Path) -> None:
    assert with_overrides(BASE, str(version)) is BASE


def test_a_file_without_overrides_changes_nothing(version: Path) -> None:
    bring(version, b"")
    assert with_overrides(BASE, str(version)) == BASE


def test_overrides(version: Path) -> None:
    overrides = wire.SessionOverrides(batch_op_rewriter_config=b"\x0a\x01\xff", disable_meta_optimizer=True)
    bring(version, wire.SavedModelConfig(session_overrides=overrides).SerializeToString())
    changed = with_overrides(BASE, str(version))
    rewriter = changed.graph_options.rewrite_options
    assert changed.intra_op_parallelism_threads == 2
    assert rewriter.disable_meta_optimizer
    (optimizer,) = rewriter.custom_optimizers
    assert optimizer.name == "batch_op_rewriter"
    assert base64.b64decode(optimizer.parameter_map["batch_op_rewrite_config"].s) == b"\x0a\x01\xff"
    assert not BASE.graph_options.rewrite_options.disable_meta_optimizer


def test_a_file_that_cannot_be_read_is_a_warning(version: Path, caplog: pytest.LogCaptureFixture) -> None:
    bring(version, b"\xff\xff no message")
    with caplog.at_level("WARNING"):
        assert with_overrides(BASE, str(version)) == BASE
    assert "Failed to load saved model config: INTERNAL: Unable to parse SavedModelConfig: " in caplog.text


def test_a_load_is_counted_and_so_are_its_runs(models: Path) -> None:
    metrics = ServingMetrics()
    path = str(models / "half_plus_two")
    loaded = saved_model.load(path, metrics=metrics)
    assert metrics.load_attempt_count.collect() == [((path, "success"), 1)]
    ((labels, micros),) = metrics.load_latency.collect()
    assert labels == (path,)
    assert micros > 0
    assert metrics.graph_runs.collect() == []
    signature = loaded.signatures["serving_default"]
    feeds = {spec.name: Tensor(wire.DT_FLOAT, np.ones(2, np.float32)) for spec in signature.inputs.values()}
    for _ in range(2):
        loaded.session.run(feeds, [spec.name for spec in signature.outputs.values()])
    assert metrics.graph_runs.collect() == [((), 2)]
    loaded.session.close()


def test_a_load_that_fails_is_counted(tmp_path: Path) -> None:
    metrics = ServingMetrics()
    (tmp_path / "saved_model.pb").write_bytes(b"\0\1 no protobuf \xff")
    with pytest.raises(Exception, match="Can't parse"):
        saved_model.load(str(tmp_path), metrics=metrics)
    assert metrics.load_attempt_count.collect() == [((str(tmp_path), "fail"), 1)]
