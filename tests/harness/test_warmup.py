"""Warm-up files are TFRecords: the server's own reader, written apart, must understand them."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness import warmup
from harness.wire import messages as wire
from server_impl.servable.tfrecord import read_records


@given(st.lists(st.binary(max_size=2000), max_size=5))
def test_records_are_read_back(payloads: list[bytes]) -> None:
    assert list(read_records(io.BytesIO(warmup.records(payloads)))) == payloads


def test_a_prediction() -> None:
    record = warmup.predict_log("m", {"x": np.array([1.5], np.float32)}, "other")
    request = wire.PredictionLog.FromString(record).predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == ("m", "other")
    assert request.inputs["x"].dtype == wire.DT_FLOAT
