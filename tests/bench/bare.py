"""What the model alone costs: sessions run in this process, without any server.

Run as ``python -m tests.bench.bare PATH TENSOR ROWS COLUMNS``; prints microseconds of processor time.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from harness.wire import messages as wire
from server_impl.servable import saved_model
from server_impl.tensor import Tensor

_RUNS = 300


def session_run_us(path: str, alias: str, rows: int, columns: int) -> float:
    """Processor time of one run of the default signature with random floats, in microseconds."""
    model = saved_model.load(path)
    signature = model.signatures["serving_default"]
    fetches = [spec.name for spec in signature.outputs.values()]
    array = np.random.default_rng(0).random((rows, columns), np.float32)
    feeds = {signature.inputs[alias].name: Tensor(wire.DT_FLOAT, array)}
    for _ in range(_RUNS // 10):
        model.session.run(feeds, fetches)
    start = time.process_time()
    for _ in range(_RUNS):
        model.session.run(feeds, fetches)
    return (time.process_time() - start) / _RUNS * 1e6


if __name__ == "__main__":
    path, alias, rows, columns = sys.argv[1:]
    print(session_run_us(path, alias, int(rows), int(columns)))
