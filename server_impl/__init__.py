"""A reference server that behaves as TensorFlow Serving's ``tensorflow_model_server``.

Layers, lower ones know nothing of higher ones::

    errors, tensor      values
    lifecycle           which versions should be, and are, served
    servable            a loaded SavedModel and how to run it
    inference           predict, classify, regress, multi-inference, metadata, status
    protocol            REST and gRPC around them
    server              the process: flags, start order, signals
"""

from __future__ import annotations

__version__ = "0.1.0"

#: The release of TensorFlow Serving whose behaviour is followed.
TFS_VERSION = "2.20.0"
