"""Messages of the API, named as in TensorFlow Serving: ``PredictRequest``, ``TensorProto`` ..."""

from __future__ import annotations

from harness.wire import schema

_FILES = ("tensor.proto", "example.proto", "graph.proto", "session.proto", "config.proto", "apis.proto")
globals().update(schema.exports(*_FILES))
