"""Views of the inference messages that keep packed numbers, examples and labels as raw bytes.

Same bytes on the wire as the messages of the same name in :mod:`harness.wire.messages`.
"""

from __future__ import annotations

from harness.wire import schema

globals().update(schema.exports("packed.proto"))
